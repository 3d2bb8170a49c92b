"""How `flask db` runs migrations: on the app's own engine, one transaction each where the database has it.

Elsewhere a run that was killed is completed by the next (`portal/kit/resuming.py`).
"""

from alembic import context
from flask import current_app

from portal.kit.db import db
from portal.kit.resuming import Resumption

# Models register their tables when they are imported; the app imports all of them.
target_metadata = db.Model.metadata


def run_offline() -> None:
    """Print the SQL instead of running it (`flask db upgrade --sql`)."""
    context.configure(
        url=current_app.config["SQLALCHEMY_DATABASE_URI"],
        target_metadata=target_metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run the migrations."""
    with db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=target_metadata,
            transaction_per_migration=True,
            on_version_apply=Resumption(connection).note_step,
            compare_type=True,
            # SQLite changes a table by copying it.
            render_as_batch=connection.dialect.name == "sqlite",
        )
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
