"""One person decides up to a limit, at once and in a day; beyond it another has to agree."""

import threading

import pytest

from portal.approvals.services import OwnRequest, check_approver, digest_of, may_act_alone
from portal.kit.db import db, transactional
from tests.factories.learners import make_learner

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def inside(app, clock):
    """Be inside an application context, by a clock that can be moved."""
    with app.app_context():
        yield


@pytest.fixture
def person():
    """A member of staff."""
    return make_learner()


@pytest.fixture
def alone(person, tools):
    """Ask whether the person may give an amount away."""
    ask = transactional(may_act_alone)
    return lambda amount_fen, **settings: ask(
        person.id, amount_fen, tools.settings.model_copy(update=settings)
    )


class TestAlone:
    @pytest.mark.parametrize(("amount_fen", "is_enough"), [(1, True), (20_000, True), (20_001, False)])
    def test_up_to_the_limit_at_once(self, alone, amount_fen, is_enough):
        assert alone(amount_fen) is is_enough

    def test_up_to_the_limit_of_a_day_in_beijing(self, alone, clock):
        assert [alone(20_000) for _ in range(6)] == [True] * 5 + [False]
        assert alone(1) is False
        clock.travel(days=1)
        assert alone(20_000)

    def test_what_needs_another_is_not_counted(self, alone):
        assert alone(20_001) is False
        assert [alone(20_000) for _ in range(5)] == [True] * 5

    def test_each_person_has_a_day_of_their_own(self, alone, tools):
        assert [alone(20_000) for _ in range(6)][-1] is False
        assert transactional(may_act_alone)(make_learner().id, 20_000, tools.settings)

    def test_a_shop_of_one_person_has_no_limit(self, alone):
        assert alone(10_000_000, APPROVAL_ONE_PERSON_SHOP=True)

    def test_eight_at_once_do_not_pass_it_together(self, app, alone):
        start, said = threading.Barrier(8), []

        def act() -> None:
            start.wait(10)
            with app.app_context():
                said.append(alone(20_000))
                db.session.remove()

        threads = [threading.Thread(target=act) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(said) == [False] * 3 + [True] * 5


class TestAnother:
    def test_nobody_approves_their_own(self, person, tools):
        with pytest.raises(OwnRequest):
            check_approver(person.id, person.id, tools.settings)
        check_approver(person.id, make_learner().id, tools.settings)

    def test_in_a_shop_of_one_person_one_does(self, person, tools):
        check_approver(
            person.id, person.id, tools.settings.model_copy(update={"APPROVAL_ONE_PERSON_SHOP": True})
        )

    def test_the_digest_is_of_every_fact(self):
        facts: dict[str, str | int | None] = {"payment": 1, "amount_fen": 100, "reason": "x"}
        assert digest_of(**facts) == digest_of(**facts)
        assert (
            len({digest_of(**facts), digest_of(**facts, effect=None), digest_of(**facts, effect="keep")}) == 3
        )
