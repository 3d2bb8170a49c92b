"""What a learner bought, or began to."""

from typing import Any

from flask import Response
from flask_babel import get_locale

from portal.devices.models import Scope
from portal.kit import clock
from portal.payments.attempts import WECHAT_PAY
from portal.refunds.models import Refund
from portal.refunds.transactions import PAYMENT, REFUND, Transaction, Wanted, transactions_of
from portal.web.api.answers import answer, written
from portal.web.api.limits import per_account
from portal.web.api.resource import Resource
from portal.web.api.v1 import schemas
from portal.web.bearer import learner_of_token, needs

bp = Resource("transactions", __name__, "/payments/transactions", "What was bought.")


@bp.get("")
@needs(Scope.PURCHASE)
@per_account
@bp.arguments(schemas.TransactionQuery, location="query")
@bp.response(200, schemas.Transactions)
def transactions(query: dict[str, Any]) -> Response:
    """List the learner's transactions, newest first."""
    wanted = Wanted(**query)
    found, total = transactions_of(learner_of_token(), wanted)
    facts = {
        "items": [_facts(one) for one in found],
        "page": wanted.page,
        "limit": wanted.limit,
        "total": total,
    }
    return answer(written(schemas.Transactions, facts))


def _facts(found: Transaction) -> dict[str, Any]:
    return _refund_facts(found, found.refund) if found.refund else _purchase_facts(found)


def _purchase_facts(found: Transaction) -> dict[str, Any]:
    order, paid = found.order, found.paid
    return {
        **_common_facts(found),
        "id": order.public_id,
        "type": PAYMENT,
        "amount": order.amount_fen,
        "transaction_id": paid.transaction_id if paid else None,
        "created_at": clock.iso(order.created_at),
        "paid_at": clock.iso(paid.paid_at) if paid and paid.paid_at else None,
        "license_id": found.license_id,
    }


def _refund_facts(found: Transaction, refund: Refund) -> dict[str, Any]:
    return {
        **_common_facts(found),
        "id": refund.out_refund_no,
        "type": REFUND,
        "amount": refund.amount_fen,
        "transaction_id": refund.refund_id,
        "created_at": clock.iso(refund.created_at),
        "paid_at": clock.iso(refund.succeeded_at) if refund.succeeded_at else None,
        "license_id": None,
    }


def _common_facts(found: Transaction) -> dict[str, Any]:
    order = found.order
    return {
        "session_id": order.public_id,
        "status": found.status,
        "currency": order.currency,
        "payment_method": found.gateway or WECHAT_PAY,
        "product": {
            "id": order.product_id,
            "kind": order.product_kind,
            "title": order.title(str(get_locale())),
        },
    }
