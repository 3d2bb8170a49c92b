"""Accounts: made, proven and changed."""

import threading

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from portal.audit.models import AuditRow
from portal.kit.db import db
from portal.learners import services, sessions
from portal.learners.addresses import BadAddress
from portal.learners.models import Learner, Locale, LoginSession, Role, SignInThrottle
from portal.learners.passwords import WeakPassword
from portal.learners.queries import learner_by_id
from portal.learners.services import AddressTaken, BadCredentials
from portal.learners.throttle import TooManyTries, sweep_throttles
from portal.outbox.models import Job
from tests.factories.learners import PASSWORD, make_learner
from tests.support.losing import lost_commit

pytestmark = pytest.mark.database

NEW = "another quiet password"


def jobs(kind):
    return list(db.session.scalars(sa.select(Job).where(Job.kind == kind)))


def actions():
    about_learners = AuditRow.action.like("learner.%")
    return list(db.session.scalars(sa.select(AuditRow.action).where(about_learners).order_by(AuditRow.id)))


def sign_in_wrongly(email, times):
    for _ in range(times):
        with pytest.raises(BadCredentials):
            services.authenticate(email, "not the password", "203.0.113.9")


class TestRegister:
    def test_it_makes_a_learner_who_can_sign_in(self):
        made = services.register(" Wang@QQ.com ", PASSWORD, Locale.ZH)
        assert (made.email, made.role, made.locale) == ("wang@qq.com", Role.LEARNER, Locale.ZH)
        assert PASSWORD not in made.password_hash
        assert services.authenticate("WANG@qq.com", PASSWORD, "").id == made.id
        assert actions() == ["learner.created"]

    def test_the_same_form_twice_is_one_account(self):
        first = services.register("wang@qq.com", PASSWORD, Locale.ZH)
        assert services.register("wang@qq.com", PASSWORD, Locale.ZH).id == first.id
        assert not jobs("mail_register_again")

    def test_a_known_address_is_refused_and_its_owner_told_once_a_day(self, clock):
        learner = make_learner()
        for _ in range(2):
            with pytest.raises(AddressTaken):
                services.register(learner.email, NEW, Locale.ZH)
        assert [job.subject_id for job in jobs("mail_register_again")] == [str(learner.id)]
        clock.travel(days=1)
        with pytest.raises(AddressTaken):
            services.register(learner.email, NEW, Locale.ZH)
        assert len(jobs("mail_register_again")) == 2

    def test_a_known_and_a_new_address_cost_the_same_hashing(self, hasher):
        services.register("new@example.com", PASSWORD, Locale.EN)
        new, hasher.count = hasher.count, 0
        with pytest.raises(AddressTaken):
            services.register("new@example.com", NEW, Locale.EN)
        assert hasher.count == new == 1

    def test_it_is_no_way_round_the_lock(self):
        learner = make_learner()
        sign_in_wrongly(learner.email, 10)
        with pytest.raises(AddressTaken):
            services.register(learner.email, PASSWORD, Locale.EN)

    def test_what_is_refused_leaves_nothing(self):
        with pytest.raises(BadAddress):
            services.register("nobody", PASSWORD, Locale.EN)
        with pytest.raises(WeakPassword):
            services.register("a@example.com", "short", Locale.EN)
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Learner)) == 0

    def test_many_at_once_with_one_address_make_one_account(self, app):
        outcomes = []

        def try_it():
            with app.app_context():
                outcomes.append(services.register("race@example.com", PASSWORD, Locale.EN).id)

        threads = [threading.Thread(target=try_it) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(outcomes) == 6
        assert len(set(outcomes)) == 1


class TestAuthenticate:
    @pytest.mark.parametrize(
        "email",
        ["nobody@example.com", "王@example.com", "", "a\x00b@example.com", "x" * 5000, "\ud83d@example.com"],
    )
    def test_an_unknown_address_is_a_wrong_password(self, hasher, email):
        with pytest.raises(BadCredentials):
            services.authenticate(email, PASSWORD, "")
        assert hasher.count == 1

    @pytest.mark.parametrize("password", ["not the password", "", "x" * 100_000, "\x00", "\ud83d"])
    def test_a_wrong_password_is_hashed_once(self, hasher, password):
        learner = make_learner()
        hasher.count = 0
        with pytest.raises(BadCredentials):
            services.authenticate(learner.email, password, "")
        assert hasher.count == 1

    def test_a_disabled_account_is_a_wrong_password(self):
        learner = make_learner()
        db.session.execute(sa.update(Learner).values(disabled_at=learner.created_at))
        db.session.commit()
        with pytest.raises(BadCredentials):
            services.authenticate(learner.email, PASSWORD, "")

    @pytest.mark.parametrize("is_known", [True, False])
    def test_ten_failures_lock_the_address_for_a_quarter_of_an_hour(self, clock, hasher, is_known):
        email = make_learner().email if is_known else "nobody@example.com"
        sign_in_wrongly(email, 10)
        hasher.count = 0
        with pytest.raises(TooManyTries) as locked:
            services.authenticate(email, PASSWORD, "")
        assert hasher.count == 0
        assert 880 <= locked.value.retry_after <= 900
        clock.travel(minutes=15, seconds=1)
        if is_known:
            assert services.authenticate(email, PASSWORD, "")
        else:
            sign_in_wrongly(email, 1)

    def test_the_lock_is_the_addresss_in_whatever_form_it_is_typed(self):
        email = make_learner().email
        sign_in_wrongly(email.upper(), 5)
        sign_in_wrongly(f" {email}", 5)
        with pytest.raises(TooManyTries):
            services.authenticate(email, PASSWORD, "")

    def test_a_lock_touches_neither_others_nor_open_sessions(self):
        learner, other = make_learner(), make_learner()
        secret = sessions.start_session(learner, "browser", "203.0.113.9")
        sign_in_wrongly(learner.email, 10)
        assert services.authenticate(other.email, PASSWORD, "")
        assert sessions.session_of(secret)

    def test_the_right_password_starts_the_count_anew(self):
        learner = make_learner()
        for _ in range(3):
            sign_in_wrongly(learner.email, 9)
            assert services.authenticate(learner.email, PASSWORD, "")

    def test_old_failures_are_forgotten(self, clock):
        learner = make_learner()
        for _ in range(3):
            sign_in_wrongly(learner.email, 9)
            clock.travel(minutes=16)
        assert services.authenticate(learner.email, PASSWORD, "")

    def test_many_guesses_at_once_are_ten_guesses(self, app, hasher):
        learner = make_learner()
        hasher.count, outcomes = 0, []

        def guess():
            with app.app_context():
                try:
                    services.authenticate(learner.email, "not the password", "")
                except (BadCredentials, TooManyTries) as error:
                    outcomes.append(type(error))

        threads = [threading.Thread(target=guess) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count(BadCredentials) == hasher.count == 10
        assert outcomes.count(TooManyTries) == 6

    def test_the_count_does_not_name_the_address(self):
        sign_in_wrongly("secret@example.com", 1)
        row = db.session.scalars(sa.select(SignInThrottle)).one()
        assert "secret" not in row.key_hash

    def test_counts_that_no_rule_looks_at_are_swept(self, clock):
        sign_in_wrongly("secret@example.com", 1)
        assert sweep_throttles() == 0
        clock.travel(days=1, minutes=1)
        assert sweep_throttles() == 1

    def test_a_hash_of_another_cost_is_made_anew(self):
        learner = make_learner()
        cheap = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
        db.session.execute(sa.update(Learner).values(password_hash=cheap))
        db.session.commit()
        found = services.authenticate(learner.email, PASSWORD, "")
        assert found.password_hash != cheap
        assert services.authenticate(learner.email, PASSWORD, "").password_hash == found.password_hash


class TestChangePassword:
    def test_it_ends_all_other_sessions(self):
        learner = make_learner()
        here, there = (sessions.start_session(learner, "browser", "203.0.113.9") for _ in range(2))
        known = sessions.session_of(here)
        assert known
        owner = learner_by_id(known.id)
        assert owner
        services.change_password(owner, PASSWORD, NEW, known.session_id)
        assert sessions.session_of(here)
        assert sessions.session_of(there) is None
        assert services.authenticate(learner.email, NEW, "")
        with pytest.raises(BadCredentials):
            services.authenticate(learner.email, PASSWORD, "")
        assert "learner.password_changed" in actions()

    def test_a_lost_commit_is_no_wrong_password(self):
        owner = services.authenticate(make_learner().email, PASSWORD, "")
        with lost_commit(number=3):
            services.change_password(owner, PASSWORD, NEW, None)
        assert services.authenticate(owner.email, NEW, "")
        assert actions().count("learner.password_changed") == 1

    def test_it_wants_the_old_password_and_counts_the_tries(self):
        owner = services.authenticate(make_learner().email, PASSWORD, "")
        for _ in range(10):
            with pytest.raises(BadCredentials):
                services.change_password(owner, "not the password", NEW, None)
        with pytest.raises(TooManyTries):
            services.change_password(owner, PASSWORD, NEW, None)

    def test_a_weak_one_changes_nothing(self):
        owner = services.authenticate(make_learner().email, PASSWORD, "")
        secret = sessions.start_session(owner, "browser", "203.0.113.9")
        with pytest.raises(WeakPassword):
            services.change_password(owner, PASSWORD, "password123", None)
        assert sessions.session_of(secret)
        assert services.authenticate(owner.email, PASSWORD, "")


def test_an_operator_makes_accounts_of_any_role():
    made = services.create_user("boss@example.com", Role.ADMIN, PASSWORD, "operator:root")
    assert made.role == Role.ADMIN
    actor = sa.select(AuditRow.actor).where(AuditRow.action == "learner.created")
    assert db.session.scalars(actor).one() == "operator:root"
    with pytest.raises(AddressTaken):
        services.create_user("BOSS@example.com", Role.LEARNER, PASSWORD, "operator:root")


def test_the_language_is_changed_for_good():
    owner = services.authenticate(make_learner(locale=Locale.EN).email, PASSWORD, "")
    services.change_locale(owner, Locale.ZH)
    db.session.remove()
    assert db.session.scalars(sa.select(Learner.locale)).one() == Locale.ZH


def test_no_audit_row_holds_an_address_or_a_password():
    learner = services.register("somebody@example.com", PASSWORD, Locale.EN)
    sessions.start_session(learner, "browser", "203.0.113.9")
    services.change_password(learner, PASSWORD, NEW, None)
    for row in db.session.scalars(sa.select(AuditRow)):
        text = f"{row.actor} {row.subject} {row.facts}"
        assert "somebody" not in text
        assert "password" not in text
    assert db.session.scalar(sa.select(sa.func.count()).select_from(LoginSession)) == 0
