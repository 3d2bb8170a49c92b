"""The table of signs of life."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, UtcDateTime, identifier


class Heartbeat(Base):
    """When something that must go on by itself (`worker`) last did."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(identifier(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
