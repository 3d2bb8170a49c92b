"""Reads past session and mapper: the same values, the same errors, and a lost connection is not met twice."""

import pytest
import sqlalchemy as sa

from portal.audit import services as audit
from portal.audit.models import AuditRow
from portal.kit import clock
from portal.kit.db import db, read, table_of, transaction

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("inside")]

_rows = table_of(AuditRow).c
_WRITTEN = sa.select(_rows.at, _rows.subject, _rows.facts).where(
    _rows.at <= sa.bindparam("now"), _rows.action.in_([sa.literal("test.a"), sa.literal("test.b")])
)


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
