"""The table of switches."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, UtcDateTime, one_of


class SwitchName(StrEnum):
    """What can be switched."""

    SALES_PAUSE = "sales_pause"
    """On: no order is begun; those begun go on. The texts say why."""
    BANNER = "banner"
    """On: the texts stand on every page."""
    HOLD = "hold"
    """On: a backup was restored (`hold.py`). Operators turn it; the texts are their reason, for the staff."""


OF_STAFF = (SwitchName.SALES_PAUSE, SwitchName.BANNER)
"""What staff turn in the browser, and what the texts tell everybody."""


class Switch(Base):
    """A switch, off when there is no row. `version` counts its changes."""

    __tablename__ = "switches"
    __table_args__ = (one_of("name", SwitchName),)

    name: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    is_on: Mapped[bool] = mapped_column(sa.Boolean(create_constraint=True, name="is_on"))
    text_zh: Mapped[str] = mapped_column(sa.String(300))
    text_en: Mapped[str] = mapped_column(sa.String(300))
    version: Mapped[int] = mapped_column(sa.Integer)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)

    def text(self, locale: str) -> str:
        """Return the text in the language of `locale` (`en…`, else Chinese)."""
        return self.text_en if locale.startswith("en") else self.text_zh
