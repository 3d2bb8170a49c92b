"""Index the licenses by status and right, for the desk's list."""

from alembic import op

revision = "0084_index_licenses_status"
down_revision = "0083_create_gateway_calls"


def upgrade() -> None:
    """The licenses in a state, the newest right first."""
    op.create_index(
        op.f("ix_licenses_status_entitlement_id"),
        "licenses",
        ["status", "entitlement_id", "revision"],
        unique=False,
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_licenses_status_entitlement_id"), table_name="licenses")
