"""Notifications: sent at once, signed anew each time, repeated on the schedule until accepted."""

from __future__ import annotations

import json

from sandbox.notifications import RETRY_SECONDS


def test_a_payment_is_notified_encrypted_and_signed(sandbox, merchant, shop):
    number, code_url = merchant.placed(notify_url=shop.url)
    transaction = sandbox.post("/pay", code_url=code_url)
    ((headers, body),) = shop.wait_for(1)
    assert merchant.verifies(headers, body)
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == "Mozilla/4.0"
    assert headers["Request-ID"].endswith("-0")
    outer = json.loads(body)
    assert (outer["event_type"], outer["resource_type"]) == ("TRANSACTION.SUCCESS", "encrypt-resource")
    assert outer["resource"]["original_type"] == outer["resource"]["associated_data"] == "transaction"
    assert outer["resource"]["algorithm"] == "AEAD_AES_256_GCM"
    assert len(outer["resource"]["nonce"]) == 12
    told = json.loads(merchant.decrypt(outer["resource"]))
    assert told == transaction == merchant.query(number).json()


def test_200_and_204_end_it(sandbox, merchant, shop, until):
    for status in (200, 204):
        shop.answers = [status]
        number, code_url = merchant.placed(notify_url=shop.url)
        sandbox.post("/pay", code_url=code_url)
        until(lambda number=number: sandbox.deliveries(number))
        (notification,) = sandbox.get("/notifications", out_trade_no=number)["notifications"]
        assert (notification["state"], notification["due_at"]) == ("delivered", None)


def test_every_delivery_has_its_own_signature_and_the_same_body(sandbox, merchant, shop, until):
    shop.answers = [500]
    number, code_url = merchant.placed(notify_url=shop.url)
    sandbox.post("/pay", code_url=code_url)
    until(lambda: len(sandbox.deliveries(number)) == 1)
    sandbox.post("/clock", offset=16)
    (first, first_body), (second, second_body) = shop.wait_for(2)
    assert first_body == second_body
    for name in ("Wechatpay-Nonce", "Wechatpay-Signature", "Wechatpay-Timestamp", "Request-ID"):
        assert first[name] != second[name]
    assert merchant.verifies(second, second_body)


def test_failures_are_repeated_on_the_schedule_and_then_no_more(sandbox, merchant, shop, until):
    shop.answers = [400, 301, 302, 202, *[500] * 12]
    number, code_url = merchant.placed(notify_url=shop.url)
    sandbox.post("/pay", code_url=code_url)

    def notification():
        return sandbox.get("/notifications", out_trade_no=number)["notifications"][0]

    offset = 0.0
    for attempt, wait in enumerate(RETRY_SECONDS, start=1):
        until(lambda attempt=attempt: notification()["attempts"] == attempt)
        delivered_at = notification()["deliveries"][-1]["started_at"]
        assert abs(notification()["due_at"] - delivered_at - wait) < 1
        assert len(shop.received) == attempt
        offset += wait
        sandbox.post("/clock", offset=offset)
    until(lambda: notification()["attempts"] == 16)
    assert notification()["state"] == "given_up"
    statuses = [delivery["status"] for delivery in notification()["deliveries"]]
    assert statuses == [400, 301, 302, 202, *[500] * 12]
    assert sum(RETRY_SECONDS) == 24 * 3600 + 4 * 60


def test_an_unreachable_shop_counts_as_a_failure(sandbox, merchant, until):
    number, code_url = merchant.placed(notify_url="http://127.0.0.1:9/notify")
    sandbox.post("/pay", code_url=code_url)
    (delivery,) = until(lambda: sandbox.deliveries(number))
    assert (delivery["status"], delivery["is_accepted"]) == (None, False)
    assert "ConnectionError" in delivery["error"]


def test_an_answer_after_five_seconds_is_no_answer(sandbox, merchant, shop, until, monkeypatch):
    monkeypatch.setattr("sandbox.courier.ANSWER_SECONDS", 0.05)
    shop.answer_after = 0.2
    number, code_url = merchant.placed(notify_url=shop.url)
    sandbox.post("/pay", code_url=code_url)
    (delivery,) = until(lambda: sandbox.deliveries(number))
    assert (delivery["status"], delivery["error"]) == (None, "no answer within 5 seconds")


def test_a_slow_shop_does_not_hold_up_the_others(sandbox, merchant, shop):
    shop.answer_after = 0.3
    sandbox.post("/pay", code_url=merchant.placed(notify_url=shop.url)[1])
    for _ in range(5):
        sandbox.post("/pay", code_url=merchant.placed(notify_url=shop.url)[1])
    shop.wait_for(6, seconds=1)


class TestWithheld:
    def test_one_payment_can_go_without_a_notification(self, sandbox, merchant, shop):
        number, code_url = merchant.placed(notify_url=shop.url)
        sandbox.post("/pay", code_url=code_url, notify=False)
        (notification,) = sandbox.get("/notifications", out_trade_no=number)["notifications"]
        assert (notification["state"], shop.received) == ("withheld", [])

    def test_or_all_of_them(self, sandbox, merchant, shop):
        sandbox.post("/switch", never_notify=True)
        sandbox.post("/pay", code_url=merchant.placed(notify_url=shop.url)[1])
        assert sandbox.get("/state")["notifications"] == {"withheld": 1}

    def test_it_can_still_be_delivered_on_demand(self, sandbox, merchant, shop):
        number, code_url = merchant.placed(notify_url=shop.url)
        sandbox.post("/pay", code_url=code_url, notify=False)
        assert sandbox.post("/notifications/redeliver", out_trade_no=number)["statuses"] == [204]
        assert len(shop.received) == 1


def test_redelivery_repeats_a_notification_in_parallel(sandbox, merchant, shop, until):
    number, code_url = merchant.placed(notify_url=shop.url)
    sandbox.post("/pay", code_url=code_url)
    until(lambda: sandbox.deliveries(number))
    statuses = sandbox.post("/notifications/redeliver", out_trade_no=number, times=30, parallel=8)["statuses"]
    assert statuses == [204] * 30
    assert len({json.loads(body)["id"] for _, body in shop.received}) == 1
    assert len({headers["Wechatpay-Nonce"] for headers, _ in shop.received}) == 31


def test_a_probe_comes_first_and_the_retry_is_not_one(sandbox, merchant, shop, until):
    sandbox.post("/switch", signtest_rate=1)
    shop.answers = [401]
    number, code_url = merchant.placed(notify_url=shop.url)
    sandbox.post("/pay", code_url=code_url)
    until(lambda: sandbox.deliveries(number))
    sandbox.post("/clock", offset=16)
    (probe, body), (retry, _) = shop.wait_for(2)
    assert probe["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
    assert not merchant.verifies(probe, body)
    assert merchant.verifies(retry, body)
