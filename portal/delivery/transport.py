"""Send a mail by SMTP, or keep it as a file where no server is set."""

import re
import smtplib
import ssl
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from portal.kit import ids

_TIMEOUT_SECONDS = 15


class MailNotSent(Exception):
    """The mail was not taken; `args[0]` is safe to show. Try again later."""


class Mailer(Protocol):
    """Takes a mail away."""

    def send(self, message: EmailMessage) -> None:
        """Send, or raise `MailNotSent`."""


class FolderMailer:
    """Keeps mails as `.eml` files, one for a Message-ID."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: EmailMessage) -> None:
        """Write the mail whole or not at all.

        Raises:
            MailNotSent: when the folder cannot be written.
        """
        name = re.sub(r"[^0-9A-Za-z._-]", "_", str(message["Message-ID"]).strip("<>").split("@")[0])
        temporary = self._folder / f".{ids.new_public_id()}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(message.as_bytes())
            temporary.replace(self._folder / f"{name}.eml")
        except OSError as error:
            raise MailNotSent(type(error).__name__) from None


class SmtpMailer:
    """Sends by `smtp://user:password@host:port?tls=1`; `tls=1` is STARTTLS, `tls=2` TLS from the start."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else ""
        self._tls = parse_qs(parts.query).get("tls", ["0"])[0]
        self._port = parts.port or {"0": 25, "1": 587}.get(self._tls, 465)

    def send(self, message: EmailMessage) -> None:
        """Hand the mail to the server.

        Raises:
            MailNotSent: when it was not taken, or it is not known whether it was.
        """
        try:
            with self._connect() as server:
                if self._tls == "1":
                    server.starttls(context=ssl.create_default_context())
                if self._user is not None:
                    server.login(self._user, self._password)
                server.send_message(message)
        except (smtplib.SMTPException, OSError) as error:
            code = getattr(error, "smtp_code", "")
            raise MailNotSent(f"{type(error).__name__} {code}".strip()) from None

    def _connect(self) -> smtplib.SMTP:
        if self._tls == "2":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, self._port, timeout=_TIMEOUT_SECONDS, context=context)
        return smtplib.SMTP(self._host, self._port, timeout=_TIMEOUT_SECONDS)


def mailer_for(url: str | None, folder: Path) -> Mailer:
    """Return what sends mail: by SMTP where `url` is set, else into `folder`."""
    return SmtpMailer(url) if url else FolderMailer(folder)
