"""Structured logs: one JSON object a line, with the request's id, and one filter that keeps secrets out."""

import functools
import json
import logging
import re
import sys
from collections.abc import Callable
from typing import Any

from portal.kit import clock

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_SECRET_NAMES = re.compile(
    r"pass(word|phrase)|secret|token|authorization|cookie|signature|private|apiv3|code_url|openid|license_(key|text)",
    re.IGNORECASE,
)
# What must never be seen even in the middle of a text: PEM blocks, license texts, bearer values, QR contents.
_SECRET_TEXTS = re.compile(
    # One that is cut off is hidden to the end.
    r"-----BEGIN[^-]+-----(?:.*?-----END[^-]+-----|.*)"
    # From the beginning of a run of such characters and without stepping back: it may be very long.
    r"|(?<![A-Za-z0-9+/=%])(?:[A-Za-z0-9+/=]|%(?!7[Cc])){80,}+(?:\||%7[Cc])[A-Za-z0-9+/=%]{80,}"
    r"|weixin://\S+"
    r"|(?i:bearer|basic) [A-Za-z0-9._~+/=-]{8,}"
    r"|(?<=/reset/)[A-Za-z0-9_-]{20,}"
    r"|(?<=://)[^\s/:@]*:[^\s/]+(?=@)",
    re.DOTALL,
)
HIDDEN = "[hidden]"


# The names in our own lines are a few dozen.
@functools.lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAMES.search(name) is not None


def redact(value: Any) -> Any:
    """Return `value` with everything secret replaced, in texts, lists and mappings."""
    if isinstance(value, str):
        return _SECRET_TEXTS.sub(HIDDEN, value)
    if isinstance(value, dict):
        return {key: HIDDEN if _is_secret(str(key)) else redact(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(inner) for inner in value]
    if value is None or isinstance(value, (int, float, bool)):
        return value
    return redact(str(value))


class JsonFormatter(logging.Formatter):
    """Formats a record, and everything in its `extra`, as one redacted JSON line."""

    def __init__(self, context: Callable[[], dict[str, Any]]) -> None:
        super().__init__()
        self._context = context

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; `context` adds what is known of the request."""
        # Words of our own: nothing in them is secret.
        head = {
            "at": clock.iso(clock.now()),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        line: dict[str, Any] = {
            "message": record.getMessage(),
            **self._context(),
            **{name: value for name, value in record.__dict__.items() if name not in _STANDARD},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(head | redact(line), ensure_ascii=False, default=str)


def configure(level: str, context: Callable[[], dict[str, Any]]) -> None:
    """Send all logs of this process to standard error in the form above."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(context))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # urllib3 prints paths with order numbers at DEBUG.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
