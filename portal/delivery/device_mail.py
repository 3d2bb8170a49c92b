"""The mail that tells a learner of a new editor: who did not connect it can end it at once."""

import sqlalchemy as sa

from portal.config import Settings
from portal.delivery.messages import compose
from portal.delivery.transport import Mailer
from portal.devices.models import TokenFamily
from portal.kit.db import db, forbid_open_transaction
from portal.kit.wording import moment_text
from portal.learners.models import Learner


def mail_new_device(family_id: str, effect_key: str, mailer: Mailer, settings: Settings) -> None:
    """Tell a learner that an editor was connected to the account.

    Raises:
        MailNotSent: try again later.
    """
    row = db.session.execute(
        sa.select(TokenFamily, Learner)
        .join(Learner, Learner.id == TokenFamily.learner_id)
        .where(TokenFamily.id == int(family_id), Learner.disabled_at.is_(None))
    ).first()
    if row is None:
        return
    editor, learner = row
    message = compose(
        "new_device",
        learner.locale,
        learner.email,
        effect_key,
        settings,
        editor=editor,
        connected_at=moment_text(editor.created_at, learner.locale),
        devices_url=f"{settings.PORTAL_BASE_URL}/account/devices",
    )
    forbid_open_transaction()
    mailer.send(message)
