"""Faults of notifications: kept back, late, changed, spoilt, in another order, more than once."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def fault(sandbox):
    def order(kind, **fields):
        return sandbox.post("/faults", route="notify", kind=kind, **fields)["id"]

    return order


@pytest.fixture
def bought(sandbox, merchant, shop):
    def buy(number=None):
        number, code_url = merchant.placed(number, notify_url=shop.url)
        sandbox.post("/pay", code_url=code_url)
        return number

    return buy


def events(shop):
    return [json.loads(body)["event_type"] for _, body in shop.received]


def test_one_order_can_be_kept_quiet(sandbox, fault, bought, shop):
    fault("never_notify", out_trade_no="QUIET-1")
    bought("QUIET-1")
    bought("LOUD-01")
    shop.wait_for(1)
    (quiet,) = sandbox.get("/notifications", out_trade_no="QUIET-1")["notifications"]
    assert quiet["state"] == "withheld"


@pytest.mark.parametrize(
    "sequence",
    [["TRANSACTION.SUCCESS", "REFUND.SUCCESS"], ["REFUND.SUCCESS", "TRANSACTION.SUCCESS"]],
)
def test_what_was_kept_back_comes_in_any_order(sandbox, merchant, fault, bought, shop, sequence):
    sandbox.post("/switch", refund_mode="manual")
    fault("never_notify")
    number = bought()
    told = merchant.refunded(number, notify_url=shop.url)
    sandbox.post(f"/refunds/{told['out_refund_no']}/settle")
    assert shop.received == []
    answer = sandbox.post("/notifications/release", out_trade_no=number, sequence=sequence)
    assert events(shop) == sequence
    assert [entry["status"] for entry in answer["released"]] == [204, 204]
    assert sandbox.post("/notifications/release", out_trade_no=number) == {"released": []}


def test_a_release_that_is_refused_is_delivered_again(sandbox, fault, bought, shop):
    fault("never_notify", times=1)
    number = bought()
    shop.answers = [500]
    sandbox.post("/notifications/release", out_trade_no=number)
    sandbox.post("/clock", offset=16)
    shop.wait_for(2)


def test_only_what_was_kept_back_is_released(sandbox, bought, shop):
    number = bought()
    shop.wait_for(1)
    answer = sandbox.try_post("/notifications/release", out_trade_no=number, sequence=["TRANSACTION.SUCCESS"])
    assert answer.status_code == 404


def test_late(sandbox, fault, bought, shop):
    fault("delay", seconds=600)
    number = bought()
    (entry,) = sandbox.get("/notifications", out_trade_no=number)["notifications"]
    assert (entry["state"], entry["deliveries"]) == ("pending", [])
    sandbox.post("/clock", offset=601)
    shop.wait_for(1)


def test_changed_and_rightly_signed(merchant, fault, bought, shop):
    fault("mutate", set={"amount.total": 1, "payer": None})
    bought()
    ((headers, body),) = shop.wait_for(1)
    assert merchant.verifies(headers, body)
    told = json.loads(merchant.decrypt(json.loads(body)["resource"]))
    assert told["amount"]["total"] == 1
    assert "payer" not in told


@pytest.mark.parametrize("kind", ["unsigned", "bad_signature", "signtest", "bad_serial"])
def test_spoilt_once_and_good_the_next_time(sandbox, merchant, fault, bought, shop, until, kind):
    fault(kind, times=1)
    shop.answers = [401]
    number = bought()
    until(lambda: sandbox.deliveries(number))
    sandbox.post("/clock", offset=16)
    (first, body), (second, _) = shop.wait_for(2)
    assert not merchant.verifies(first, body)
    assert merchant.verifies(second, body)


def test_stale(sandbox, fault, bought, shop, merchant):
    fault("stale", seconds=400)
    bought()
    ((headers, body),) = shop.wait_for(1)
    assert merchant.verifies(headers, body)
    assert int(headers["Wechatpay-Timestamp"]) <= sandbox.world.clock.now() - 400


def test_more_than_once_though_it_was_accepted(fault, bought, shop):
    fault("duplicate", copies=3)
    bought()
    received = shop.wait_for(4)
    assert len({json.loads(body)["id"] for _, body in received}) == 1


def test_a_fault_of_every_route_of_the_api_leaves_notifications_alone(sandbox, merchant, bought, shop):
    number, code_url = merchant.placed(notify_url=shop.url)
    sandbox.post("/faults", route="*", kind="unsigned")
    sandbox.post("/pay", code_url=code_url)
    ((headers, body),) = shop.wait_for(1)
    assert merchant.verifies(headers, body)


@pytest.mark.parametrize(
    "fields",
    [
        {"route": "notify", "kind": "5xx"},
        {"route": "create", "kind": "duplicate"},
        {"route": "*", "kind": "never_notify"},
        {"route": "notify", "kind": "duplicate", "copies": 0},
    ],
)
def test_nonsense_is_refused(sandbox, fields):
    assert sandbox.try_post("/faults", **fields).status_code == 400


def test_releasing_nonsense_is_refused(sandbox):
    assert sandbox.try_post("/notifications/release").status_code == 400
    assert sandbox.try_post("/notifications/release", out_trade_no="X", sequence="Y").status_code == 400
