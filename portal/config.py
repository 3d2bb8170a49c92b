"""Settings: the only reader of the environment. Bad ones are all listed at once, by name.

Every secret `NAME` may be given as `NAME_FILE`, the path of a file that holds it; an optional one that is empty is not
given.
"""

import re
from collections.abc import Callable, Mapping
from email.utils import parseaddr
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from portal.kit import faults, pem

OFFICIAL_GATEWAYS = ("https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com")
ROOT = Path(__file__).resolve().parent.parent
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Mode(StrEnum):
    """Whether money is real."""

    LIVE = "live"
    TEST = "test"


class BadSettings(Exception):
    """One or more settings are missing or wrong; `problems` names each, without its value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _is_private_key(secret: SecretStr) -> SecretStr:
    return SecretStr(pem.private_key(secret.get_secret_value()))


_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?/*", re.ASCII | re.IGNORECASE)


def _is_origin(url: str) -> str:
    try:
        is_good = _ORIGIN.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ValueError("must be an origin like https://learn.example.com, without a path")
    return url.rstrip("/").lower()


def _is_sender(text: str) -> str:
    name, _, host = parseaddr(text)[1].rpartition("@")
    if not name or not host or not text.isprintable():
        raise ValueError("must be an address, or a name and <address>")
    return text


Origin = Annotated[str, AfterValidator(_is_origin)]
Sender = Annotated[str, AfterValidator(_is_sender)]


def _listed(keys: SecretStr) -> list[str]:
    return [key.strip() for key in keys.get_secret_value().split(",") if key.strip()]


def _is_smtp(url: str) -> bool:
    try:
        parts = urlsplit(url)
        tls = parse_qs(parts.query).get("tls", ["0"])
        return (
            parts.scheme == "smtp" and bool(parts.hostname) and parts.port != 0 and tls[0] in {"0", "1", "2"}
        )
    except ValueError:
        return False


# What live mode asks of a setting, and what is said when it is not so.
_LIVE_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "PORTAL_BASE_URL": (lambda url: url.startswith("https://"), "must be https"),
    "WECHATPAY_BASE_URL": (lambda url: url in OFFICIAL_GATEWAYS, "must be WeChat Pay's own"),
    "LICENSE_KEY_PASSPHRASE": (lambda passphrase: passphrase is not None, "must be set"),
    "MAIL_URL": (lambda url: url is not None, "must be set"),
    "PORTAL_FAULT": (lambda spec: spec is None, "must not be set"),
    "FLASK_DEBUG": (lambda is_on: not is_on, "must not be set"),
}


class Settings(BaseModel):
    """Typed settings; names are those of the environment. Times are in seconds.

    A check that looks at two settings belongs to the later one: `info.data` holds those above it that are
    good by themselves. So one start finds everything that is wrong.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, validate_default=True)

    PORTAL_MODE: Mode = Mode.TEST
    DATABASE_URL: str = "sqlite:///var/portal.db"
    SECRET_KEY: SecretStr
    SECRET_KEY_FALLBACKS: SecretStr = SecretStr("")
    PORTAL_BASE_URL: Origin = "http://127.0.0.1:8000"
    WECHATPAY_BASE_URL: Origin = OFFICIAL_GATEWAYS[0]
    WECHATPAY_APPID: Annotated[str, Field(pattern="^wx[0-9a-z]{16}$")]
    WECHATPAY_MCHID: Annotated[str, Field(pattern="^[0-9]{8,10}$")]
    WECHATPAY_CERT_SERIAL_NO: Annotated[str, Field(pattern="^[0-9A-F]{40}$")]
    WECHATPAY_PRIVATE_KEY: Annotated[SecretStr, AfterValidator(_is_private_key)]
    # The certificate itself is not needed to sign; the doctor says when it ends.
    WECHATPAY_CERT: str | None = None
    WECHATPAY_APIV3_KEY: SecretStr
    WECHATPAY_PUBLIC_KEY_ID: Annotated[str, Field(pattern="^PUB_KEY_ID_[0-9]{10,40}$")] | None = None
    WECHATPAY_PUBLIC_KEY: Annotated[str, AfterValidator(pem.public_key)] | None = None
    LICENSE_KEY_DIR: Path = Path("var/license-keys")
    LICENSE_KEY_PASSPHRASE: SecretStr | None = None
    CELERY_BROKER_URL: Annotated[str, Field(pattern=r"^([a-z+]+://\S*)?$")] = ""
    RATELIMIT_STORAGE_URI: Annotated[str, Field(pattern=r"^(memory|redis|rediss)://\S*$")] = "memory://"
    MAIL_URL: SecretStr | None = None
    MAIL_FROM: Sender = "Learning Buddy <no-reply@localhost>"
    MAIL_DIR: Path = Path("var/mail")
    VAR_DIR: Path = Path("var")
    SUPPORT_EMAIL: Sender = "support@localhost"
    TRUSTED_PROXIES: Annotated[int, Field(ge=0, le=5)] = 0
    # A code_url lives two hours, and one on the page is never exchanged for another.
    ORDER_TTL_SECONDS: Annotated[int, Field(ge=120, le=7200)] = 3600
    # How long a transfer may take until the learner says that it was made. People make it, in their own time.
    TRANSFER_TTL_SECONDS: Annotated[int, Field(ge=3600, le=2_592_000)] = 259_200
    # What one person may give away alone, in fen: at once, and in a day (in Beijing).
    APPROVAL_SINGLE_FEN: Annotated[int, Field(ge=0, le=100_000_000)] = 20_000
    APPROVAL_DAY_FEN: Annotated[int, Field(ge=0, le=1_000_000_000)] = 100_000
    APPROVAL_ONE_PERSON_SHOP: bool = False
    METRICS_TOKEN: SecretStr | None = None
    LOG_LEVEL: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    PORTAL_FAULT: str | None = None
    FLASK_DEBUG: bool = False

    @field_validator("SECRET_KEY")
    @classmethod
    def _long_secret_key(cls, key: SecretStr) -> SecretStr:
        if len(key.get_secret_value().encode()) < 32:
            raise ValueError("must have at least 32 bytes")
        return key

    @field_validator("WECHATPAY_CERT")
    @classmethod
    def _certificate_of_the_key(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is None:
            return None
        read = pem.certificate(text)
        serial, key = (info.data.get(f"WECHATPAY_{name}") for name in ("CERT_SERIAL_NO", "PRIVATE_KEY"))
        if serial is not None and pem.serial_of(read) != serial:
            raise ValueError("has another serial number than WECHATPAY_CERT_SERIAL_NO")
        if key is not None and not pem.belongs_to(read, key.get_secret_value()):
            raise ValueError("is not of WECHATPAY_PRIVATE_KEY")
        return text

    @field_validator("WECHATPAY_APIV3_KEY")
    @classmethod
    def _apiv3_key_length(cls, key: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[0-9A-Za-z]{32}", key.get_secret_value(), re.ASCII):
            raise ValueError("must be exactly 32 letters and digits")
        return key

    @field_validator("SECRET_KEY_FALLBACKS")
    @classmethod
    def _long_fallbacks(cls, keys: SecretStr) -> SecretStr:
        if any(len(key.encode()) < 32 for key in _listed(keys)):
            raise ValueError("must have at least 32 bytes each")
        return keys

    @field_validator("DATABASE_URL")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "mysql://", "mysql+mysqldb://")):
            raise ValueError("must begin with sqlite:/// or mysql://")
        try:
            make_url(url)
        except (ArgumentError, ValueError):
            raise ValueError("must be like mysql://user:password@host/name") from None
        return url.replace("mysql://", "mysql+mysqldb://", 1)

    @field_validator("MAIL_URL")
    @classmethod
    def _smtp(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not _is_smtp(url.get_secret_value()):
            raise ValueError("must be like smtp://user:password@host:port?tls=1")
        return url

    @field_validator("METRICS_TOKEN")
    @classmethod
    def _unguessable_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not re.fullmatch(r"[!-~]{16,128}", token.get_secret_value(), re.ASCII):
            raise ValueError("must be 16 to 128 visible ASCII characters")
        return token

    @field_validator("PORTAL_FAULT")
    @classmethod
    def _known_fault(cls, spec: str | None) -> str | None:
        faults.check(spec)
        return spec

    @field_validator("WECHATPAY_PUBLIC_KEY")
    @classmethod
    def _has_an_id(cls, key: str | None, info: ValidationInfo) -> str | None:
        # An id that is not in `data` was given and is wrong by itself.
        has_id = info.data.get("WECHATPAY_PUBLIC_KEY_ID", "wrong") is not None
        if has_id != (key is not None):
            raise ValueError("goes together with WECHATPAY_PUBLIC_KEY_ID")
        return key

    @field_validator("WECHATPAY_BASE_URL")
    @classmethod
    def _gateway_over_tls(cls, url: str) -> str:
        if url.startswith("http://") and urlsplit(url).hostname not in _LOOPBACK:
            raise ValueError("may be plain http only on this machine")
        return url

    @field_validator(*_LIVE_RULES)
    @classmethod
    def _live_means_real(cls, value: Any, info: ValidationInfo) -> Any:
        is_real, problem = _LIVE_RULES[str(info.field_name)]
        if info.data.get("PORTAL_MODE") is Mode.LIVE and not is_real(value):
            raise ValueError(f"{problem} in live mode")
        return value

    @property
    def is_live(self) -> bool:
        """Tell whether money is real."""
        return self.PORTAL_MODE is Mode.LIVE

    @property
    def secret_key_fallbacks(self) -> list[str]:
        """Return the former secret keys that are still accepted."""
        return _listed(self.SECRET_KEY_FALLBACKS)

    @property
    def mode_letter(self) -> str:
        """Return the letter in every order number that keeps test and live money apart (I21)."""
        return "L" if self.is_live else "T"

    @property
    def is_https(self) -> bool:
        """Tell whether the public origin is https."""
        return self.PORTAL_BASE_URL.startswith("https://")


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read and check all settings.

    Raises:
        BadSettings: listing every missing or wrong setting by name, never by value.
    """
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        if environ.get(name):
            values[name] = environ[name]
        elif path := environ.get(f"{name}_FILE"):
            try:
                secret = _read_secret(Path(path))
                if secret:
                    values[name] = secret
                elif field.is_required():
                    raise ValueError("is empty")
            except ValueError as error:
                problems[name] = f"{name}_FILE: {error}"
                values[name] = _UNREADABLE
    try:
        return Settings(**values)
    except ValidationError as error:
        for problem in error.errors():
            name = str(problem["loc"][0])
            problems.setdefault(name, f"{name}: {_sentence(problem)}")
    raise BadSettings([problems[name] for name in Settings.model_fields if name in problems])


# Stands for what could not be read: of no type that a setting may have, so it is never taken for one.
_UNREADABLE = object()


def _read_secret(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot be read ({type(error).__name__})") from None
    if "PRIVATE KEY" in text and mode & 0o077:
        raise ValueError("is a private key that others than its owner may read (chmod 600)")
    return text.strip()


def _sentence(problem: Any) -> str:
    if problem["type"] == "missing":
        return "is required"
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    # Pydantic's own message may quote the value; the kind of fault does not.
    return str(problem["type"]).replace("_", " ")
