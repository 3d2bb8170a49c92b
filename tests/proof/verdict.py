"""What must be true of an example of the state machine: at any moment, and once it is healed and at rest."""

import json

import sqlalchemy as sa
from flask import Flask

from portal.audit import services as audit
from portal.kit.db import db
from portal.licenses.models import License, LicenseStatus
from portal.licenses.services import LicenseCode, judge
from tests.proof.world import Model, World
from tests.support.books import PAID_STATES
from tests.support.rest import come_to_rest

_NEVER = (
    "SELECT order_id FROM entitlements WHERE order_id IS NOT NULL GROUP BY order_id HAVING COUNT(*) > 1",
    "SELECT learner_id, course_id FROM entitlements WHERE status = 'active' "
    "GROUP BY learner_id, course_id HAVING COUNT(*) > 1",
    "SELECT e.id FROM entitlements e LEFT JOIN payments p ON p.id = e.payment_id AND p.status = 'paid' "
    "WHERE p.id IS NULL AND e.grant_reason IS NULL",
    "SELECT p.id FROM payments p LEFT JOIN ledger_entries l ON l.source_type = 'payment' AND l.source_id = p.id "
    "WHERE p.status = 'paid' AND l.id IS NULL",
    "SELECT o.id FROM orders o LEFT JOIN entitlements e ON e.order_id = o.id "
    "WHERE o.status IN ('completed', 'refunded') AND e.id IS NULL",
    "SELECT id FROM payments WHERE refunded_fen > reserved_fen OR reserved_fen > amount_fen",
    "SELECT order_id FROM payments WHERE open_key IS NOT NULL GROUP BY order_id HAVING COUNT(*) > 1",
)


def broken_at_any_moment(app: Flask) -> list[tuple[str, object]]:
    """Return the statements that found a row which must never be, not even for a moment."""
    with app.app_context(), db.engine.connect() as connection:
        found = [(statement, connection.execute(sa.text(statement)).all()) for statement in _NEVER]
    return [(statement, rows) for statement, rows in found if rows]


def check(world: World, model: Model) -> None:
    """Let a healed world come to rest, and compare WeChat's books, the model's and ours."""
    _settles_within_ten_minutes(world)
    come_to_rest(world.shop, world.clock)
    differences = world.shop.differences()
    assert not differences, "\n".join(differences)
    _compare_the_model(world, model)
    _check_the_proofs(world)


def _paid_at_wechat(world: World) -> dict[str, int]:
    return {b["out_trade_no"]: b["total"] for b in world.shop.books() if b["state"] in PAID_STATES}


def _settles_within_ten_minutes(world: World) -> None:
    """Whatever was paid is on our books ten minutes after the last fault (I1)."""
    for seconds in (30, 90, 120, 120, 120, 120):
        world.clock.travel(seconds=seconds)
        world.shop.work()
    with world.app.app_context(), db.engine.connect() as connection:
        ours = connection.execute(sa.text("SELECT out_trade_no FROM payments WHERE status = 'paid'"))
        assert {row[0] for row in ours} == _paid_at_wechat(world).keys()


def _compare_the_model(world: World, model: Model) -> None:
    theirs = _paid_at_wechat(world)
    assert model.paid.items() <= theirs.items()
    assert model.may_pay_unseen or model.paid == theirs
    with world.app.app_context(), db.engine.connect() as connection:
        ours = connection.execute(
            sa.text(
                "SELECT o.public_id, o.amount_fen, p.amount_fen, p.request FROM orders o "
                "JOIN payments p ON p.order_id = o.id"
            )
        ).all()
    for order_id, asked, attempted, request in ours:
        body = json.loads(request) if isinstance(request, str) else request
        assert asked == attempted == body["amount"]["total"]
        if order_id in model.orders:
            assert asked == model.orders[order_id].price_fen, "a price seen is a price kept"


def _check_the_proofs(world: World) -> None:
    """Every license verifies under its own key, whichever were rotated meanwhile; the audit has no gap."""
    with world.app.app_context():
        for license_ in db.session.scalars(sa.select(License)).all():
            code, _ = judge(license_.text, license_.course_id, world.tools.key_ring)
            is_active = license_.status == LicenseStatus.ACTIVE
            assert code in ({LicenseCode.VALID, LicenseCode.EXPIRED} if is_active else {LicenseCode.REVOKED})
        while audit.seal():
            pass
        chain = audit.verify()
    assert (chain.unsealed, chain.broken_at) == (0, None)
