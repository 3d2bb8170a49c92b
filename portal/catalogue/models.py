"""Tables of the catalogue: Product, Course (a product of kind `course`), Price (history), CourseDraft, TransferOffer."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from portal.kit.db import Base, RowId, UtcDateTime, identifier, one_of


class ProductKind(StrEnum):
    """What a learner gets for the money."""

    COURSE = "course"
    PLAN = "plan"
    CREDIT_PACK = "credit_pack"


class Product(Base):
    """Anything that can be bought. `price_fen` is the current price, 0 for free; `id` is its public id."""

    __tablename__ = "products"
    __table_args__ = (
        one_of("kind", ProductKind),
        sa.CheckConstraint("price_fen >= 0", name="price_not_negative"),
    )
    __mapper_args__ = {"polymorphic_on": "kind"}

    id: Mapped[str] = mapped_column(identifier(64), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    title_zh: Mapped[str] = mapped_column(sa.String(120))
    title_en: Mapped[str] = mapped_column(sa.String(120))
    summary_zh: Mapped[str] = mapped_column(sa.String(1000))
    summary_en: Mapped[str] = mapped_column(sa.String(1000))
    price_fen: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3), default="CNY")
    is_on_sale: Mapped[bool] = mapped_column(sa.Boolean(create_constraint=True, name="is_on_sale"))
    position: Mapped[int] = mapped_column(sa.Integer, default=0)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def is_free(self) -> bool:
        """Tell whether the product needs no payment at all."""
        return self.price_fen == 0

    def title(self, locale: str) -> str:
        """Return the title in the language of `locale` (`en…`, else Chinese)."""
        return self.title_en if locale.startswith("en") else self.title_zh

    def summary(self, locale: str) -> str:
        """Return the summary in the language of `locale` (`en…`, else Chinese)."""
        return self.summary_en if locale.startswith("en") else self.summary_zh


class Course(Product):
    """A course, by the id that the extension knows it by.

    `license_days` is how long a license lasts. `chapters` is a list of
    `{"id", "title_zh", "title_en", "protected"}`. `gitee`, when present, goes into each license.
    """

    __tablename__ = "courses"
    __mapper_args__ = {"polymorphic_identity": ProductKind.COURSE.value}

    id: Mapped[str] = mapped_column(sa.ForeignKey("products.id"), primary_key=True)
    level: Mapped[str] = mapped_column(sa.String(16))
    estimated_hours: Mapped[int] = mapped_column(sa.Integer)
    license_days: Mapped[int] = mapped_column(sa.Integer)
    max_downloads: Mapped[int] = mapped_column(sa.Integer)
    chapters: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    gitee: Mapped[dict[str, str] | None] = mapped_column(sa.JSON(none_as_null=True))

    @property
    def has_protected_content(self) -> bool:
        """Tell whether any chapter needs a license."""
        return any(chapter["protected"] for chapter in self.chapters)


class Price(Base):
    """What a product cost from a moment on; rows are added and never changed."""

    __tablename__ = "prices"
    __table_args__ = (sa.CheckConstraint("amount_fen >= 0", name="amount_not_negative"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    product_id: Mapped[str] = mapped_column(sa.ForeignKey("products.id"), index=True)
    amount_fen: Mapped[int] = mapped_column(sa.BigInteger)
    currency: Mapped[str] = mapped_column(sa.String(3))
    valid_from: Mapped[datetime] = mapped_column(UtcDateTime)


class DraftStatus(StrEnum):
    """What became of a change that an instructor prepared."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class CourseDraft(Base):
    """A change of a course that waits for an admin, or waited.

    `before` and `after` are what staff can change of a course (`services.py: CourseFacts`), whole. `seen` is when the
    course had been changed last: once it is changed again, or a release lets staff change other things, the draft is
    overtaken and cannot be approved any more.
    `prepared_by` and `decided_by` are actors as the audit names them.
    """

    __tablename__ = "course_drafts"
    __table_args__ = (one_of("status", DraftStatus), sa.Index("ix_course_drafts_status_id", "status", "id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    public_id: Mapped[str] = mapped_column(identifier(32), unique=True)
    course_id: Mapped[str] = mapped_column(sa.ForeignKey("products.id"), index=True)
    status: Mapped[str] = mapped_column(sa.String(16))
    before: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    after: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    seen: Mapped[datetime] = mapped_column(UtcDateTime)
    prepared_by: Mapped[str] = mapped_column(identifier(64))
    decided_by: Mapped[str | None] = mapped_column(identifier(64))
    refusal: Mapped[str | None] = mapped_column(sa.String(500))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def is_waiting(self) -> bool:
        """Tell whether nobody has decided yet."""
        return self.status == DraftStatus.WAITING

    @property
    def changed(self) -> list[str]:
        """Return the names of what it changes."""
        return [name for name, value in self.after.items() if value != self.before.get(name)]


class OfferMode(StrEnum):
    """Whether a course is sold by transfer to its instructor."""

    OFF = "off"
    BESIDE = "beside"
    """Beside the payment gateway."""
    ONLY = "only"
    """Instead of it."""


class TransferOffer(Base):
    """How a course is paid by transfer: to whom, and the receiver's own code. A course without a row is not.

    `receiver` is the WeChat name that the payer sees; the notes tell what else to mind. A change counts for open
    orders too, so that a code that was wrong is shown to nobody any more.
    """

    __tablename__ = "transfer_offers"
    __table_args__ = (
        one_of("mode", OfferMode),
        sa.CheckConstraint("mode = 'off' OR picture_id IS NOT NULL", name="picture"),
    )

    course_id: Mapped[str] = mapped_column(sa.ForeignKey("products.id"), primary_key=True)
    mode: Mapped[str] = mapped_column(sa.String(8))
    receiver: Mapped[str] = mapped_column(sa.String(60))
    note_zh: Mapped[str] = mapped_column(sa.String(500))
    note_en: Mapped[str] = mapped_column(sa.String(500))
    picture_id: Mapped[int | None] = mapped_column(sa.ForeignKey("pictures.id"))
    version: Mapped[int] = mapped_column(sa.Integer)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)

    def note(self, locale: str) -> str:
        """Return the note in the language of `locale` (`en…`, else Chinese)."""
        return self.note_en if locale.startswith("en") else self.note_zh
