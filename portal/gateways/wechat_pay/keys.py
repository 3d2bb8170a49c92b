"""The keys that verify WeChat Pay's messages: the configured public key and the platform's certificates.

Certificates are fetched by a scheduled job, kept in a table, and read back as a whole; nothing that a
message says ever causes a fetch. Starting the portal needs no gateway.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit import clock, faults
from portal.kit.db import Base, UtcDateTime, db, identifier, transactional

_REREAD_SECONDS = 60
_WARNED_BEFORE = timedelta(days=30)


class PlatformCertificate(Base):
    """A certificate of WeChat Pay, decrypted with our APIv3 key when it was fetched."""

    __tablename__ = "wechat_pay_certificates"

    serial: Mapped[str] = mapped_column(identifier(40), primary_key=True)
    mchid: Mapped[str] = mapped_column(identifier(32), primary_key=True)
    pem: Mapped[str] = mapped_column(sa.Text)
    not_after: Mapped[datetime] = mapped_column(UtcDateTime)


def serial_of(certificate: x509.Certificate) -> str:
    """Return the serial as WeChat writes it: 40 capital hex digits, leading zeros kept."""
    return f"{certificate.serial_number:040X}"


def rsa_key_of(pem: str) -> RSAPublicKey:
    """Read an RSA public key.

    Raises:
        ValueError: when it is none.
    """
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise ValueError("not an RSA key")
    return key


@transactional
def store_certificates(mchid: str, certificates: list[x509.Certificate]) -> None:
    """Replace what is known for `mchid` by `certificates`, all at once."""
    db.session.execute(sa.delete(PlatformCertificate).where(PlatformCertificate.mchid == mchid))
    for certificate in certificates:
        db.session.add(
            PlatformCertificate(
                serial=serial_of(certificate),
                mchid=mchid,
                pem=certificate.public_bytes(Encoding.PEM).decode(),
                not_after=certificate.not_valid_after_utc.replace(tzinfo=UTC),
            )
        )
    db.session.flush()
    faults.point("keys.before_commit")


class PlatformKeys:
    """An immutable table of keys by serial, replaced whole."""

    def __init__(self, mchid: str, public_key_id: str | None, public_key: str | None) -> None:
        self._mchid = mchid
        self._configured: dict[str, RSAPublicKey] = {}
        if public_key_id and public_key:
            self._configured[public_key_id] = rsa_key_of(public_key)
        self._snapshot: Mapping[str, RSAPublicKey] = self._configured
        self._read_at: datetime | None = None
        self._reading = threading.Lock()
        self.within: Callable[[], AbstractContextManager[object]] = nullcontext
        """Inside of what the table is read, for whoever verifies outside of the application."""

    def current(self) -> Mapping[str, RSAPublicKey]:
        """Return the keys that may sign now. Reads the table at most once a minute, whoever asks."""
        now = clock.now()
        # Whoever comes during the first read waits for it; later ones go on with what is known.
        if not self._is_fresh(now) and self._reading.acquire(blocking=self._read_at is None):
            try:
                if not self._is_fresh(now):
                    with self.within():
                        self._read(now)
            finally:
                self._reading.release()
        return self._snapshot

    def _is_fresh(self, now: datetime) -> bool:
        read_at = self._read_at
        return read_at is not None and abs((now - read_at).total_seconds()) < _REREAD_SECONDS

    def problems(self) -> list[str]:
        """Name what is wrong with the keys, or soon will be."""
        if self._configured:
            return []
        last = db.session.scalar(
            sa.select(sa.func.max(PlatformCertificate.not_after)).where(
                PlatformCertificate.mchid == self._mchid
            )
        )
        if last is None:
            return [
                "no key that verifies its messages: set the public key, or let the worker fetch certificates"
            ]
        left = last - clock.now()
        return [f"the newest platform certificate ends in {left.days} days"] if left < _WARNED_BEFORE else []

    def forget(self) -> None:
        """Read the table again at the next use."""
        self._read_at = None

    def _read(self, now: datetime) -> None:
        try:
            rows = db.session.execute(
                sa.select(PlatformCertificate.serial, PlatformCertificate.pem).where(
                    PlatformCertificate.mchid == self._mchid, PlatformCertificate.not_after > now
                )
            ).all()
        except sa.exc.SQLAlchemyError:
            # The keys we have go on verifying while the database is away; without any it is asked again at once.
            db.session.rollback()
            self._read_at = now if self._snapshot else None
            return
        certificates: dict[str, RSAPublicKey] = {}
        for row in rows:
            key = x509.load_pem_x509_certificate(row.pem.encode()).public_key()
            if isinstance(key, RSAPublicKey):
                certificates[row.serial] = key
        self._snapshot = {**certificates, **self._configured}
        self._read_at = now
