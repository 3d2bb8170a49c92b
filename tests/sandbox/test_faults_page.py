"""The page of faults: what a person can turn without the control API."""

from __future__ import annotations

import pytest
import requests


@pytest.fixture
def page(sandbox):
    """A browser without script."""

    class Page(requests.Session):
        def open(self, query=""):
            return self.get(f"{sandbox.url}/faults{query}", timeout=5)

        def press(self, action, **form):
            return self.post(f"{sandbox.url}/faults/{action}", data=form, timeout=15)

    return Page()


def test_the_phone_leads_to_it_and_it_leads_back(page, sandbox):
    assert 'href="/faults"' in page.get(f"{sandbox.url}/phone", timeout=5).text
    assert 'href="/phone"' in page.open().text


def test_a_fault_is_ordered_listed_and_taken_back(page, sandbox, merchant):
    shown = page.press(
        "order", route="create", kind="5xx", times="2", out_trade_no="", more='{"status": 503}'
    )
    assert "create · 5xx" in shown.text
    assert merchant.create(merchant.order()).status_code == 503
    (fault,) = sandbox.get("/faults")["faults"]
    assert "命中 1 次" in page.open().text
    assert "没有故障" in page.press("take-back", fault_id=fault["id"]).text
    assert merchant.create(merchant.order()).status_code == 200


def test_order_numbers_of_digits_stay_text(page, sandbox):
    page.press("order", route="query", kind="delay", seconds="0.5", out_trade_no="202612310001")
    (fault,) = sandbox.get("/faults")["faults"]
    assert (fault["out_trade_no"], fault["seconds"]) == ("202612310001", 0.5)


def test_all_faults_can_be_taken_back_at_once(page, sandbox):
    page.press("order", route="create", kind="5xx")
    page.press("order", route="notify", kind="never_notify")
    page.press("take-back")
    assert sandbox.get("/faults")["faults"] == []


def test_switches_keys_and_clock(page, sandbox):
    page.press("turn", never_notify="true", refund_seconds="30", public_key="both", reorder_error="400")
    switches = sandbox.get("/state")["switches"]
    assert switches["never_notify"] is True
    assert (switches["refund_seconds"], switches["public_key"], switches["reorder_error"]) == (
        30,
        "both",
        "400",
    )
    page.press("clock", offset="-600")
    assert sandbox.get("/state")["clock_offset"] == -600


def test_the_random_mix_is_set_and_stopped(page, sandbox):
    page.press("chaos", rate="0.5", seed="9", kinds="5xx, 429")
    told = sandbox.get("/state")["chaos"]
    assert (told["rate"], told["seed"], told["kinds"]) == (0.5, 9, ["5xx", "429"])
    page.press("chaos")
    assert sandbox.get("/state")["chaos"]["rate"] == 0


def test_notifications_are_delivered_again_and_released(page, sandbox, merchant, shop):
    number, code_url = merchant.placed(notify_url=shop.url)
    sandbox.post("/pay", code_url=code_url, notify=False)
    assert "已扣留" in page.open().text
    (entry,) = sandbox.get("/notifications", out_trade_no=number)["notifications"]
    page.press("release", out_trade_no=number, sequence=entry["id"])
    page.press("redeliver", id=entry["id"], times="2")
    assert len(shop.received) == 3


def test_refunds_are_settled_and_made_by_hand(page, sandbox, merchant, paid):
    sandbox.post("/switch", refund_mode="manual")
    told = merchant.refunded(paid(), 100)
    assert "¥1.00" in page.open().text
    page.press("settle", out_refund_no=told["out_refund_no"], outcome="ABNORMAL")
    assert merchant.query_refund(told["out_refund_no"]).json()["status"] == "ABNORMAL"
    page.press("console-refund", out_trade_no=told["out_trade_no"], amount="200")
    assert [refund["amount"] for refund in sandbox.get("/refunds")["refunds"]] == [100, 200]


@pytest.mark.parametrize(
    ("action", "form", "status"),
    [
        ("order", {"route": "create", "kind": "wrong_hash"}, 400),
        ("order", {"route": "create", "kind": "5xx", "more": "{"}, 400),
        ("order", {"route": "create", "kind": "5xx", "times": "many"}, 400),
        ("clock", {"offset": "now"}, 400),
        ("turn", {"refund_mode": "never"}, 400),
        ("chaos", {"rate": "7"}, 400),
        ("settle", {}, 404),
        ("settle", {"out_refund_no": "X"}, 404),
        ("redeliver", {"id": "X"}, 404),
        ("console-refund", {"out_trade_no": "X"}, 409),
        ("nothing", {}, 404),
    ],
)
def test_what_makes_no_sense_is_told_on_the_page(page, action, form, status):
    answer = page.press(action, **form)
    assert answer.status_code == status
    assert 'role="alert"' in answer.text


def test_english_stays_on_both_pages(page, sandbox):
    assert "Order a fault" in page.open("?lang=en").text
    assert "Waiting to be paid" in page.get(f"{sandbox.url}/phone", timeout=5).text
