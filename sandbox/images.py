"""Pictures of complaints: uploaded by merchants and payers, fetched with a signed GET."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from typing import Any

from . import errors
from .clock import Clock
from .store import Store

MOST_BYTES = 2 << 20
TYPES = {
    b"\xff\xd8\xff": ("jpg", "image/jpeg"),
    b"\x89PNG": ("png", "image/png"),
    b"BM": ("bmp", "image/bmp"),
}
"""The first bytes of what is taken, and what it is."""
_NAME = re.compile(rb'name="([^"]*)"')


@dataclass(frozen=True)
class Upload:
    """A multipart body in its two parts."""

    meta: bytes
    file: bytes


class Images:
    """The pictures of all merchants."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def keep(self, mchid: str, content: bytes) -> str:
        """Keep a picture; returns its media_id.

        Raises:
            ApiError: too large, or neither jpg, png nor bmp.
        """
        found = next((kind for start, kind in TYPES.items() if content.startswith(start)), None)
        if found is None:
            raise errors.param_error("图片格式不支持，仅支持jpg、png、bmp", "/file", "body")
        if len(content) > MOST_BYTES:
            raise errors.param_error("图片大小超过2M", "/file", "body")
        media_id = f"{secrets.token_hex(16).upper()}.{found[0]}"
        self._store.insert(
            "images", media_id=media_id, mchid=mchid, content=content, content_type=found[1],
            created_at=self._clock.now(),
        )  # fmt: skip
        return media_id

    def fetch(self, mchid: str, media_id: str) -> tuple[bytes, str]:
        """A picture and its type.

        Raises:
            ApiError: 403 another merchant's, 400 unknown.
        """
        row = self._store.row("SELECT * FROM images WHERE media_id = ?", media_id)
        if row is None:
            raise errors.invalid_request("图片不存在")
        if row["mchid"] != mchid:
            raise errors.no_auth("没有权限查看该图片")
        return row["content"], row["content_type"]

    def check(self, mchid: str, media_ids: list[str], pointer: str) -> None:
        """Raise ApiError unless all are this merchant's."""
        for media_id in media_ids:
            known = "SELECT 1 FROM images WHERE media_id = ? AND mchid = ?"
            if self._store.row(known, media_id, mchid) is None:
                raise errors.param_error("图片不存在", pointer, "body", media_id)


def parts_of(body: bytes) -> Upload:
    """Take a multipart body apart.

    The boundary is read from the body itself, because a widely used client leaves it out of the header.

    Raises:
        ApiError: it is anything else than `meta` and `file`.
    """
    boundary, _, _ = body.partition(b"\r\n")
    found: dict[bytes, bytes] = {}
    if boundary.startswith(b"--") and len(boundary) > 2:
        for part in body.split(boundary)[1:-1]:
            head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            if name := _NAME.search(head):
                found[name[1]] = content.removesuffix(b"\r\n")
    if found.keys() != {b"meta", b"file"}:
        raise errors.invalid_request("请求包体不是合法的multipart/form-data，应含meta与file")
    return Upload(found[b"meta"], found[b"file"])


def check_meta(upload: Upload) -> None:
    """Raise ApiError unless `meta` names the file and has its SHA-256."""
    try:
        meta: Any = json.loads(upload.meta)
    except (ValueError, RecursionError):
        meta = None
    if not isinstance(meta, dict) or meta.keys() != {"filename", "sha256"}:
        raise errors.param_error("meta应含filename与sha256", "/meta", "body")
    name, digest = meta["filename"], meta["sha256"]
    if not isinstance(name, str) or not re.fullmatch(
        r"[^/\\]{1,124}\.(jpg|jpeg|png|bmp)", name, re.IGNORECASE
    ):
        raise errors.param_error("文件名须以.jpg、.png、.bmp为后缀", "/meta/filename", "body", name)
    if not isinstance(digest, str) or digest.lower() != hashlib.sha256(upload.file).hexdigest():
        raise errors.param_error("文件的sha256不一致", "/meta/sha256", "body", digest)
