"""Create the table wechat_pay_certificates."""

import sqlalchemy as sa
from alembic import op

from portal.kit.db import UtcDateTime, identifier

revision = "0017_create_certificates"
down_revision = "0016_create_audit_rows"


def upgrade() -> None:
    """Create it, with its indexes."""
    op.create_table(
        "wechat_pay_certificates",
        sa.Column("serial", identifier(40), nullable=False),
        sa.Column("mchid", identifier(32), nullable=False),
        sa.Column("pem", sa.Text(), nullable=False),
        sa.Column("not_after", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("serial", "mchid", name=op.f("pk_wechat_pay_certificates")),
    )


def downgrade() -> None:
    """Drop it, and its indexes with it."""
    op.drop_table("wechat_pay_certificates")
