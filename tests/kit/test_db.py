"""All or nothing, and the whole again after a failure that passes."""

import threading
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta, timezone

import click
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from portal.app import create_app
from portal.audit import services as audit
from portal.audit.models import AuditRow
from portal.kit import clock
from portal.kit import db as kit_db
from portal.kit.db import (
    ChangedMeanwhile,
    Patience,
    changed_one,
    db,
    engine_options,
    forbid_open_transaction,
    table_of,
    transaction,
    transactional,
)
from portal.ledger.services import SALES, post_payment
from portal.outbox import services as outbox
from portal.outbox.models import Job

pytestmark = pytest.mark.database


@pytest.fixture
def inside(app):
    """Be inside an application context."""
    with app.app_context():
        yield


@pytest.fixture
def slept():
    """Wait by a clock that does not."""
    pauses: list[float] = []
    with clock.replaced(lambda: datetime.now(UTC), pauses.append):
        yield pauses


def write(name="a"):
    audit.record("test.written", f"test:{name}", audit.SYSTEM)


def write_and_fail():
    write()
    raise KeyError


@pytest.fixture
def written(app):
    """List what a transaction of somebody else's sees."""

    def names() -> list[str]:
        with app.app_context(), db.engine.connect() as connection:
            wanted = sa.select(AuditRow.subject).where(AuditRow.action == "test.written")
            return list(connection.scalars(wanted.order_by(AuditRow.id)))

    return names


def passing(number, text="later"):
    return OperationalError("SELECT 1", {}, Exception(number, text))


LOCKED = OperationalError("SELECT 1", {}, Exception("database is locked"))
TWICE = IntegrityError("INSERT", {}, Exception(1062, "Duplicate entry"))


class Failing:
    """A service that writes, then fails as told, and succeeds when nothing more is told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        write(f"call-{self.calls}")
        if self.failures:
            raise self.failures.pop(0)
        return "done"


@pytest.mark.usefixtures("inside")
class TestTransaction:
    def test_it_commits_at_its_end_and_not_before(self, written):
        with transaction():
            write()
            if db.engine.dialect.name != "sqlite":
                assert written() == []
        assert written() == ["test:a"]

    def test_an_error_rolls_all_of_it_back(self, written):
        with pytest.raises(KeyError), transaction():
            write_and_fail()
        assert written() == []

    def test_a_commit_that_fails_leaves_nothing(self, written, monkeypatch):
        def fail(_connection):
            raise db.engine.dialect.dbapi.DataError("not now")

        with monkeypatch.context() as broken:
            broken.setattr(db.engine.dialect, "do_commit", fail)
            with pytest.raises(sa.exc.DataError), transaction():
                write()
        with transaction():
            write("b")
        assert written() == ["test:b"]

    def test_one_inside_another_commits_with_the_outer(self, written):
        @transactional
        def outer() -> None:
            with transaction():
                write("inner")
            write_and_fail()

        with pytest.raises(KeyError):
            outer()
        assert written() == []

    def test_after_a_failure_the_next_one_works(self, written):
        with suppress(KeyError), transaction():
            raise KeyError
        with transaction():
            write("next")
        assert written() == ["test:next"]

    def test_a_read_before_it_does_not_make_it_work_on_an_old_snapshot(self, app, written):
        assert db.session.scalar(sa.select(sa.func.count()).select_from(AuditRow)) is not None

        def write_meanwhile() -> None:
            with app.app_context(), transaction():
                write("meanwhile")

        other = threading.Thread(target=write_meanwhile)
        other.start()
        other.join()
        with transaction():
            seen = db.session.scalars(
                sa.select(AuditRow.subject).where(AuditRow.action == "test.written")
            ).all()
            write("after")
        assert seen == ["test:meanwhile"]
        assert written() == ["test:meanwhile", "test:after"]


@pytest.mark.usefixtures("inside")
class TestTransactional:
    @pytest.mark.parametrize(
        "failure",
        [passing(1213), passing(1205), passing(2006), passing(2013), LOCKED, TWICE, ChangedMeanwhile("x")],
        ids=["deadlock", "lock wait", "server gone", "connection lost", "locked", "unique key", "changed"],
    )
    def test_a_passing_failure_runs_the_whole_again(self, failure, written, slept):
        service = Failing(failure)
        assert transactional(service)() == "done"
        assert written() == ["test:call-2"]
        assert len(slept) == 1
        assert 0.02 <= slept[0] <= 0.2

    def test_the_third_failure_is_the_callers(self, written, slept):
        service = Failing(*[passing(1213)] * 3)
        with pytest.raises(OperationalError):
            transactional(service)()
        assert (service.calls, len(slept), written()) == (3, 2, [])

    @pytest.mark.parametrize(
        "failure",
        [passing(1054, "Unknown column"), passing("no such table: x"), KeyError("x")],
        ids=["unknown column", "no such table", "our own"],
    )
    def test_a_mistake_is_not_tried_again(self, failure, written, slept):
        service = Failing(failure)
        with pytest.raises(type(failure)):
            transactional(service)()
        assert (service.calls, slept, written()) == (1, [], [])

    def test_inside_another_only_the_outermost_repeats(self, written, slept):
        inner = Failing(passing(1213))

        @transactional
        def outer() -> str:
            write("outer")
            return transactional(inner)()

        assert outer() == "done"
        assert written() == ["test:outer", "test:call-2"]
        assert len(slept) == 1

    def test_who_waited_for_a_lock_in_vain_is_not_made_to_wait_again(self, monkeypatch, slept):
        moments = iter([100.0, 100.0 + kit_db._LOCK_WAIT_SECONDS])
        monkeypatch.setattr("portal.kit.db.time.monotonic", lambda: next(moments))
        service = Failing(passing(1205))
        with pytest.raises(OperationalError):
            transactional(service)()
        assert (service.calls, slept) == (1, [])

    def test_two_who_cross_each_other_both_get_through(self, app, slept):
        with transaction():
            for name in ("a", "b"):
                outbox.add("test", f"cross:{name}", name)
        both_hold_one = threading.Barrier(2)
        failures: list[BaseException] = []

        def count_up(names: list[str]) -> None:
            @transactional
            def run() -> None:
                for name in names:
                    raised = sa.update(Job).where(Job.effect_key == f"cross:{name}")
                    assert changed_one(db.session.execute(raised.values(attempts=Job.attempts + 1)))
                    with suppress(threading.BrokenBarrierError):
                        both_hold_one.wait(0.2)

            with app.app_context():
                try:
                    run()
                except BaseException as error:
                    failures.append(error)

        threads = [threading.Thread(target=count_up, args=(names,)) for names in (["a", "b"], ["b", "a"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert list(db.session.scalars(sa.select(Job.attempts))) == [2, 2]
        assert slept or db.engine.dialect.name == "sqlite", "nobody was a deadlock's victim"


@pytest.mark.usefixtures("inside")
class TestForbidOpenTransaction:
    def test_it_refuses_inside_a_transaction(self, written):
        @transactional
        def call_out() -> None:
            write()
            forbid_open_transaction()

        with pytest.raises(RuntimeError, match="network call"):
            call_out()
        assert written() == []

    def test_it_gives_the_connection_of_a_read_back(self):
        db.session.scalar(sa.select(sa.func.count()).select_from(Job))
        assert db.session().in_transaction()
        forbid_open_transaction()
        assert not db.session().in_transaction()


@pytest.mark.usefixtures("inside")
class TestColumns:
    def test_a_moment_comes_back_in_utc_to_the_microsecond(self):
        beijing = timezone(timedelta(hours=8))
        due = datetime(2026, 11, 21, 7, 59, 59, 123_456, tzinfo=beijing)
        with transaction():
            outbox.add("test", "moment", "1", due_at=due)
        found = db.session.scalars(sa.select(Job.due_at)).one()
        assert found == due
        assert found.tzinfo is UTC

    def test_identifiers_that_differ_in_case_are_two(self):
        with transaction():
            outbox.add("test", "save50", "1")
            outbox.add("test", "SAVE50", "1")
        found = sa.select(sa.func.count()).select_from(Job).where(Job.effect_key == "save50")
        assert db.session.scalar(found) == 1

    def test_an_enumeration_is_kept_by_the_database(self):
        with transaction():
            outbox.add("test", "odd", "1")
        with pytest.raises(DBAPIError), transaction():
            db.session.execute(sa.update(Job).values(status="odd"))

    def test_a_foreign_key_is_kept_by_the_database(self):
        with pytest.raises(IntegrityError), transaction():
            post_payment(1, "wechat_pay", SALES, 4711, 9900, "CNY")

    def test_what_is_too_long_is_refused_and_not_cut(self):
        if db.engine.dialect.name == "sqlite":
            return  # it has no lengths
        with pytest.raises(DBAPIError), transaction():
            outbox.add("test", "x" * 97, "1")


@pytest.mark.usefixtures("inside")
def test_every_connection_is_strict():
    if db.engine.dialect.name == "sqlite":
        assert db.session.scalar(sa.text("PRAGMA foreign_keys")) == 1
        assert db.session.scalar(sa.text("PRAGMA journal_mode")) == "wal"
        return
    row = db.session.execute(
        sa.text("SELECT @@SESSION.sql_mode, @@SESSION.time_zone, @@SESSION.innodb_lock_wait_timeout")
    ).one()
    assert "STRICT_TRANS_TABLES" in row[0]
    assert tuple(row[1:]) == ("+00:00", kit_db._LOCK_WAIT_SECONDS)
    assert 2 * kit_db._LOCK_WAIT_SECONDS <= 4, "two waits in a row outlast the four seconds of F12"
    assert db.session.connection().get_isolation_level() == "READ COMMITTED"


def test_a_connection_that_died_while_it_was_idle_is_replaced_before_its_use(inside, monkeypatch):
    if db.engine.dialect.name == "sqlite":
        pytest.skip("no connection to lose")
    monkeypatch.setattr("portal.kit.db._TRUSTED_SECONDS", 0.0)
    # The pool shall have no other connection to give, nor keep the dead one for the next test.
    db.session.remove()
    db.engine.dispose()
    number = sa.text("SELECT CONNECTION_ID()")
    with db.engine.connect() as killer:
        with db.engine.connect() as idle:
            died = idle.scalar(number)
        killer.execute(sa.text(f"KILL {int(died)}"))
        with db.engine.connect() as next_one:
            assert next_one.scalar(number) != died


def test_a_session_whose_connection_died_in_the_middle_goes_on_with_another(inside):
    if db.engine.dialect.name == "sqlite":
        pytest.skip("no connection to lose")
    with pytest.raises(OperationalError):
        db.session.execute(sa.text("KILL CONNECTION_ID()"))
    # Whether the first or the second statement notices that the connection is gone is the server's matter.
    with pytest.raises(sa.exc.SQLAlchemyError):
        db.session.execute(sa.text("SELECT 1"))
    db.session.rollback()
    assert db.session.scalar(sa.text("SELECT 1")) == 1


def test_what_a_connection_left_open_is_rolled_back_before_the_next_use(inside, written):
    if db.engine.dialect.name == "sqlite":
        pytest.skip("its own pool")
    connection = db.engine.raw_connection()
    connection.driver_connection.autocommit(False)
    connection.cursor().execute(
        "INSERT INTO audit_rows (at, actor, action, subject, facts)"
        " VALUES (NOW(), 'x', 'test.written', 'test:left', '{}')"
    )
    connection.close()
    write_nothing = db.engine.connect()
    write_nothing.commit()
    write_nothing.close()
    assert written() == []


def test_what_was_taken_back_does_not_come_with_what_follows_on_the_same_connection(inside, written):
    rows = sa.insert(table_of(AuditRow)).values(at=clock.now(), actor="x", action="test.written", facts="{}")
    with db.engine.connect().execution_options(portal_write=True) as connection:
        connection.execute(rows.values(subject="test:back"))
        connection.rollback()
        connection.execute(rows.values(subject="test:kept"))
        connection.commit()
    assert written() == ["test:kept"]


class TestPatience:
    """A server that stands still is seen by nothing but a wait that ends."""

    def test_the_web_gives_up_before_wechat_does_and_not_before_a_lock_wait(self):
        waits = engine_options("mysql+mysqldb://h/portal", Patience.WEB)["connect_args"]
        assert waits["read_timeout"] + waits["connect_timeout"] < 5
        assert waits["read_timeout"] > kit_db._LOCK_WAIT_SECONDS

    @pytest.mark.parametrize("is_command", [False, True])
    def test_a_command_waits_for_long_work_and_the_web_does_not(self, tools, is_command):
        url = "mysql+mysqldb://nobody@127.0.0.1:1/portal"
        settings = tools.settings.model_copy(update={"DATABASE_URL": url})
        with click.Context(click.Command("migrate")) if is_command else nullcontext():
            made = create_app(settings)
        waits = made.config["SQLALCHEMY_ENGINE_OPTIONS"]["connect_args"]
        assert waits["read_timeout"] == (Patience.COMMAND if is_command else Patience.WEB)
