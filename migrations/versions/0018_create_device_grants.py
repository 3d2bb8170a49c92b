"""Create the table device_grants."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import RowId, UtcDateTime, identifier

revision = "0018_create_device_grants"
down_revision = "0017_create_certificates"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "device_grants",
        sa.Column("id", RowId, nullable=False),
        sa.Column("public_id", identifier(32), nullable=False),
        sa.Column("device_code_hash", identifier(64), nullable=False),
        sa.Column("user_code_hash", identifier(64), nullable=False),
        sa.Column("client_id", identifier(64), nullable=False),
        sa.Column("scope", identifier(64), nullable=False),
        sa.Column("device_name", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("learner_id", RowId, nullable=True),
        sa.Column("interval_seconds", sa.Integer(), nullable=False),
        sa.Column("last_polled_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'approved', 'denied', 'used')", name=op.f("ck_device_grants_state")
        ),
        sa.ForeignKeyConstraint(["learner_id"], ["learners.id"], name=op.f("fk_device_grants_learner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_grants")),
        sa.UniqueConstraint("device_code_hash", name=op.f("uq_device_grants_device_code_hash")),
        sa.UniqueConstraint("public_id", name=op.f("uq_device_grants_public_id")),
        sa.UniqueConstraint("user_code_hash", name=op.f("uq_device_grants_user_code_hash")),
    )
    op.create_index(op.f("ix_device_grants_expires_at"), "device_grants", ["expires_at"], unique=False)
    op.create_index(op.f("ix_device_grants_learner_id"), "device_grants", ["learner_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("device_grants")
