"""What the worker does is done once, again when it failed, and never lost."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal import jobs
from portal.cases.models import Case, CaseKind
from portal.delivery.transport import FolderMailer, MailNotSent
from portal.job_kinds import KINDS, Kind, NotYet
from portal.kit.db import db, transaction
from portal.outbox import services as outbox
from portal.outbox.models import Job, JobStatus

pytestmark = pytest.mark.database


class Deeds:
    """A handler that remembers what it did, and fails as told."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failures: dict[str, Exception] = {}

    def __call__(self, claim, _tools) -> None:
        if claim.subject_id in self.failures:
            raise self.failures[claim.subject_id]
        self.done.append(claim.subject_id)


@pytest.fixture
def deeds(app, clock, monkeypatch):
    """Give the kind `test` a handler, and be inside an application context."""
    handler = Deeds()
    monkeypatch.setitem(KINDS, "test", Kind(handler, (10, 60), timedelta(hours=24)))
    with app.app_context():
        yield handler


def add(*subjects, kind="test"):
    with transaction():
        for subject in subjects:
            outbox.add(kind, f"{kind}:{subject}", subject)


def statuses():
    with db.engine.connect() as connection:
        return dict(connection.execute(sa.select(Job.subject_id, Job.status)).all())


def test_work_that_is_due_is_done_once(deeds, tools):
    add("a", "b")
    assert jobs.run_due(tools) == 2
    assert jobs.run_due(tools) == 0
    assert deeds.done == ["a", "b"]


def test_two_workers_do_each_once(deeds, tools, app):
    names = [f"job-{number}" for number in range(12)]
    add(*names)
    start = threading.Barrier(4)

    def work() -> None:
        start.wait(10)
        with app.app_context():
            jobs.run_due(tools)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(deeds.done) == sorted(names)


def test_mails_and_long_work_come_last_and_only_for_some_seconds(deeds, tools, clock, monkeypatch):
    """A mail server that lets everybody wait does not keep licenses, closings and refunds waiting."""

    def slow(claim, _tools) -> None:
        deeds.done.append(claim.subject_id)
        clock.travel(seconds=3)

    monkeypatch.setitem(KINDS, "slow", Kind(slow, (10,), can_wait=True))
    add("mail-1", "mail-2", "mail-3", kind="slow")
    clock.travel(seconds=1)
    add("license")
    assert jobs.run_due(tools) == 3
    assert deeds.done == ["license", "mail-1", "mail-2"]
    assert jobs.run_due(tools) == 1


def test_what_cannot_be_done_yet_waits_longer_each_time(deeds, tools, clock):
    deeds.failures["a"] = NotYet("the key is away")
    add("a")
    for pause in (10, 60, 60):
        assert jobs.run_due(tools) == 0
        waits = db.session.execute(sa.select(Job.due_at, Job.last_error)).one()
        assert abs(waits.due_at - clock.now() - timedelta(seconds=pause)) < timedelta(seconds=2)
        assert waits.last_error == "the key is away"
        db.session.rollback()
        clock.travel(seconds=pause - 3)
        assert jobs.run_due(tools) == 0
        clock.travel(seconds=4)
    deeds.failures.clear()
    assert jobs.run_due(tools) == 1
    assert deeds.done == ["a"]


def test_one_that_fails_does_not_stop_the_others(deeds, tools):
    deeds.failures["a"] = ZeroDivisionError("a secret in the text")
    add("a", "b")
    assert jobs.run_due(tools) == 1
    assert deeds.done == ["b"]
    assert (
        db.session.scalars(sa.select(Job.last_error).where(Job.subject_id == "a")).one()
        == "ZeroDivisionError"
    )


def test_one_that_fails_in_the_middle_of_a_transaction_leaves_no_trace_of_it(deeds, tools, monkeypatch):
    def half_done(_claim, _tools) -> None:
        with transaction():
            outbox.add("test", "half", "half")
            raise ZeroDivisionError

    monkeypatch.setitem(KINDS, "test", Kind(half_done, (10,)))
    add("a")
    assert jobs.run_due(tools) == 0
    assert statuses() == {"a": JobStatus.PENDING}


def test_one_without_a_handler_does_not_stop_the_others(deeds, tools, clock):
    add("from-tomorrow", kind="unheard_of")
    clock.travel(seconds=1)
    add("a")
    assert jobs.run_due(tools) == 1
    assert deeds.done == ["a"]
    assert statuses()["from-tomorrow"] == JobStatus.PENDING


def test_after_eight_failures_it_is_a_case(deeds, tools, clock, count):
    deeds.failures["a"] = ZeroDivisionError()
    add("a")
    for _ in range(8):
        assert count(Case) == 0
        jobs.run_due(tools)
        clock.travel(seconds=61)
    assert statuses() == {"a": JobStatus.DEAD}
    assert count(Case, Case.kind == CaseKind.DEAD_LETTER, Case.dedup_key == "dead_letter:test:a") == 1
    assert jobs.run_due(tools) == 0


def test_what_is_not_done_within_its_time_is_a_case(deeds, tools, clock, count):
    deeds.failures["a"] = NotYet("no mail server")
    add("a")
    jobs.run_due(tools)
    clock.travel(hours=23, minutes=59)
    jobs.run_due(tools)
    assert (count(Case), statuses()) == (0, {"a": JobStatus.PENDING})
    clock.travel(minutes=2)
    jobs.run_due(tools)
    assert (count(Case), statuses()) == (1, {"a": JobStatus.DEAD})


def test_what_has_no_time_is_tried_for_ever(deeds, tools, clock, monkeypatch, count):
    monkeypatch.setitem(KINDS, "test", Kind(deeds, (10,)))
    deeds.failures["a"] = NotYet("the key is away")
    add("a")
    for _ in range(12):
        jobs.run_due(tools)
        clock.travel(days=2)
    assert (count(Case), statuses()) == (0, {"a": JobStatus.PENDING})


def test_a_failure_after_long_waiting_never_ends_what_has_no_time(deeds, tools, clock, monkeypatch, count):
    """A license waits for its key for hours; then the database is away for a moment."""
    monkeypatch.setitem(KINDS, "test", Kind(deeds, (10,)))
    add("a")
    deeds.failures["a"] = NotYet("the key is away")
    for _ in range(12):
        jobs.run_due(tools)
        clock.travel(seconds=11)
    deeds.failures["a"] = RuntimeError("the database is away")
    jobs.run_due(tools)
    assert (statuses(), count(Case)) == ({"a": JobStatus.PENDING}, 1)
    del deeds.failures["a"]
    clock.travel(seconds=11)
    assert jobs.run_due(tools) == 1
    assert deeds.done == ["a"]


def test_who_lost_the_lease_opens_no_case(deeds, tools, clock, count, monkeypatch):
    def slow(_claim, _tools) -> None:
        clock.travel(hours=25)
        (job_id,) = outbox.due_ids(1)
        assert outbox.claim(job_id), "another worker takes it over"
        raise NotYet("too late")

    monkeypatch.setitem(KINDS, "test", Kind(slow, (10,), timedelta(hours=24)))
    add("a")
    jobs.run_due(tools)
    assert (count(Case), statuses()) == (0, {"a": JobStatus.PENDING})


def test_a_worker_that_died_is_followed_by_another(deeds, tools, clock):
    add("a")
    (job_id,) = outbox.due_ids(1)
    assert outbox.claim(job_id)  # and then it died
    assert jobs.run_due(tools) == 0
    clock.travel(seconds=61)
    assert jobs.run_due(tools) == 1
    assert deeds.done == ["a"]


def test_a_license_that_a_dead_worker_was_to_sign_waits_ten_seconds(deeds, tools, clock, monkeypatch):
    monkeypatch.setitem(KINDS, "issue_license", replace(KINDS["issue_license"], do=deeds))
    add("a", kind="issue_license")
    with monkeypatch.context() as death:
        death.setattr(jobs, "_run", lambda *_: False)
        jobs.run_due(tools)
    assert jobs.run_due(tools) == 0
    clock.travel(seconds=11)
    assert jobs.run_due(tools) == 1
    assert deeds.done == ["a"]


def test_a_sweep_says_what_it_did(deeds, tools):
    deeds.failures["b"] = NotYet("later")
    add("a", "b")
    swept = jobs.sweep(tools)
    # The other one done is the hour's look at complaints.
    assert (swept.jobs_done, swept.jobs_waiting, swept.orders_ending) == (2, 1, 0)


class TestMailsOfTheAccount:
    @pytest.fixture
    def asked(self, clock, shop):
        """Somebody asked for a new password."""
        shop.buyer(email="forgetful@example.com")
        visitor = shop.app.test_client()
        page = visitor.get("/forgot").get_data(as_text=True)
        token = page.split('name="csrf_token" value="')[1].split('"')[0]
        answer = visitor.post("/forgot", data={"email": "forgetful@example.com", "csrf_token": token})
        assert answer.status_code < 400

    def test_a_link_for_a_new_password_arrives(self, asked, shop, mails):
        shop.work()
        (mail,) = mails()
        assert "/reset/" in mail.read_text(encoding="utf-8")

    def test_it_arrives_after_hours_without_a_mail_server_too(self, asked, shop, clock, mails, monkeypatch):
        def fail(*_args: object) -> None:
            raise MailNotSent("down")

        with monkeypatch.context() as broken:
            broken.setattr(FolderMailer, "send", fail)
            for _ in range(6):
                shop.work()
                clock.travel(seconds=901)
        shop.work()
        assert len(mails()) == 1
