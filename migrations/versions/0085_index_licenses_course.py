"""Index the licenses by course and right, for the desk's list."""

from alembic import op

revision = "0085_index_licenses_course"
down_revision = "0084_index_licenses_status"


def upgrade() -> None:
    """The licenses of a course, the newest right first."""
    op.create_index(
        op.f("ix_licenses_course_id_entitlement_id"),
        "licenses",
        ["course_id", "entitlement_id", "revision"],
        unique=False,
    )


def downgrade() -> None:
    """Undo it."""
    op.drop_index(op.f("ix_licenses_course_id_entitlement_id"), table_name="licenses")
