"""Work is done by one, taken over from the dead, and never forgotten."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from portal.kit.db import db, transaction
from portal.outbox import services as outbox
from portal.outbox.models import Job, JobStatus

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def inside(app, clock):
    """Be inside an application context, by a clock that can be moved."""
    with app.app_context():
        yield


def add(key="effect:1", **options):
    """Commit work and return its id."""
    with transaction():
        outbox.add("test", key, "4711", **options)
    return db.session.scalars(sa.select(Job.id).where(Job.effect_key == key)).one()


def row(job_id):
    with db.engine.connect() as connection:
        return connection.execute(sa.select(Job.__table__).where(Job.id == job_id)).one()


class TestAdding:
    def test_it_is_born_with_its_cause_or_not_at_all(self):
        def cause_that_fails() -> None:
            outbox.add("test", "effect:1", "4711")
            raise KeyError

        with pytest.raises(KeyError), transaction():
            cause_that_fails()
        assert not outbox.is_recorded("effect:1")

    def test_an_effect_has_one_row_whatever_became_of_it(self):
        claimed = outbox.claim(add())
        assert claimed
        outbox.finish(claimed)
        with pytest.raises(IntegrityError), transaction():
            outbox.add("test", "effect:1", "4711")
        assert outbox.is_recorded("effect:1")

    def test_it_is_due_now_unless_told(self, clock):
        now, later = add(), add("effect:2", due_at=clock.now() + timedelta(seconds=30))
        assert outbox.due_ids(10) == [now]
        clock.travel(seconds=31)
        assert outbox.due_ids(10) == [now, later]

    def test_the_oldest_comes_first_and_no_more_than_asked(self, clock):
        second = add("effect:2")
        first = add("effect:1", due_at=clock.now() - timedelta(seconds=5))
        assert outbox.due_ids(1) == [first]
        assert outbox.due_ids(2) == [first, second]


class TestClaiming:
    def test_it_tells_what_to_do(self):
        claimed = outbox.claim(add())
        assert claimed
        assert (claimed.kind, claimed.effect_key, claimed.subject_id) == ("test", "effect:1", "4711")
        assert claimed.attempts == 1

    def test_the_second_claimer_gets_nothing(self):
        job_id = add()
        assert outbox.claim(job_id)
        assert outbox.claim(job_id) is None
        assert outbox.due_ids(10) == []

    def test_of_eight_at_once_one_gets_it(self, app):
        job_ids = [add(f"effect:{number}") for number in range(3)]
        start = threading.Barrier(8)
        won: list[int] = []

        def claim_all() -> None:
            start.wait(10)
            with app.app_context():
                won.extend(job_id for job_id in job_ids if outbox.claim(job_id))

        threads = [threading.Thread(target=claim_all) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == sorted(job_ids)
        assert [row(job_id).attempts for job_id in job_ids] == [1, 1, 1]

    def test_what_is_not_due_cannot_be_claimed(self, clock):
        job_id = add(due_at=clock.now() + timedelta(seconds=30))
        assert outbox.claim(job_id) is None

    def test_nor_what_is_done_or_given_up(self):
        for key, end in (("effect:1", outbox.finish), ("effect:2", lambda mine: outbox.give_up(mine, "x"))):
            job_id = add(key)
            claimed = outbox.claim(job_id)
            assert claimed
            end(claimed)
            assert outbox.claim(job_id) is None

    def test_nor_what_does_not_exist(self):
        assert outbox.claim(4711) is None


class TestLease:
    def test_when_it_ends_another_takes_over(self, clock):
        job_id = add()
        assert outbox.claim(job_id)
        clock.travel(seconds=59)
        assert outbox.claim(job_id) is None
        clock.travel(seconds=2)
        assert outbox.due_ids(10) == [job_id]
        second = outbox.claim(job_id)
        assert second
        assert second.attempts == 2

    def test_it_is_as_long_as_the_kind_of_work_says(self, clock):
        job_id = add()
        assert outbox.claim(job_id, {"test": timedelta(seconds=10), "other": timedelta(seconds=5)})
        clock.travel(seconds=9)
        assert outbox.claim(job_id) is None
        clock.travel(seconds=2)
        assert outbox.claim(job_id)

    def test_who_comes_back_after_its_end_changes_nothing(self, clock):
        job_id = add()
        late = outbox.claim(job_id)
        clock.travel(seconds=61)
        current = outbox.claim(job_id)
        assert late
        assert current
        outbox.finish(late)
        outbox.delay(late, 600, "late")
        assert not outbox.give_up(late, "late")
        assert (row(job_id).status, row(job_id).lease) == (JobStatus.PENDING, current.lease)
        outbox.finish(current)
        assert row(job_id).status == JobStatus.DONE


class TestEnding:
    def test_finished_work_keeps_its_row(self, clock):
        job_id = add()
        claimed = outbox.claim(job_id)
        assert claimed
        outbox.finish(claimed)
        done = row(job_id)
        assert (done.status, done.lease, done.lease_until) == (JobStatus.DONE, None, None)
        assert done.done_at is not None

    def test_delayed_work_comes_back_in_time(self, clock):
        job_id = add()
        claimed = outbox.claim(job_id)
        assert claimed
        outbox.delay(claimed, 30, "not yet" * 100)
        assert outbox.due_ids(10) == []
        clock.travel(seconds=31)
        assert outbox.due_ids(10) == [job_id]
        assert row(job_id).last_error == ("not yet" * 100)[:200]

    def test_what_is_given_up_is_dead_and_says_why(self):
        job_id = add()
        claimed = outbox.claim(job_id)
        assert claimed
        assert outbox.give_up(claimed, "why")
        assert (row(job_id).status, row(job_id).last_error) == (JobStatus.DEAD, "why")

    def test_what_somebody_else_has_done_is_done(self):
        job_id = add()
        with transaction():
            outbox.settle_effect("effect:1")
        assert row(job_id).status == JobStatus.DONE
        assert outbox.due_ids(10) == []

    def test_the_worker_in_the_middle_of_it_does_not_bring_it_back(self):
        job_id = add()
        claimed = outbox.claim(job_id)
        assert claimed
        with transaction():
            outbox.settle_effect("effect:1")
        outbox.delay(claimed, 5, "x")
        assert row(job_id).status == JobStatus.DONE


class TestHastening:
    def test_what_waits_becomes_due(self, clock):
        job_id = add(due_at=clock.now() + timedelta(hours=1))
        outbox.hasten("effect:1")
        assert outbox.due_ids(10) == [job_id]

    def test_or_due_a_little_later(self, clock):
        job_id = add(due_at=clock.now() + timedelta(hours=1))
        outbox.hasten("effect:1", after_seconds=5)
        assert outbox.due_ids(10) == []
        clock.travel(seconds=6)
        assert outbox.due_ids(10) == [job_id]

    def test_what_is_done_stays_done(self):
        job_id = add()
        claimed = outbox.claim(job_id)
        assert claimed
        outbox.finish(claimed)
        outbox.hasten("effect:1")
        assert row(job_id).status == JobStatus.DONE
