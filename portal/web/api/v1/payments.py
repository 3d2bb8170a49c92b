"""Payment sessions and the ways to pay. A session is an order's checkout; its id is the order's."""

import re
from typing import Any

from flask import Response, request
from flask_babel import gettext as _

from portal.catalogue.models import ProductKind
from portal.devices.models import Scope
from portal.idempotency import services as idempotency
from portal.idempotency.services import Call
from portal.kit.errors import BadRequest, Conflict
from portal.learners.models import Learner
from portal.orders.models import OrderStatus
from portal.payments.attempts import TRANSFER, WECHAT_PAY
from portal.payments.close import close_order, start_closing
from portal.payments.once import BegunOnce, Recording, begin_checkout_once
from portal.payments.queries import Purchase, purchase_of
from portal.payments.start import record_checkout
from portal.payments.watch import note_watcher
from portal.transfers.start import begin_transfer
from portal.web.api.answers import REPLAYED, answer, is_known, not_modified, with_headers, written
from portal.web.api.limits import changes, new_orders, per_account, per_address, per_session
from portal.web.api.resource import Resource, known_form, path_id
from portal.web.api.v1 import schemas
from portal.web.api.v1.session_facts import session_etag, session_facts
from portal.web.bearer import learner_of_token, needs
from portal.web.tools import tools

bp = Resource("payments", __name__, "/payments", "Buy a course.")

_SESSION_ID = re.compile(schemas.SESSION_ID, re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A random text of one's own for this call; a repeat with it has no second effect.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}


_RECORDINGS: dict[str, Recording] = {WECHAT_PAY: record_checkout, TRANSFER: begin_transfer}


class IdempotencyKeyMissing(BadRequest):
    """There is no usable `Idempotency-Key`."""

    code = "idempotency_key_missing"


class AlreadyPaid(Conflict):
    """The money was faster than the wish to cancel; `facts["session"]` is the session."""

    code = "already_paid"


@bp.post("/sessions")
@needs(Scope.PURCHASE)
@changes
@new_orders
@bp.arguments(schemas.NewSession)
@bp.response(201, schemas.Session)
@bp.alt_response(200, schema=schemas.Session, description="The open session of this learner for this product")
@bp.doc(parameters=[_KEY_PARAMETER])
def begin(body: dict[str, Any]) -> Response:
    """Open a session, or return the one that is open, in whichever way it is to be paid."""
    learner = learner_of_token()
    asked = _call(learner, body)
    record = _RECORDINGS[body["payment_method"]]
    begun = begin_checkout_once(learner, body["product_id"], asked, tools(), record)
    if begun.answer is not None:
        replayed = with_headers(Response(begun.answer, begun.status, content_type="application/json"))
        replayed.headers[REPLAYED] = "true"
        return replayed
    return _first_answer(learner, begun)


def _call(learner: Learner, body: dict[str, Any]) -> Call:
    key = request.headers.get("Idempotency-Key", "")
    if not _KEY.fullmatch(key):
        raise IdempotencyKeyMissing
    route = str(request.url_rule)
    return idempotency.call(f"learner:{learner.public_id}", request.method, route, key, body)


def _first_answer(learner: Learner, begun: BegunOnce) -> Response:
    try:
        text = written(
            schemas.Session, session_facts(purchase_of(learner, begun.order_public_id, with_qr=True))
        )
        idempotency.finish(begun.claim, text)
    except BaseException:
        idempotency.release(begun.claim)
        raise
    return answer(text, begun.status)


@bp.get("/sessions/<session_id>", parameters=path_id("session_id", schemas.SESSION_ID, "The session's id."))
@needs(Scope.PURCHASE)
@per_account
@per_session
@bp.arguments(schemas.Nothing, location="query")
@bp.response(200, schemas.Session)
def session(_query: dict[str, Any], session_id: str) -> Response:
    """Show a session. Poll it after `poll_after` seconds, with the last ETag in `If-None-Match`."""
    purchase = _purchase(session_id)
    if purchase.order.is_open:
        note_watcher(session_id, purchase.order.created_at)
    etag = session_etag(purchase)
    if is_known(etag):
        return not_modified(etag)
    return answer(written(schemas.Session, session_facts(purchase)), etag=etag)


def _purchase(session_id: str) -> Purchase:
    return purchase_of(learner_of_token(), known_form(_SESSION_ID, session_id), with_qr=True)


@bp.post("/cancel")
@needs(Scope.PURCHASE)
@changes
@bp.arguments(schemas.Cancelled)
@bp.response(200, schemas.Session)
@bp.alt_response(
    202, schema=schemas.Session, description="WeChat Pay has not confirmed the end yet; it goes on by itself"
)
def cancel(body: dict[str, Any]) -> Response:
    """Cancel a session: at WeChat Pay first, then here. One that has ended otherwise is answered as it is."""
    purchase = _purchase(body["session_id"])
    actor = f"learner:{learner_of_token().public_id}"
    if start_closing(purchase.order, OrderStatus.CANCELLED, actor, reason=body.get("reason")):
        close_order(purchase.order.id, tools())
    # Whether it was closed or was no more to be closed: somebody else may have been faster since it was read.
    purchase = _purchase(body["session_id"])
    facts = session_facts(purchase)
    if purchase.order.is_paid:
        raise AlreadyPaid(session=schemas.Session().dump(facts))
    return answer(written(schemas.Session, facts), 202 if purchase.order.is_open else 200)


@bp.get("/methods")
@per_address
@bp.arguments(schemas.Nothing, location="query")
@bp.response(200, schemas.Methods)
def methods(_query: dict[str, Any]) -> Response:
    """List the ways to pay."""
    wechat_pay = {
        "id": WECHAT_PAY,
        "name": _("WeChat Pay"),
        "available": tools().gateway(WECHAT_PAY).refuses_orders() is None,
        "currencies": ["CNY"],
        "kinds": [ProductKind.COURSE.value],
    }
    transfer = {
        "id": TRANSFER,
        "name": _("Transfer to the instructor"),
        "available": True,
        "currencies": ["CNY"],
        "kinds": [ProductKind.COURSE.value],
    }
    return answer(written(schemas.Methods, {"items": [wechat_pay, transfer]}))
