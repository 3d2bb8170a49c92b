"""The migrations make the database that the models speak of, and can be taken back."""

import functools
import io
import os
import random
import re
from contextlib import redirect_stdout

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from flask_migrate import downgrade, upgrade

from portal.app import create_app
from portal.config import ROOT, load_settings
from portal.kit.db import db, transaction
from portal.kit.resuming import Resumption
from tests.support import databases
from tests.support.dying import killed_at
from tests.support.processes import portal_environment
from tests.support.seeds import seed_of

pytestmark = pytest.mark.database
SCRIPTS = ScriptDirectory(str(ROOT / "migrations"))
REVISIONS = list(reversed(list(SCRIPTS.walk_revisions())))


@pytest.fixture
def empty_app(database_server, session_sandbox, tmp_path):
    """A portal on an empty database of its own."""
    url = databases.new_database(database_server)
    app = create_app(load_settings(portal_environment(tmp_path / "var", url, session_sandbox)))
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()
    databases.drop_database(database_server, url)


@pytest.fixture
def schema(session_app):
    """The schema that the migrations have made."""
    with session_app.app_context():
        yield sa.inspect(db.engine)


def structure() -> set[tuple[str, str]]:
    """Return the columns and indexes of all tables, the conditions they check, and the triggers."""
    inspector = sa.inspect(db.engine)
    made = {("trigger", name) for name in databases.triggers(db.engine)}
    for table in tables():
        made |= {(table, column["name"]) for column in inspector.get_columns(table)}
        made |= {(table, str(index["name"])) for index in inspector.get_indexes(table)}
        made |= {(table, check["sqltext"]) for check in inspector.get_check_constraints(table)}
    return made


def tables():
    return set(sa.inspect(db.engine).get_table_names()) - {"alembic_version"}


class TestFiles:
    def test_the_history_is_one_line(self):
        assert len(SCRIPTS.get_heads()) == 1
        for before, revision in zip([None, *REVISIONS], REVISIONS, strict=False):
            assert revision.down_revision == (before.revision if before else None)

    def test_they_are_numbered_without_a_gap(self):
        assert [int(revision.revision[:4]) for revision in REVISIONS] == list(range(1, len(REVISIONS) + 1))

    @pytest.mark.parametrize("revision", REVISIONS, ids=lambda revision: revision.revision)
    def test_each_is_named_for_what_it_does(self, revision):
        file = ROOT / revision.path
        assert file.stem == revision.revision
        assert re.fullmatch(r"\d{4}_[a-z0-9_]+", revision.revision)
        # The width of Alembic's own column.
        assert len(revision.revision) <= 32
        assert revision.doc


class TestMigrating:
    def test_up_down_to_nothing_and_up_again(self, empty_app):
        upgrade()
        made = tables()
        assert made == set(db.metadata.tables)
        downgrade(revision="base")
        assert tables() == set()
        upgrade()
        assert tables() == made

    def test_each_step_can_be_taken_back(self, empty_app):
        upgrade()
        for _ in REVISIONS:
            before = structure()
            downgrade()
            assert structure() != before
        assert tables() == set()

    def test_a_migration_that_is_run_twice_changes_nothing(self, empty_app):
        upgrade()
        upgrade()
        assert tables() == set(db.metadata.tables)

    def test_the_sql_can_be_read_beforehand(self, empty_app):
        with redirect_stdout(io.StringIO()) as printed:
            upgrade(sql=True)
        # SQLite changes a constraint by making the table anew, under another name.
        made = re.findall(r"CREATE TABLE (?!_alembic_tmp_)", printed.getvalue())
        assert len(made) == len(db.metadata.tables) + 1
        assert tables() == set()


# One step of each kind, and which of its statements is the last before the death.
KILLED = {
    "0008_create_orders": 2,
    "0028_add_payments_reserved_fen": 1,
    "0029_add_payments_refunded_fen": 1,
    "0038_free_case_kinds": 1,
    "0040_index_case_status": 1,
    "0056_guard_audit_rows_update": 1,
    "0075_drop_orders_product_index": 1,
    "0079_let_persons_verify_payments": 1,
    REVISIONS[-1].revision: 1,
}


class TestKilledMidway:
    """F45: between a statement and the note that its step is done; the next run makes it whole."""

    @pytest.fixture
    def dies(self, empty_app, tmp_path):
        """Migrate in a process that is killed after the nth statement; tell whether there were so many."""

        def migrate(deed, nth=1):
            return killed_at(empty_app, f"migrate.mid:kill:{nth}", deed, tmp_path / "last-words")

        return migrate

    def test_up_and_down(self, session_app, empty_app, dies):
        killed = KILLED
        if db.engine.dialect.name == "sqlite":
            # A step is a transaction there, whatever is in it.
            killed = {revision: KILLED[revision] for revision in list(KILLED)[:1] + list(KILLED)[-1:]}
        for revision, nth in killed.items():
            upgrade(revision=SCRIPTS.get_revision(revision).down_revision)
            assert dies(functools.partial(upgrade, revision=revision), nth), revision
        upgrade()
        with session_app.app_context():
            whole = structure()
        assert structure() == whole
        for revision in reversed(killed):
            downgrade(revision=revision)
            before = SCRIPTS.get_revision(revision).down_revision
            assert dies(functools.partial(downgrade, revision=before)), revision
        downgrade(revision="base")
        assert structure() == set()

    @pytest.mark.skipif(not os.environ.get("PROVE"), reason="for make prove")
    def test_again_and_again(self, session_app, empty_app, dies):
        if db.engine.dialect.name == "sqlite":
            pytest.skip("a step is a transaction there, and is run whole")
        draw, deaths = random.Random(seed_of("killed migrations")), 0
        while dies(upgrade, draw.randint(1, 9)):
            deaths += 1
        assert deaths > len(REVISIONS) / 9
        with session_app.app_context():
            whole = structure()
        assert structure() == whole

    def test_only_what_is_known_to_have_happened_is_left_out(self, empty_app):
        """A unique key is in no list of checks, and IF no name: neither is gone for that."""
        if db.engine.dialect.name == "sqlite":
            pytest.skip("nothing is left out there")
        with db.engine.connect() as connection:
            Resumption(connection)
            step = Operations(MigrationContext.configure(connection))
            step.create_table("things", sa.Column("id", sa.Integer), sa.UniqueConstraint("id", name="uq_id"))
            step.execute("CREATE TRIGGER no_thing BEFORE DELETE ON things FOR EACH ROW SET @no = 1")
            step.drop_constraint("uq_id", "things", type_="unique")
            step.execute("DROP TRIGGER IF EXISTS no_thing")
        assert sa.inspect(db.engine).get_unique_constraints("things") == []
        assert databases.triggers(db.engine) == set()

    def test_what_stands_in_the_way_of_a_step_is_not_taken_for_its_own(self, empty_app):
        with transaction() as session:
            session.execute(sa.text("CREATE TABLE learners (id INTEGER)"))
        with pytest.raises(sa.exc.OperationalError):
            upgrade()
        with db.engine.connect() as connection:
            assert MigrationContext.configure(connection).get_current_revision() is None


class TestSchema:
    def test_it_is_what_the_models_say(self, schema):
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, db.metadata) == []

    @pytest.mark.parametrize(
        ("kind", "read"),
        [
            (sa.CheckConstraint, "get_check_constraints"),
            (sa.UniqueConstraint, "get_unique_constraints"),
            (sa.ForeignKeyConstraint, "get_foreign_keys"),
        ],
    )
    def test_so_are_the_names_of_its_constraints(self, schema, kind, read):
        for name, table in db.metadata.tables.items():
            said = {str(constraint.name) for constraint in table.constraints if isinstance(constraint, kind)}
            made = {found["name"] for found in getattr(schema, read)(name)}
            assert made == said, name

    def test_what_must_never_change_is_guarded(self, schema):
        guards = {f"{table}_no_{act}" for table in databases.GUARDED for act in ("update", "delete")}
        assert databases.triggers(db.engine) == guards

    def test_so_are_the_indexes(self, schema):
        for name, table in db.metadata.tables.items():
            unique = {found["name"] for found in schema.get_unique_constraints(name)}
            made = {found["name"] for found in schema.get_indexes(name)} - unique
            # MySQL makes one for each foreign key that has none.
            made -= {found["name"] for found in schema.get_foreign_keys(name)}
            assert made == {index.name for index in table.indexes}, name

    def test_a_check_holds_the_same_condition(self, schema):
        if db.engine.dialect.name != "sqlite":
            return  # each server writes conditions in its own words
        for name, table in db.metadata.tables.items():
            made = {found["name"]: found["sqltext"] for found in schema.get_check_constraints(name)}
            for constraint in table.constraints:
                if isinstance(constraint, sa.CheckConstraint) and isinstance(
                    constraint.sqltext, sa.TextClause
                ):
                    assert made[constraint.name] == constraint.sqltext.text, constraint.name

    def test_identifiers_are_compared_byte_by_byte(self, schema):
        if db.engine.dialect.name != "mysql":
            return
        wanted = set()
        for table in db.metadata.tables.values():
            for column in table.columns:
                own = column.type.dialect_impl(db.engine.dialect)
                if getattr(own, "collation", None) == "ascii_bin":
                    wanted.add((table.name, column.name))
        found = db.session.execute(
            sa.text(
                "SELECT table_name, column_name FROM information_schema.columns "
                "WHERE table_schema = DATABASE() AND collation_name = 'ascii_bin'"
            )
        ).all()
        assert len(wanted) > 20
        assert {tuple(row) for row in found} == wanted

    def test_every_table_is_innodb_in_utf8mb4(self, schema):
        if db.engine.dialect.name != "mysql":
            return
        rows = db.session.execute(
            sa.text(
                "SELECT table_name, engine, table_collation FROM information_schema.tables "
                "WHERE table_schema = DATABASE()"
            )
        ).all()
        assert {row[0] for row in rows} >= set(db.metadata.tables)
        assert {row[1] for row in rows} == {"InnoDB"}
        assert all(row[2].startswith("utf8mb4_") for row in rows)

    def test_money_is_a_whole_number_of_64_bits(self):
        for table in db.metadata.tables.values():
            for column in table.columns:
                if column.name.endswith("_fen"):
                    assert isinstance(column.type, sa.BigInteger), f"{table.name}.{column.name}"
                assert not isinstance(column.type, sa.Float), f"{table.name}.{column.name}"
