"""The table of pictures."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, LongBytes, RowId, UtcDateTime, identifier, one_of


class MediaType(StrEnum):
    """What a picture may be."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    WEBP = "image/webp"


class Picture(Base):
    """A picture as it is served. Added and deleted, never changed; `sha256` is of `content`."""

    __tablename__ = "pictures"
    __table_args__ = (one_of("media_type", MediaType),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    media_type: Mapped[str] = mapped_column(sa.String(16))
    width: Mapped[int] = mapped_column(sa.Integer)
    height: Mapped[int] = mapped_column(sa.Integer)
    sha256: Mapped[str] = mapped_column(identifier(64))
    content: Mapped[bytes] = mapped_column(LongBytes)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
