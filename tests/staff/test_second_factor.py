"""The second factor: set up once, each code once, few tries, encrypted at rest."""

import threading

import pytest

from portal.audit.models import AuditRow
from portal.kit.db import db
from portal.learners import sessions
from portal.learners.models import LoginSession, Role
from portal.learners.throttle import TooManyTries
from portal.staff import second_factor, totp
from portal.staff.models import SecondFactor, UsedCode
from portal.staff.seeds import SeedBox, SeedUnreadable
from tests.factories.learners import make_learner
from tests.factories.staff import box_of, code_of, set_up_phone
from tests.support.losing import lost_commit

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def inside(app):
    with app.app_context():
        yield


@pytest.fixture
def person():
    return make_learner(role=Role.ADMIN)


@pytest.fixture
def box(app):
    return box_of(app)


@pytest.fixture
def phone(app, person, clock):
    """The seed in the person's phone; the code of now is not used yet."""
    seed, _ = set_up_phone(app, person)
    clock.travel(seconds=60)
    return seed


class TestCodes:
    def test_a_code_opens_once(self, person, phone, box):
        second_factor.check_code(person, code_of(phone), box)
        with pytest.raises(second_factor.WrongCode):
            second_factor.check_code(person, code_of(phone), box)

    def test_a_lost_commit_does_not_use_it_up(self, person, phone, box):
        with lost_commit(number=2):
            second_factor.check_code(person, code_of(phone), box)
        with pytest.raises(second_factor.WrongCode):
            second_factor.check_code(person, code_of(phone), box)

    def test_nor_does_it_lose_the_recovery_codes(self, person, box):
        session = LoginSession(public_id="a-session-of-a-test")
        seed = second_factor.pending_seed(person, session, box)
        with lost_commit(number=2):
            codes = second_factor.set_up(person, session, code_of(seed), box)
        second_factor.check_code(person, codes[0], box)

    def test_blanks_and_dashes_do_not_matter(self, person, phone, box):
        code = code_of(phone)
        second_factor.check_code(person, f" {code[:3]} {code[3:]}-", box)

    @pytest.mark.parametrize("code", ["", "12345", "1234567", "１２３４５６", "abcdef", "0" * 500])
    def test_what_is_no_code_is_refused(self, person, phone, box, code):
        with pytest.raises(second_factor.WrongCode):
            second_factor.check_code(person, code, box)

    def test_a_code_at_two_browsers_at_once_opens_one(self, app, person, phone, box):
        code, start, opened = code_of(phone), threading.Barrier(2), []

        def enter() -> None:
            with app.app_context():
                start.wait()
                try:
                    second_factor.check_code(person, code, box)
                    opened.append(True)
                except second_factor.WrongCode:
                    opened.append(False)

        threads = [threading.Thread(target=enter) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(opened) == [False, True]

    def test_after_five_wrong_ones_none_is_looked_at_for_ten_minutes(self, person, phone, box, clock):
        wrong = "000000" if code_of(phone) != "000000" else "111111"
        for _ in range(5):
            with pytest.raises(second_factor.WrongCode):
                second_factor.check_code(person, wrong, box)
        with pytest.raises(TooManyTries) as locked:
            second_factor.check_code(person, code_of(phone), box)
        assert 0 < locked.value.retry_after <= 600
        clock.travel(minutes=10, seconds=1)
        second_factor.check_code(person, code_of(phone), box)

    def test_many_guesses_at_once_are_many_tries(self, app, person, phone, box):
        outcomes = []

        def guess() -> None:
            with app.app_context():
                try:
                    second_factor.check_code(person, "abcdef", box)
                except (second_factor.WrongCode, TooManyTries) as error:
                    outcomes.append(type(error))

        threads = [threading.Thread(target=guess) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count(second_factor.WrongCode) <= 5

    def test_without_a_second_factor_no_code_is_right(self, person, box):
        with pytest.raises(second_factor.NotSetUp):
            second_factor.check_code(person, "123456", box)

    def test_used_codes_are_forgotten_when_their_time_is_over(self, person, phone, box, clock, count):
        second_factor.check_code(person, code_of(phone), box)
        assert second_factor.sweep_used_codes() == 0
        clock.travel(minutes=15)
        assert second_factor.sweep_used_codes() == 2
        assert count(UsedCode) == 0


class TestRecoveryCodes:
    def test_there_are_ten_and_each_opens_once(self, app, person, box):
        _, codes = set_up_phone(app, person)
        assert len(set(codes)) == 10
        second_factor.check_code(person, codes[0].lower(), box)
        with pytest.raises(second_factor.WrongCode):
            second_factor.check_code(person, codes[0], box)
        assert second_factor.recovery_codes_left(person) == 9

    def test_anothers_opens_nothing(self, app, person, box):
        set_up_phone(app, person)
        _, codes = set_up_phone(app, make_learner(role=Role.FINANCE))
        with pytest.raises(second_factor.WrongCode):
            second_factor.check_code(person, codes[0], box)

    def test_new_ones_make_the_old_void(self, app, person, box):
        _, codes = set_up_phone(app, person)
        new = second_factor.new_recovery_codes(person)
        with pytest.raises(second_factor.WrongCode):
            second_factor.check_code(person, codes[1], box)
        second_factor.check_code(person, new[1], box)


class TestSetUp:
    def test_another_session_never_sees_the_same_seed(self, person, box):
        mine, thief = LoginSession(public_id="mine"), LoginSession(public_id="thief")
        seen = second_factor.pending_seed(person, thief, box)
        assert second_factor.pending_seed(person, mine, box) != seen
        with pytest.raises(second_factor.NotSetUp):
            second_factor.set_up(person, thief, code_of(seen), box)

    def test_it_ends_all_sessions_and_is_in_the_audit(self, app, person, count):
        sessions.start_session(person, "a browser", "127.0.0.1")
        set_up_phone(app, person)
        assert count(LoginSession) == 0
        assert count(AuditRow, AuditRow.action == "second_factor.set_up") == 1

    def test_a_new_phone_makes_the_old_one_void(self, app, person, phone, box, clock):
        new, _ = set_up_phone(app, person)
        clock.travel(seconds=60)
        with pytest.raises(second_factor.WrongCode):
            second_factor.check_code(person, code_of(phone), box)
        second_factor.check_code(person, code_of(new), box)

    def test_a_reset_takes_everything_away(self, app, person, phone, box, count):
        sessions.start_session(person, "a browser", "127.0.0.1")
        assert second_factor.reset(person, "operator:wang", "lost phone") is True
        assert count(LoginSession) == 0
        with pytest.raises(second_factor.NotSetUp):
            second_factor.check_code(person, code_of(phone), box)
        assert second_factor.reset(person, "operator:wang", "lost phone") is False


class TestSeeds:
    def test_the_database_never_holds_one_in_clear(self, person, phone):
        kept = db.session.get_one(SecondFactor, person.id).sealed_seed or ""
        assert len(kept) > 40
        assert phone.hex() not in kept
        assert totp.seed_text(phone).replace(" ", "") not in kept

    def test_a_former_key_opens_it_and_the_newest_seals_it_again(self, app, person, phone, box, clock):
        old = app.config["SECRET_KEY"]
        second_factor.check_code(person, code_of(phone), SeedBox(["new" * 12, old]))
        clock.travel(seconds=60)
        second_factor.check_code(person, code_of(phone), SeedBox(["new" * 12]))

    def test_without_its_key_it_cannot_be_read(self, person, phone):
        with pytest.raises(SeedUnreadable):
            second_factor.check_code(person, code_of(phone), SeedBox(["new" * 12]))

    def test_one_copied_to_another_person_cannot_be_read(self, box):
        sealed = box.seal(b"a seed", "mine")
        assert box.open(sealed, "mine") == (b"a seed", False)
        with pytest.raises(SeedUnreadable):
            box.open(sealed, "yours")
