"""`demo-offer`: one demo course can be paid by transfer, to a code that pays nobody; never in live mode."""

import struct
import zlib
from collections.abc import Iterable

import click
import qrcode
from flask.cli import with_appcontext

from portal.audit import services as audit
from portal.catalogue.models import OfferMode
from portal.catalogue.offers import OfferFacts, offer_of, set_offer
from portal.commands.printing import json_option, refuse, show
from portal.learners.models import Role
from portal.learners.queries import learner_with
from portal.pictures.formats import strip
from portal.staff.roles import set_courses
from portal.web.tools import tools

_COURSE = "javascript-complete"
_PIXELS = 8


@click.command("demo-offer")
@json_option
@with_appcontext
def demo_offer(as_json: bool) -> None:
    """Have a demo course sold by transfer too, to the demo instructor, unless that was ever said otherwise."""
    if tools().settings.is_live:
        refuse("Demo data exist in test mode only; PORTAL_MODE is live.", as_json)
    if offer_of(_COURSE) is None:
        facts = OfferFacts(
            mode=OfferMode.BESIDE,
            receiver="示例讲师 Demo",
            note_zh="这是演示用的收款码，请不要真的转账。",
            note_en="This code is for the demonstration: send no real money.",
            picture=strip(_drawn("Learning Buddy: a demonstration. This code pays nobody.")),
        )
        set_offer(_COURSE, facts, 0, audit.operator())
        teacher = learner_with(f"{Role.INSTRUCTOR.value}@example.com")
        if teacher is not None:
            set_courses(teacher, [_COURSE], audit.operator(), "the demonstration")
    show({"course": _COURSE}, f"{_COURSE} can be paid by transfer.", as_json)


def _drawn(text: str) -> bytes:
    """Draw a text as a code: a PNG of black and white."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4)
    code.add_data(text)
    rows = [[255 * (not dark) for dark in row for _ in range(_PIXELS)] for row in code.get_matrix()]
    lines = b"".join(b"\0" + bytes(row) for row in rows for _ in range(_PIXELS))
    side = len(rows[0])
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunks(chunks))


def _chunks(parts: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    for name, data in parts:
        yield struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
