"""Take a PNG, JPEG or WebP apart, and put together again what draws it (PNG 3rd edition, ITU-T T.81, RFC 9649).

Nothing is decoded: a picture that is broken inside its own data shows as broken, and does no more harm than that.
So a photo is not turned here: a camera's word on which side is up is the one thing kept of what it wrote.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from portal.kit.errors import Invalid
from portal.pictures.models import MediaType

LARGEST = 2 << 20
_SIDES = range(16, 8001)
_MOST_PIXELS = 40_000_000


class NotAPicture(Invalid):
    """No PNG, JPEG or WebP that is whole, not animated, 16 to 8000 pixels a side, of at most 2 MiB."""

    code = "not_a_picture"


@dataclass(frozen=True)
class Stripped:
    """A picture without anything but itself."""

    media_type: MediaType
    width: int
    height: int
    content: bytes


def strip(raw: bytes) -> Stripped:
    """Return the picture in `raw` without texts, places, profiles, and whatever stands behind its end.

    Raises:
        NotAPicture: it is none that is taken.
    """
    if len(raw) > LARGEST:
        raise NotAPicture
    for start, media_type, rebuild in _FORMATS:
        if raw.startswith(start):
            try:
                content, width, height = rebuild(raw)
            except (IndexError, ValueError):
                raise NotAPicture from None
            if width not in _SIDES or height not in _SIDES or width * height > _MOST_PIXELS:
                raise NotAPicture
            return Stripped(media_type, width, height, content)
    raise NotAPicture


def _part(raw: bytes, begin: int, length: int) -> bytes:
    part = raw[begin : begin + length]
    if len(part) != length:
        raise ValueError("cut off")
    return part


_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"sRGB", b"IDAT", b"IEND"})


def _png_chunks(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and whole text of each chunk, up to the end of the picture."""
    at, name = len(_PNG_START), b""
    while name != b"IEND":
        length = int.from_bytes(_part(raw, at, 4), "big")
        chunk = _part(raw, at, length + 12)
        name = chunk[4:8]
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise ValueError("checksum")
        yield name, chunk
        at += len(chunk)


def _png(raw: bytes) -> tuple[bytes, int, int]:
    chunks = list(_png_chunks(raw))
    names = [name for name, _ in chunks]
    header = chunks[0][1]
    if names[0] != b"IHDR" or len(header) != 25 or names.count(b"IHDR") != 1 or b"IDAT" not in names:
        raise ValueError("no picture")
    kept = b"".join(chunk for name, chunk in chunks if name in _PNG_KEPT)
    return _PNG_START + kept, int.from_bytes(header[8:12], "big"), int.from_bytes(header[12:16], "big")


_SOI, _EOI, _SOS, _COMMENT = 0xD8, 0xD9, 0xDA, 0xFE
_APPLICATION = range(0xE0, 0xF0)
# JFIF, and Adobe's word on the colours.
_APPLICATION_KEPT = frozenset({0xE0, 0xEE})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_EXIF, _EXIF_START = 0xE1, b"Exif\0\0"
_ORIENTATION, _SHORT = 0x0112, 3
_ORIENTATIONS = range(2, 9)  # 1 is how it stands anyway


def _orientation(segment: bytes) -> int:
    """Return how an Exif segment says that the picture is turned, 1 (not at all) when it does not (Exif 2.32, 4.6)."""
    tiff = segment[4 + len(_EXIF_START) :]
    orders: dict[bytes, Literal["big", "little"]] = {b"MM": "big", b"II": "little"}
    order = orders.get(tiff[:2])
    if not segment.startswith(_EXIF_START, 4) or order is None:
        return 1
    at = int.from_bytes(tiff[4:8], order)
    count = int.from_bytes(tiff[at : at + 2], order)
    for begin in range(at + 2, min(at + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind = (int.from_bytes(tiff[begin + by : begin + by + 2], order) for by in (0, 2))
        if tag == _ORIENTATION and kind == _SHORT:
            found = int.from_bytes(tiff[begin + 8 : begin + 10], order)
            return found if found in _ORIENTATIONS else 1
    return 1


def _turned(orientation: int) -> bytes:
    """Return an Exif segment that says how the picture is turned, and nothing else."""
    tag = _ORIENTATION.to_bytes(2) + _SHORT.to_bytes(2) + (1).to_bytes(4) + orientation.to_bytes(2) + bytes(2)
    tiff = b"MM\0*" + (8).to_bytes(4) + (1).to_bytes(2) + tag + bytes(4)
    data = _EXIF_START + tiff
    return bytes([0xFF, _EXIF]) + (len(data) + 2).to_bytes(2) + data


def _jpeg_end_of_scan(raw: bytes, at: int) -> int:
    """Return where the marker after a scan's data begins: FF that is neither stuffed nor a restart."""
    while True:
        at = raw.index(b"\xff", at)
        following = raw[at + 1]
        if following != 0 and not 0xD0 <= following <= 0xD7 and following != 0xFF:
            return at
        at += 1 if following == 0xFF else 2


def _jpeg(raw: bytes) -> tuple[bytes, int, int]:
    kept, at, size = [raw[:2]], 2, None
    has_scan, orientation = False, 1
    while raw[at + 1] != _EOI:
        marker = raw[at + 1]
        if raw[at] != 0xFF or marker in (0x00, 0x01, 0xFF, _SOI):
            raise ValueError("no segment")
        end = at + 2 + int.from_bytes(_part(raw, at + 2, 2), "big")
        if marker in _FRAMES:
            size = int.from_bytes(_part(raw, at + 7, 2), "big"), int.from_bytes(_part(raw, at + 5, 2), "big")
        if marker == _SOS:
            has_scan, end = True, _jpeg_end_of_scan(raw, end)
        if marker == _EXIF and orientation == 1:
            orientation = _orientation(_part(raw, at, end - at))
            if orientation != 1:
                kept.append(_turned(orientation))
        if marker != _COMMENT and (marker not in _APPLICATION or marker in _APPLICATION_KEPT):
            kept.append(_part(raw, at, end - at))
        at = end
    if size is None or not has_scan or raw[at] != 0xFF:
        raise ValueError("no picture")
    return b"".join([*kept, b"\xff\xd9"]), *size


_WEBP_DRAWN = frozenset({b"VP8 ", b"VP8L"})
_WEBP_KEPT = _WEBP_DRAWN | {b"VP8X", b"ALPH"}
_WEBP_ALPHA, _WEBP_ANIMATION = 0x10, 0x02


def _webp_chunks(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and data of each chunk within the length that the file says it has."""
    at, end = 12, 8 + int.from_bytes(_part(raw, 4, 4), "little")
    while at + 8 <= end:
        length = int.from_bytes(_part(raw, at + 4, 4), "little")
        yield raw[at : at + 4], _part(raw, at + 8, length)
        at += 8 + length + length % 2


def _webp_size(name: bytes, data: bytes) -> tuple[int, int]:
    if name == b"VP8X":
        return int.from_bytes(_part(data, 4, 3), "little") + 1, int.from_bytes(
            _part(data, 7, 3), "little"
        ) + 1
    if name == b"VP8L":
        bits = int.from_bytes(_part(data, 1, 4), "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    sides = int.from_bytes(_part(data, 6, 2), "little"), int.from_bytes(_part(data, 8, 2), "little")
    return sides[0] & 0x3FFF, sides[1] & 0x3FFF


def _webp(raw: bytes) -> tuple[bytes, int, int]:
    if raw[8:12] != b"WEBP":
        raise ValueError("another RIFF")
    chunks = [(name, data) for name, data in _webp_chunks(raw) if name in _WEBP_KEPT]
    first, data = chunks[0]
    if sum(name in _WEBP_DRAWN for name, _ in chunks) != 1:
        raise ValueError("not one picture")
    if first == b"VP8X":
        if data[0] & _WEBP_ANIMATION:
            raise ValueError("animated")
        chunks[0] = first, bytes([data[0] & _WEBP_ALPHA]) + data[1:]
    body = b"".join(
        name + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    content = b"RIFF" + (len(body) + 4).to_bytes(4, "little") + b"WEBP" + body
    return content, *_webp_size(first, data)


_FORMATS: tuple[tuple[bytes, MediaType, Callable[[bytes], tuple[bytes, int, int]]], ...] = (
    (_PNG_START, MediaType.PNG, _png),
    (b"\xff\xd8\xff", MediaType.JPEG, _jpeg),
    (b"RIFF", MediaType.WEBP, _webp),
)
