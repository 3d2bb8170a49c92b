"""${message}

One table, or one change of one. A statement that changes rows must do no harm when it is run twice; what other
statements did in a run that was killed is found out (portal/kit/resuming.py), if it knows their kind.
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
