"""A picture is kept as what draws it, and nothing else of what was sent."""

import io
from typing import Any

import pytest
from PIL import Image, ImageOps, PngImagePlugin

from portal.pictures.formats import LARGEST, NotAPicture, strip
from tests.support.transfers import picture

SECRET = b"31.2304N 121.4737E"
KINDS = ["PNG", "JPEG", "WEBP"]


def with_a_secret(kind: str) -> bytes:
    """Draw a picture that says where it was taken, and has a second file behind it."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    options: dict[str, Any] = {"exif": exif}
    if kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Comment", SECRET.decode())
        options["pnginfo"] = texts
    return picture(kind, **options) + b"<script>" + SECRET


@pytest.mark.parametrize("kind", KINDS)
def test_it_draws_the_same_and_tells_nothing_else(kind):
    raw = with_a_secret(kind)
    assert SECRET in raw
    kept = strip(raw)
    assert SECRET not in kept.content
    assert b"script" not in kept.content
    assert (kept.media_type, kept.width, kept.height) == (f"image/{kind.lower()}", 64, 48)
    before, after = (Image.open(io.BytesIO(one)).convert("RGB") for one in (raw, kept.content))
    assert after.tobytes() == before.tobytes()
    assert strip(kept.content) == kept


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"progressive": True}),
        ("JPEG", {"restart_marker_blocks": 1}),
        ("WEBP", {"lossless": True}),
        ("PNG", {"bits": 1}),
    ],
)
def test_other_ways_to_write_one_are_taken_too(kind, options):
    raw = picture(kind, **options)
    before, after = (Image.open(io.BytesIO(one)).convert("RGB") for one in (raw, strip(raw).content))
    assert after.tobytes() == before.tobytes()


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
def test_a_photo_taken_on_its_side_still_stands_upright(order):
    exif = Image.Exif()
    exif.endian = order
    exif[0x010E], exif[0x0112] = SECRET.decode(), 6
    raw = picture("JPEG", exif=exif)
    kept = strip(raw)
    assert SECRET not in kept.content
    before, after = (ImageOps.exif_transpose(Image.open(io.BytesIO(one))) for one in (raw, kept.content))
    assert after.size == (48, 64)
    assert after.tobytes() == before.tobytes()
    assert strip(kept.content) == kept


@pytest.mark.parametrize("kind", KINDS)
def test_wherever_it_is_cut_off_it_is_refused(kind):
    raw = picture(kind)
    for length in range(0, len(raw) - 1, 3):
        with pytest.raises(NotAPicture):
            strip(raw[:length])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<!doctype html><script>1</script>",
        picture("GIF"),
        picture("BMP"),
        picture(size=(15, 100)),
        picture(size=(8001, 16)),
        picture() + b"\0" * LARGEST,
    ],
    ids=["nothing", "svg", "html", "gif", "bmp", "too small", "too wide", "too large"],
)
def test_what_is_no_picture_or_too_large_is_refused(raw):
    with pytest.raises(NotAPicture):
        strip(raw)


def test_an_animation_is_refused():
    out = io.BytesIO()
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    with pytest.raises(NotAPicture):
        strip(out.getvalue())
