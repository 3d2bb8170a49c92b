"""A date in a header that no calendar has is no date, and its header is left out (RFC 9110, section 13.1.3)."""

from flask import Flask, request
from werkzeug.http import parse_date

# With each header that may hold a date, what goes with it: a part is sent only of the file that was meant.
_WITH_A_DATE = {
    "HTTP_IF_MODIFIED_SINCE": (),
    "HTTP_IF_UNMODIFIED_SINCE": (),
    "HTTP_IF_RANGE": ("HTTP_RANGE",),
}


def init_request_dates(app: Flask) -> None:
    """Before a file is compared with what a browser has, look at the dates that the browser sends."""

    @app.before_request
    def leave_out() -> None:
        for name, others in _WITH_A_DATE.items():
            text = request.environ.get(name)
            if text is not None and not _can_be_read(text):
                for gone in (name, *others):
                    request.environ.pop(gone, None)


def _can_be_read(text: str) -> bool:
    try:
        parse_date(text)
    except OverflowError:
        # Every other text that is no date, Werkzeug takes as none.
        return False
    return True
