"""Create the table role_requests."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0060_create_role_requests"
down_revision = "0059_guard_ledger_entries_delete"

_ROLES = "'learner', 'instructor', 'support', 'finance', 'admin'"


def upgrade() -> None:
    """Create it, with its index."""
    op.create_table(
        "role_requests",
        sa.Column("id", RowId, nullable=False),
        sa.Column("public_id", identifier(32), nullable=False),
        sa.Column("learner_id", RowId, nullable=False),
        sa.Column("open_key", sa.BigInteger(), nullable=True),
        sa.Column("role_before", sa.String(length=16), nullable=False),
        sa.Column("role_after", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("requested_by", RowId, nullable=False),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("decided_by", RowId, nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(f"role_before IN ({_ROLES})", name=op.f("ck_role_requests_role_before")),
        sa.CheckConstraint(f"role_after IN ({_ROLES})", name=op.f("ck_role_requests_role_after")),
        sa.CheckConstraint(
            "status IN ('requested', 'approved', 'refused')", name=op.f("ck_role_requests_status")
        ),
        sa.CheckConstraint(
            "status <> 'approved' OR (decided_by <> requested_by AND decided_by <> learner_id)",
            name=op.f("ck_role_requests_two_persons"),
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["learners.id"], name=op.f("fk_role_requests_decided_by")),
        sa.ForeignKeyConstraint(["learner_id"], ["learners.id"], name=op.f("fk_role_requests_learner_id")),
        sa.ForeignKeyConstraint(
            ["requested_by"], ["learners.id"], name=op.f("fk_role_requests_requested_by")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_requests")),
        sa.UniqueConstraint("open_key", name=op.f("uq_role_requests_open_key")),
        sa.UniqueConstraint("public_id", name=op.f("uq_role_requests_public_id")),
    )
    op.create_index(op.f("ix_role_requests_learner_id"), "role_requests", ["learner_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its index with it."""
    op.drop_table("role_requests")
