"""The control API: the sandbox's books, its clock, and how it refuses nonsense."""

from __future__ import annotations

import pytest
import requests


def test_the_books_know_every_order_and_every_call(sandbox, merchant):
    number, code_url = merchant.placed()
    merchant.query(number)
    merchant.query(number)
    merchant.close(number)
    entry = sandbox.get(f"/orders/{number}")
    assert (entry["state"], entry["total"], entry["code_url"]) == ("CLOSED", 9900, code_url)
    assert entry["calls"] == {"create": 1, "query": 2, "close": 1}
    assert entry["request"]["description"] == "Python 入门课程"
    assert [order["out_trade_no"] for order in sandbox.get("/orders")["orders"]] == [number]


def test_the_log_of_requests_can_be_narrowed(sandbox, merchant):
    first, _ = merchant.placed()
    second, _ = merchant.placed()
    merchant.query(first)
    routes = [entry["route"] for entry in sandbox.get("/requests", out_trade_no=first)["requests"]]
    assert routes == ["create", "query"]
    (entry,) = sandbox.get("/requests", route="create", out_trade_no=second)["requests"]
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/v3/pay/transactions/native", 200)
    assert entry["mchid"] == merchant.mchid
    assert len(sandbox.get("/requests", limit=1)["requests"]) == 1


def test_errors_are_logged_with_their_code(sandbox, merchant):
    merchant.query("NOTHING")
    (entry,) = sandbox.get("/requests")["requests"]
    assert (entry["status"], entry["code"]) == (404, "ORDER_NOT_EXIST")


def test_the_state_counts(sandbox, merchant):
    merchant.placed()
    state = sandbox.get("/state")
    assert state["orders"] == {"NOTPAY": 1}
    assert state["requests"] == {"create": 1}
    known = state["merchants"]["merchant"]
    assert (known["mchid"], known["appid"]) == (merchant.mchid, merchant.appid)


def test_reset_forgets_everything_but_the_keys(sandbox, merchant):
    number, _ = merchant.placed()
    sandbox.post("/clock", offset=99)
    sandbox.post("/switch", reorder_error="400", signtest_rate=0.5)
    sandbox.post("/mode", mode="switching")
    sandbox.post("/faults", route="*", kind="drop")
    sandbox.post("/reset")
    state = sandbox.get("/state")
    assert (state["clock_offset"], state["faults"], state["orders"], state["requests"]) == (0, 0, {}, {})
    assert (state["switches"]["mode"], state["switches"]["signtest_rate"]) == ("public_key", 0)
    assert merchant.query(number).status_code == 404


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/pay", {}),
        ("/pay", {"code_url": 5}),
        ("/pay", {"code_url": "x", "amount_payer": -1}),
        ("/pay", {"code_url": "x", "notify": "no"}),
        ("/pay", {"code_url": "x", "misspelt": 1}),
        ("/clock", {}),
        ("/clock", {"offset": "1"}),
        ("/clock", {"offset": 1e300}),
        ("/mode", {}),
        ("/mode", {"mode": "both"}),
        ("/mode", {"mode": "certificate", "certificates": 3}),
        ("/switch", {"reorder_error": 403}),
        ("/switch", {"signtest_rate": 2}),
        ("/switch", {"mode": "certificate"}),
        ("/notifications/build", {}),
        ("/notifications/build", {"out_trade_no": "X", "sign": "well"}),
        ("/notifications/build", {"out_trade_no": "X", "mutate": []}),
        ("/notifications/redeliver", {"out_trade_no": "X", "times": 0}),
    ],
)
def test_nonsense_is_refused_with_a_reason(sandbox, path, fields):
    answer = sandbox.try_post(path, **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize("body", [b"[]", b"5", b"{", b"\xff", b"a=b", b"[" * 100_000])
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_the_body_must_be_a_json_object(sandbox, body, content_type):
    headers = {"Content-Type": content_type}
    answer = requests.post(f"{sandbox.url}/control/clock", data=body, headers=headers, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_what_is_not_there_is_404_in_json(sandbox):
    for path in ("/orders/NOTHING", "/nothing"):
        answer = requests.get(f"{sandbox.url}/control{path}", timeout=5)
        assert answer.status_code == 404
        assert answer.json()["error"]
    assert sandbox.try_post("/notifications/redeliver", out_trade_no="NOTHING").status_code == 404
