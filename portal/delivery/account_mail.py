"""Mails about an account: the link for a new password, and the note that an address has an account already."""

from portal.config import Settings
from portal.delivery.messages import compose
from portal.delivery.transport import Mailer
from portal.kit import ids
from portal.kit.db import forbid_open_transaction
from portal.learners.queries import learner_by_id
from portal.learners.resets import LIFETIME, draw_token


def mail_reset(reset_id: str, effect_key: str, mailer: Mailer, settings: Settings) -> None:
    """Draw the secret of a link for a new password and mail it to the account's stored address.

    Each try has a secret of its own, and the one before is worth nothing from then on. So each is a mail
    of its own, too: two with one Message-ID would leave the reader with the dead one.

    Raises:
        MailNotSent: try again later.
    """
    drawn = draw_token(int(reset_id))
    if drawn is None:
        return
    message = compose(
        "reset",
        drawn.locale,
        drawn.email,
        f"{effect_key}:{ids.secret_hash(drawn.token)}",
        settings,
        reset_url=f"{settings.PORTAL_BASE_URL}/reset/{drawn.token}",
        minutes=int(LIFETIME.total_seconds() // 60),
    )
    forbid_open_transaction()
    mailer.send(message)


def mail_register_again(learner_id: str, effect_key: str, mailer: Mailer, settings: Settings) -> None:
    """Tell the owner of an account that somebody tried to register with its address.

    Raises:
        MailNotSent: try again later.
    """
    learner = learner_by_id(int(learner_id))
    if learner is None or learner.disabled_at is not None:
        return
    message = compose(
        "register_again",
        learner.locale,
        learner.email,
        effect_key,
        settings,
        login_url=f"{settings.PORTAL_BASE_URL}/login",
        forgot_url=f"{settings.PORTAL_BASE_URL}/forgot",
    )
    forbid_open_transaction()
    mailer.send(message)
