"""Long work goes on behind the last step that counted, whoever died, and does no step twice."""

from typing import Any

import pytest
import sqlalchemy as sa

from portal import jobs
from portal.audit.models import AuditRow
from portal.batches import queries, services
from portal.batches.models import Batch, BatchStatus
from portal.batches.services import Step
from portal.job_kinds import STEPS
from portal.kit.db import ChangedMeanwhile, db, transaction
from portal.kit.errors import NotFound
from portal.outbox.models import Job, JobStatus
from tests.factories.learners import make_learner

pytestmark = pytest.mark.database
LINES = ["one", "two", "bad", "four", "five"]


def two_lines(batch: Batch, _tools: Any) -> Step:
    """Write the next two lines in capitals; `bad` is a problem."""
    lines = batch.input.split("\n")
    end = min(batch.cursor + 2, len(lines))
    now = range(batch.cursor, end)
    return Step(
        done=len(now),
        cursor=end,
        is_last=end == len(lines),
        text="".join(f"{lines[item].upper()}\n" for item in now if lines[item] != "bad"),
        problems={item: "is bad" for item in now if lines[item] == "bad"},
    )


@pytest.fixture(autouse=True)
def inside(app, clock):
    """Be inside an application context, by a clock that can be moved."""
    with app.app_context():
        yield


@pytest.fixture
def owner():
    """Whoever watches."""
    return make_learner()


@pytest.fixture
def batch(owner, monkeypatch):
    """A batch of five lines, its kind known to the worker."""
    monkeypatch.setitem(STEPS, "capitals", two_lines)
    with transaction():
        public_id = services.begin_batch("capitals", owner.id, "staff:x", {}, "\n".join(LINES), len(LINES))
    return queries.batch_of(public_id)


def look(batch: Batch) -> Batch:
    return queries.batch_of(batch.public_id)


def result(batch: Batch) -> str:
    return "".join(queries.result_of(batch.id))


class TestRunning:
    def test_the_worker_brings_it_to_its_end(self, batch, tools):
        jobs.run_due(tools)
        ended = look(batch)
        assert (ended.status, ended.done, ended.total) == (BatchStatus.DONE, 5, 5)
        assert ended.started_at
        assert ended.ended_at
        assert result(batch) == "ONE\nTWO\nFOUR\nFIVE\n"
        assert [(found.item, found.text) for found in queries.problems_of(batch.id)] == [(2, "is bad")]
        assert queries.problem_count(batch.id) == 1
        assert db.session.scalars(sa.select(Job.status)).all() == [JobStatus.DONE]

    def test_after_a_step_it_says_how_far_it_is(self, batch):
        assert services.advance(batch.id, STEPS, None)
        assert (look(batch).status, look(batch).done) == (BatchStatus.RUNNING, 2)

    def test_a_step_whose_worker_died_before_the_commit_is_done_again(self, batch):
        def die(batch: Batch, _tools: Any) -> Step:
            two_lines(batch, None)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            services.advance(batch.id, {"capitals": die}, None)
        assert (look(batch).done, result(batch)) == (0, "")
        while services.advance(batch.id, STEPS, None):
            pass
        assert result(batch) == "ONE\nTWO\nFOUR\nFIVE\n"

    def test_a_step_that_another_did_meanwhile_counts_for_nothing(self, batch):
        def overtaken(mine: Batch, tools: Any) -> Step:
            step = two_lines(mine, tools)
            db.session.execute(
                sa.update(Batch)
                .where(Batch.id == mine.id)
                .values(step=Batch.step + 1)
                .execution_options(synchronize_session=False)
            )
            return step

        with pytest.raises(ChangedMeanwhile):
            services.advance(batch.id, {"capitals": overtaken}, None)
        assert (look(batch).done, result(batch)) == (0, "")

    def test_it_gives_its_worker_back_after_a_while_and_goes_on_later(self, batch, tools, clock, monkeypatch):
        def slow(batch: Batch, _tools: Any) -> Step:
            clock.travel(seconds=15)
            return two_lines(batch, None)

        monkeypatch.setitem(STEPS, "capitals", slow)
        jobs.run_due(tools)
        assert (look(batch).status, look(batch).done) == (BatchStatus.RUNNING, 4)
        clock.travel(seconds=2)
        jobs.run_due(tools)
        assert look(batch).status == BatchStatus.DONE

    def test_a_step_that_fails_three_times_ends_it(self, batch, tools, clock, monkeypatch):
        def broken(batch: Batch, _tools: Any) -> Step:
            raise ZeroDivisionError

        services.advance(batch.id, STEPS, None)
        monkeypatch.setitem(STEPS, "capitals", broken)
        for expected in (BatchStatus.RUNNING, BatchStatus.RUNNING, BatchStatus.FAILED, BatchStatus.FAILED):
            jobs.run_due(tools)
            assert look(batch).status == expected
            clock.travel(seconds=2)
        assert look(batch).last_error == "ZeroDivisionError"
        assert result(batch) == "ONE\nTWO\n"


class TestCancelling:
    def test_it_stops_before_the_next_step_and_keeps_what_was_done(self, batch, tools):
        services.advance(batch.id, STEPS, None)
        assert services.cancel_batch(batch.public_id, "staff:x")
        jobs.run_due(tools)
        assert (look(batch).status, look(batch).done) == (BatchStatus.CANCELLED, 2)
        assert result(batch) == "ONE\nTWO\n"

    def test_it_is_asked_once_and_on_record(self, batch):
        assert services.cancel_batch(batch.public_id, "staff:x")
        assert not services.cancel_batch(batch.public_id, "staff:x")
        actions = db.session.scalars(sa.select(AuditRow.action).order_by(AuditRow.id)).all()
        assert actions == ["batch.begun", "batch.cancelled"]

    def test_what_has_ended_cannot_be_cancelled(self, batch, tools):
        jobs.run_due(tools)
        assert not services.cancel_batch(batch.public_id, "staff:x")
        assert look(batch).status == BatchStatus.DONE


class TestReading:
    def test_anothers_is_like_one_that_does_not_exist(self, batch, owner):
        assert queries.batch_of(batch.public_id, owner.id).id == batch.id
        with pytest.raises(NotFound):
            queries.batch_of(batch.public_id, make_learner().id)
        with pytest.raises(NotFound):
            queries.batch_of("nosuchbatch")

    def test_the_newest_come_first(self, batch, owner):
        with transaction():
            newer = services.begin_batch("capitals", owner.id, "staff:x", {}, "", 0)
        assert [found.public_id for found in queries.recent_batches(owner.id)] == [newer, batch.public_id]
        assert queries.recent_batches(make_learner().id) == []
