"""The table of comments that staff leave on orders."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, RowId, UtcDateTime, identifier


class OrderComment(Base):
    """A comment. Added, never changed; learners do not see it. `form_token` makes a form sent twice one comment."""

    __tablename__ = "order_comments"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey("orders.id"), index=True)
    actor: Mapped[str] = mapped_column(identifier(64))
    text: Mapped[str] = mapped_column(sa.String(500))
    form_token: Mapped[str] = mapped_column(identifier(32), unique=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
