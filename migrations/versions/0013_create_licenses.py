"""Create the table licenses."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import LongText, RowId, UtcDateTime, identifier

revision = "0013_create_licenses"
down_revision = "0012_create_entitlements"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "licenses",
        sa.Column("id", identifier(36), nullable=False),
        sa.Column("entitlement_id", RowId, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("active_key", sa.BigInteger(), nullable=True),
        sa.Column("learner_id", RowId, nullable=False),
        sa.Column("course_id", identifier(64), nullable=False),
        sa.Column("kid", identifier(64), nullable=False),
        sa.Column("text", LongText, nullable=False),
        sa.Column("digest", identifier(64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_reason", sa.String(length=200), nullable=True),
        sa.CheckConstraint(
            "(status = 'active') = (active_key IS NOT NULL)", name=op.f("ck_licenses_active_key")
        ),
        sa.CheckConstraint("status IN ('active', 'superseded', 'revoked')", name=op.f("ck_licenses_status")),
        sa.ForeignKeyConstraint(
            ["entitlement_id"], ["entitlements.id"], name=op.f("fk_licenses_entitlement_id")
        ),
        sa.ForeignKeyConstraint(["learner_id"], ["learners.id"], name=op.f("fk_licenses_learner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_licenses")),
        sa.UniqueConstraint("active_key", name=op.f("uq_licenses_active_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_licenses_digest")),
        sa.UniqueConstraint("entitlement_id", "revision", name=op.f("uq_licenses_entitlement_id_revision")),
    )
    op.create_index(op.f("ix_licenses_kid"), "licenses", ["kid"], unique=False)
    op.create_index(op.f("ix_licenses_learner_id"), "licenses", ["learner_id"], unique=False)


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("licenses")
