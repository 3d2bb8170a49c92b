"""Let the hold after a restored backup be switched."""

from alembic import op

from portal.kit.migrating import replace_check

revision = "0095_let_a_hold_be_switched"
down_revision = "0094_create_course_drafts"

_BEFORE = "name IN ('sales_pause', 'banner')"
_AFTER = "name IN ('sales_pause', 'banner', 'hold')"


def upgrade() -> None:
    """Allow it."""
    replace_check("switches", "ck_switches_name", _BEFORE, _AFTER)


def downgrade() -> None:
    """Forbid it again; fails while a hold stands, because that must not be forgotten."""
    op.execute("DELETE FROM switches WHERE name = 'hold' AND NOT is_on")
    replace_check("switches", "ck_switches_name", _AFTER, _BEFORE)
