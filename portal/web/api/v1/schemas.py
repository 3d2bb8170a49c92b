"""The shapes of the API: what a caller may send, and all that it can get."""

from typing import Any

import marshmallow as ma
from marshmallow import fields as f

from portal.licenses.services import LicenseCode
from portal.web.api.parsing import QueryDate, QueryInteger, Text

SESSION_STATES = ("pending", "paid", "completed", "expired", "cancelled", "failed", "refunded")
LICENSE_STATES = ("active", "expired", "revoked", "superseded")
PAYMENT_METHODS = ("wechat_pay", "transfer")
TRANSACTION_TYPES = ("payment", "refund")
SESSION_ID = "[0-9a-z]{20}"
LICENSE_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
PRODUCT_ID = "[a-z0-9][a-z0-9-]{1,62}[a-z0-9]"


class Shape(ma.Schema):
    """A strict object: unknown fields are refused, and fields come in the order they stand here."""

    class Meta:
        unknown = ma.RAISE


def says(text: str, **more: Any) -> dict[str, Any]:
    """Return the description of a field."""
    return {"description": text, **more}


class Nothing(Shape):
    """A query without parameters."""


class Moment(f.String):
    """UTC, ISO 8601 with `Z`."""

    def __init__(self, description: str, **options: Any) -> None:
        example = "2026-11-20T08:00:00.000Z"
        super().__init__(metadata=says(description, format="date-time", examples=[example]), **options)


class CourseQuery(Shape):
    """What to search for."""

    q = Text(200, metadata=says("Words to find in titles, summaries and ids, in both languages."))


class Course(Shape):
    """A course as it is sold."""

    id = f.String(required=True)
    title = f.String(required=True)
    description = f.String(required=True)
    level = f.String(required=True)
    estimated_hours = f.Integer(required=True)
    is_free = f.Boolean(required=True)
    amount = f.Integer(required=True, metadata=says("Price in fen (1 yuan = 100 fen)."))
    currency = f.String(required=True)
    license_days = f.Integer(required=True, metadata=says("How long a license lasts."))
    owned = f.Boolean(metadata=says("Only with a token that allows `catalog`."))
    payment_methods = f.List(
        f.String(), required=True, metadata=says("The ways to pay for it; none for a free one.")
    )
    buy_url = f.String(required=True, metadata=says("The page to buy it on.", format="uri"))


class Courses(Shape):
    """A list of courses."""

    items = f.List(f.Nested(Course), required=True)


class NewSession(Shape):
    """What to buy, and how. The price is the portal's; no amount is taken."""

    product_id = Text(200, required=True, metadata=says("The course's id."))
    payment_method = f.String(required=True, validate=ma.validate.OneOf(PAYMENT_METHODS))


class Cancelled(Shape):
    """Which session to cancel."""

    session_id = Text(200, required=True)
    reason = Text(200, metadata=says("Kept with the order; no one else sees it."))


class Product(Shape):
    """What is bought."""

    id = f.String(required=True)
    kind = f.String(required=True)
    title = f.String(required=True)


class SessionLicense(Shape):
    """The license that was paid for."""

    id = f.String(required=True)
    course_id = f.String(required=True)
    key = f.String(required=True, metadata=says("The license text."))
    expires_at = Moment("Its end.", required=True)


class Session(Shape):
    """A checkout: one order and its payment."""

    id = f.String(required=True)
    status = f.String(
        required=True,
        validate=ma.validate.OneOf(SESSION_STATES),
        metadata=says("`paid`: money confirmed, license not yet made. `completed`: license inside."),
    )
    product = f.Nested(Product, required=True)
    amount = f.Integer(required=True, metadata=says("In fen."))
    currency = f.String(required=True)
    payment_method = f.String(required=True)
    payment_url = f.String(required=True, metadata=says("The page of this session.", format="uri"))
    code_url = f.String(
        required=True, allow_none=True, metadata=says("The text of the QR code, while it can be paid.")
    )
    qr_svg = f.String(required=True, allow_none=True, metadata=says("The QR code, drawn."))
    expires_at = Moment("Until when it can be paid.", required=True)
    poll_after = f.Integer(required=True, metadata=says("Seconds until it is worth asking again."))
    license = f.Nested(SessionLicense, required=True, allow_none=True)
    message = f.String(required=True, metadata=says("What the learner can do, in the caller's language."))


class TransactionQuery(Shape):
    """Which transactions."""

    page = QueryInteger(load_default=1, validate=ma.validate.Range(1, 100_000))
    limit = QueryInteger(load_default=20, validate=ma.validate.Range(1, 100))
    type = f.String(validate=ma.validate.OneOf(TRANSACTION_TYPES))
    status = f.String(validate=ma.validate.OneOf(SESSION_STATES))
    date_from = QueryDate(metadata=says("The first day, in UTC."))
    date_to = QueryDate(metadata=says("The last day, in UTC; the day itself counts."))


class Transaction(Shape):
    """Something that was bought, or was to be; or money that goes or went back for it."""

    id = f.String(required=True, metadata=says("The session's id; of a refund its own number."))
    session_id = f.String(required=True, metadata=says("The session that it belongs to."))
    type = f.String(required=True, validate=ma.validate.OneOf(TRANSACTION_TYPES))
    status = f.String(required=True, validate=ma.validate.OneOf(SESSION_STATES))
    amount = f.Integer(required=True, metadata=says("In fen."))
    currency = f.String(required=True)
    payment_method = f.String(required=True)
    product = f.Nested(Product, required=True)
    transaction_id = f.String(
        required=True, allow_none=True, metadata=says("WeChat Pay's number, once paid (or accepted).")
    )
    created_at = Moment("When it was begun.", required=True)
    paid_at = Moment("When it was paid, or paid back.", required=True, allow_none=True)
    license_id = f.String(required=True, allow_none=True)


class Transactions(Shape):
    """A page of transactions, newest first; `total` counts all that match."""

    items = f.List(f.Nested(Transaction), required=True)
    page = f.Integer(required=True)
    limit = f.Integer(required=True)
    total = f.Integer(required=True)


class Method(Shape):
    """A way to pay."""

    id = f.String(required=True)
    name = f.String(required=True)
    available = f.Boolean(required=True)
    currencies = f.List(f.String(), required=True)
    kinds = f.List(f.String(), required=True, metadata=says("Kinds of products it can pay for."))


class Methods(Shape):
    """All ways to pay."""

    items = f.List(f.Nested(Method), required=True)


class License(Shape):
    """One of the learner's licenses. `key` is null once it is revoked or replaced."""

    id = f.String(required=True)
    course_id = f.String(required=True)
    status = f.String(required=True, validate=ma.validate.OneOf(LICENSE_STATES))
    issued_at = Moment("When it was made.", required=True)
    expires_at = Moment("Its end.", required=True)
    order_id = f.String(required=True, allow_none=True, metadata=says("Null when it was granted."))
    key = f.String(required=True, allow_none=True, metadata=says("The license text."))


class Licenses(Shape):
    """The learner's licenses, newest first."""

    items = f.List(f.Nested(License), required=True)


class LicenseQuestion(Shape):
    """A license text to judge."""

    key = Text(60_000, r"^[^\u0000]*$", required=True, metadata=says("The license text."))
    course_id = Text(200, metadata=says("The course it must be for, if that matters."))


class JudgedLicense(Shape):
    """What the text says, when its signature is good."""

    id = f.String(required=True)
    course_id = f.String(required=True)
    issued_at = Moment("When it was made.", required=True)
    expires_at = Moment("Its end.", required=True)


class Verdict(Shape):
    """The verdict on a license text."""

    valid = f.Boolean(required=True)
    code = f.String(required=True, validate=ma.validate.OneOf([code.value for code in LicenseCode]))
    license = f.Nested(JudgedLicense, required=True, allow_none=True)
    checked_at = Moment("When it was judged.", required=True)


class PublicKey(Shape):
    """A key that licenses are verified with."""

    kid = f.String(required=True)
    alg = f.String(required=True, validate=ma.validate.OneOf(["RS256"]))
    pem = f.String(required=True)
    status = f.String(required=True, validate=ma.validate.OneOf(["active", "verify_only", "revoked"]))
    not_before = Moment("Signs from here.", required=True)
    not_after = Moment("Signed until here.", required=True, allow_none=True)


class PublicKeys(Shape):
    """All keys in use."""

    keys = f.List(f.Nested(PublicKey), required=True)


class Me(Shape):
    """The account behind the token."""

    id = f.String(required=True)
    email = f.String(required=True)
    locale = f.String(required=True, validate=ma.validate.OneOf(["zh-CN", "en"]))
    role = f.String(required=True)


class FieldProblem(ma.Schema):
    """What is wrong with one field."""

    field = f.String(required=True)
    message = f.String(required=True)


class ProblemDocument(ma.Schema):
    """An error (RFC 9457). `code` does not change; `title` and `detail` are in the caller's language."""

    type = f.String(required=True, metadata=says("Where the code is explained.", format="uri"))
    title = f.String(required=True)
    status = f.Integer(required=True)
    detail = f.String(required=True)
    code = f.String(required=True)
    request_id = f.String(required=True, metadata=says("To quote to support."))
    errors = f.List(f.Nested(FieldProblem))
    license_id = f.String(allow_none=True, metadata=says("With `already_owned`: the license."))
    session = f.Nested(Session, metadata=says("With `already_paid`: the session."))
