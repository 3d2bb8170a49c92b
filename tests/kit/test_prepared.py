"""Statements past session and mapper: the same values, the same errors, and a lost connection is not met twice."""

import pytest
import sqlalchemy as sa

from portal.audit import services as audit
from portal.audit.models import AuditRow
from portal.kit import clock
from portal.kit.db import add_row, changed_one, db, read, run, table_of, transaction, transactional
from portal.outbox import services as outbox
from portal.outbox.models import Job, JobStatus

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("inside")]

_rows = table_of(AuditRow).c
_WRITTEN = sa.select(_rows.at, _rows.subject, _rows.facts).where(
    _rows.at <= sa.bindparam("now"), _rows.action.in_([sa.literal("test.a"), sa.literal("test.b")])
)

_FINISH = sa.update(table_of(Job)).where(table_of(Job).c.id == sa.bindparam("job"))


def add_job(effect_key):
    return add_row(
        Job, kind="test", effect_key=effect_key, subject_id="1", due_at=clock.now(), created_at=clock.now()
    )


def add_jobs(*effect_keys):
    return [add_job(effect_key) for effect_key in effect_keys]


@pytest.fixture
def inside(app):
    """Be inside an application context."""
    with app.app_context():
        yield


def test_values_go_in_and_come_out_as_sqlalchemy_converts_them():
    with transaction():
        audit.record("test.a", "test:50% \\ 'quoted'", audit.SYSTEM, count=3)
        audit.record("test.c", "test:other", audit.SYSTEM)
    values = {"now": clock.now()}
    (found,) = read(_WRITTEN, values)
    assert found.subject == "test:50% \\ 'quoted'"
    assert found == tuple(db.session.execute(_WRITTEN, values).one())


def test_inside_a_transaction_it_sees_what_that_has_written():
    with transaction():
        audit.record("test.b", "test:b", audit.SYSTEM)
        assert len(read(_WRITTEN, {"now": clock.now()})) == 1


def test_what_the_database_refuses_is_named_as_everywhere():
    with pytest.raises(
        sa.exc.OperationalError if db.engine.dialect.name == "sqlite" else sa.exc.ProgrammingError
    ):
        read(sa.select(sa.table("nowhere", sa.column("x")).c.x), {})


def test_a_lost_connection_is_an_error_once():
    if db.engine.dialect.name == "sqlite":
        pytest.skip("no connection to lose")
    number = sa.select(sa.func.connection_id())
    db.session.remove()
    db.engine.dispose()
    with db.engine.connect() as killer:
        # Not to be given back, so that the dead one comes next.
        killer.detach()
        lost = read(number, {})[0][0]
        killer.execute(sa.text(f"KILL {int(lost)}"))
    with pytest.raises(sa.exc.OperationalError):
        read(number, {})
    assert read(number, {})[0][0] != lost


def test_a_database_that_lets_nobody_in_is_named_as_everywhere():
    def away(dialect, *_facts):
        raise dialect.dbapi.OperationalError("away")

    db.session.remove()
    db.engine.dispose()
    sa.event.listen(db.engine, "do_connect", away)
    try:
        with pytest.raises(sa.exc.OperationalError):
            read(_WRITTEN, {"now": clock.now()})
    finally:
        sa.event.remove(db.engine, "do_connect", away)


class TestWrites:
    def test_an_insert_gives_its_key_and_columns_left_out_have_their_defaults(self):
        with transaction():
            first, second = add_jobs("a", "b")
        assert [db.session.get(Job, key).effect_key for key in (first, second)] == ["a", "b"]
        assert (db.session.get(Job, first).status, db.session.get(Job, first).attempts) == ("pending", 0)

    def test_an_update_counts_the_rows_it_found_changed_or_not(self):
        with transaction():
            key = add_job("a")
            same = {"status": JobStatus.PENDING.value}
            assert changed_one(run(_FINISH, {"job": key, **same}))
            assert not changed_one(run(_FINISH, {"job": key + 1, **same}))

    def test_a_value_that_was_forgotten_is_no_null(self):
        with pytest.raises(sa.exc.InvalidRequestError), transaction():
            run(_FINISH, {"status": JobStatus.DONE.value})

    def test_a_default_that_is_no_constant_is_refused(self):
        table = sa.Table(
            "moments", sa.MetaData(), sa.Column("at", sa.DateTime, default=clock.now), sa.Column("x")
        )
        with pytest.raises(sa.exc.InvalidRequestError), transaction():
            run(sa.insert(table), {"x": 1})

    def test_a_second_row_with_the_same_key_is_refused_by_name_and_all_is_rolled_back(self):
        with transaction():
            add_job("a")
        with pytest.raises(sa.exc.IntegrityError) as refused, transaction():
            add_jobs("b", "a")
        assert isinstance(refused.value.orig, db.engine.dialect.dbapi.IntegrityError)
        assert not outbox.is_recorded("b")

    def test_a_connection_lost_in_the_middle_is_one_more_attempt(self):
        if db.engine.dialect.name == "sqlite":
            pytest.skip("no connection to lose")
        lost: list[int] = []

        @transactional
        def work():
            add_job("a")
            if not lost:
                lost.append(run(sa.select(sa.func.connection_id()), {}).one()[0])
                with db.engine.connect() as killer:
                    killer.execute(sa.text(f"KILL {int(lost[0])}"))
            add_job("b")

        work()
        assert outbox.is_recorded("a")
        assert outbox.is_recorded("b")
