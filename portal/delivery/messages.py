"""Compose mails from templates/email: a subject, a plain text and an HTML body, in the reader's language."""

import functools
import hashlib
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from typing import Any

from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from portal.config import ROOT, Settings
from portal.kit import clock
from portal.kit.wording import text_filters


@functools.cache
def _environment(locale: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(ROOT / "templates" / "email"),
        autoescape=select_autoescape(["html"]),
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    catalogue = Translations.load(str(ROOT / "portal" / "translations"), [locale])
    environment.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(text_filters(locale))
    environment.globals["locale"] = locale
    return environment


def compose(
    template: str, locale: str, to: str, effect_key: str, settings: Settings, **facts: Any
) -> EmailMessage:
    """Return the mail `templates/email/<template>/` makes of `facts`.

    Args:
        template: the folder of `subject.txt`, `body.txt` and `body.html`.
        locale: the reader's language, `zh_Hans_CN` or `en`.
        to: the receiver's address.
        effect_key: makes the Message-ID, so that the same effect is the same mail.
    """
    environment = _environment(locale)
    facts = {
        "settings": settings,
        "base_url": settings.PORTAL_BASE_URL,
        "support_email": settings.SUPPORT_EMAIL,
        **facts,
    }

    def draw(name: str) -> str:
        return environment.get_template(f"{template}/{name}").render(**facts)

    message = EmailMessage()
    sender_domain = parseaddr(settings.MAIL_FROM)[1].rpartition("@")[2] or "localhost"
    digest = hashlib.sha256(effect_key.encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@{sender_domain}>"
    message["Date"] = format_datetime(clock.now())
    message["From"] = settings.MAIL_FROM
    message["To"] = to
    message["Subject"] = " ".join(draw("subject.txt").split())
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(draw("body.txt"))
    message.add_alternative(draw("body.html"), subtype="html")
    return message
