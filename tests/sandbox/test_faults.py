"""Each kind of fault, and which requests it strikes."""

from __future__ import annotations

import json
import socket
import time

import pytest
import requests

from tests.sandbox.merchant import NATIVE


@pytest.fixture
def fault(sandbox):
    def order(kind, route="*", **fields):
        return sandbox.post("/faults", kind=kind, route=route, **fields)["id"]

    return order


def exists(merchant, number):
    return merchant.query(number).status_code == 200


class TestInsteadOfTheAnswer:
    @pytest.mark.parametrize("status", [500, 502, 503])
    def test_5xx_is_an_unsigned_json_error(self, merchant, fault, status):
        fault("5xx", status=status, times=1)
        fields = merchant.order()
        answer = merchant.create(fields)
        assert answer.status_code == status
        assert answer.json()["code"] == ("SYSTEM_ERROR" if status == 500 else "SERVICE_UNAVAILABLE")
        assert "Wechatpay-Signature" not in answer.headers
        assert not exists(merchant, fields["out_trade_no"])

    def test_5xx_can_come_after_the_request_was_processed(self, merchant, fault):
        fault("5xx", processed=True, times=1)
        fields = merchant.order()
        assert merchant.create(fields).status_code == 500
        assert exists(merchant, fields["out_trade_no"])

    def test_429(self, merchant, fault):
        fault("429", times=1)
        answer = merchant.create(merchant.order())
        assert (answer.status_code, answer.json()["code"]) == (429, "FREQUENCY_LIMITED")

    def test_html_is_what_a_proxy_says(self, merchant, fault):
        fault("html", times=1)
        answer = merchant.create(merchant.order())
        assert (answer.status_code, answer.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
        assert b"Bad Gateway" in answer.content

    def test_error_is_any_unsigned_error(self, merchant, fault):
        number, _ = merchant.placed()
        fault("error", "query", status=404, code="ORDER_NOT_EXIST", message="订单不存在")
        answer = merchant.query(number)
        assert answer.json() == {"code": "ORDER_NOT_EXIST", "message": "订单不存在"}
        assert "Wechatpay-Signature" not in answer.headers

    def test_drop_closes_without_processing(self, merchant, fault):
        fault("drop", times=1)
        fields = merchant.order()
        with pytest.raises(requests.ConnectionError):
            merchant.create(fields)
        assert not exists(merchant, fields["out_trade_no"])

    def test_accept_then_drop_closes_after_processing(self, merchant, fault):
        fault("accept_then_drop", times=1)
        fields = merchant.order()
        with pytest.raises(requests.ConnectionError):
            merchant.create(fields)
        assert exists(merchant, fields["out_trade_no"])

    def test_hang_never_answers_and_ends_when_the_client_leaves(self, sandbox, merchant, fault, until):
        fault("hang", "create")
        with pytest.raises(requests.Timeout):
            merchant.create(merchant.order(), timeout=0.2)
        (entry,) = until(lambda: [r for r in sandbox.get("/requests")["requests"] if r["seconds"]])
        assert entry["status"] is None
        assert entry["seconds"] < 2


class TestOnTheWayBack:
    def test_delay_waits_after_processing(self, sandbox, merchant, fault):
        fault("delay", seconds=0.2, times=1)
        begun = time.monotonic()
        answer = merchant.create(merchant.order())
        assert time.monotonic() - begun >= 0.2
        assert merchant.verifies(answer.headers, answer.content)

    def test_drip_sends_byte_by_byte_from_the_status_line_on(self, sandbox, merchant, fault):
        fault("drip", seconds=0.001)
        host, port = sandbox.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), 5) as connection:
            connection.sendall(b"GET /v3/certificates HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert len(connection.recv(100)) < 20
            rest = bytearray()
            while piece := connection.recv(4096):
                rest += piece
        assert json.loads(rest.split(b"\r\n\r\n")[1])["code"] == "INVALID_REQUEST"

    def test_unsigned_has_no_signature_headers(self, merchant, fault):
        fault("unsigned")
        answer = merchant.create(merchant.order())
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("Wechatpay")]

    @pytest.mark.parametrize("kind", ["bad_signature", "signtest", "bad_serial"])
    def test_these_do_not_verify(self, merchant, fault, kind):
        fault(kind)
        answer = merchant.create(merchant.order())
        assert answer.status_code == 200
        assert not merchant.verifies(answer.headers, answer.content)

    def test_signtest_has_a_short_form(self, merchant, fault):
        fault("signtest", short=True)
        signature = merchant.create(merchant.order()).headers["Wechatpay-Signature"]
        assert signature.startswith("WECHATPAY/SIGNTEST/")
        assert len(signature) % 4

    def test_stale_is_rightly_signed_and_old(self, sandbox, merchant, fault):
        fault("stale", seconds=301)
        answer = merchant.create(merchant.order())
        assert merchant.verifies(answer.headers, answer.content)
        assert int(answer.headers["Wechatpay-Timestamp"]) <= sandbox.world.clock.now() - 301

    def test_mutate_changes_the_body_and_signs_it(self, merchant, fault):
        number, _ = merchant.placed()
        fault("mutate", "query", set={"trade_state": "SUCCESS", "amount.total": 1, "appid": None})
        answer = merchant.query(number)
        assert merchant.verifies(answer.headers, answer.content)
        assert (answer.json()["trade_state"], answer.json()["amount"]) == ("SUCCESS", {"total": 1})
        assert "appid" not in answer.json()

    def test_a_signed_204_can_be_spoilt_too(self, merchant, fault):
        fault("bad_signature", "close")
        answer = merchant.close("ANYTHING")
        assert answer.status_code == 204
        assert not merchant.verifies(answer.headers, b"")


class TestWhichRequests:
    def test_only_its_route(self, merchant, fault):
        fault("5xx", "close")
        number, _ = merchant.placed()
        assert merchant.query(number).status_code == 200
        assert merchant.close(number).status_code == 500

    def test_only_its_order(self, sandbox, merchant, fault):
        struck, spared = merchant.order(), merchant.order()
        fault("5xx", out_trade_no=struck["out_trade_no"])
        assert merchant.create(spared).status_code == 200
        assert merchant.create(struck).status_code == 500
        transaction_id = sandbox.post("/pay", out_trade_no=spared["out_trade_no"])["transaction_id"]
        fault("5xx", "query", out_trade_no=spared["out_trade_no"])
        by_id = merchant.call("GET", f"/v3/pay/transactions/id/{transaction_id}?mchid={merchant.mchid}")
        assert by_id.status_code == 500

    def test_only_so_many_times(self, sandbox, merchant, fault):
        fault("5xx", times=2)
        statuses = [merchant.create(merchant.order()).status_code for _ in range(4)]
        assert statuses == [500, 500, 200, 200]
        (entry,) = sandbox.get("/faults")["faults"]
        assert (entry["hits"], entry["times_left"]) == (2, 0)

    def test_until_it_is_taken_back(self, sandbox, merchant, fault):
        first, _second = fault("5xx"), fault("429")
        assert requests.delete(f"{sandbox.url}/control/faults/{first}", timeout=5).json() == {"cleared": 1}
        assert merchant.create(merchant.order()).status_code == 429
        assert requests.delete(f"{sandbox.url}/control/faults", timeout=5).json() == {"cleared": 1}
        assert merchant.create(merchant.order()).status_code == 200

    def test_an_unknown_route_is_never_struck(self, merchant, fault):
        fault("5xx")
        assert merchant.call("GET", NATIVE).status_code == 405


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"route": "create"},
        {"route": "refunds", "kind": "delay"},
        {"route": "create", "kind": "explode"},
        {"route": "create", "kind": "delay", "seconds": -1},
        {"route": "create", "kind": "delay", "seconds": "1"},
        {"route": "create", "kind": "5xx", "status": 200},
        {"route": "create", "kind": "error", "status": 404},
        {"route": "create", "kind": "mutate", "set": []},
        {"route": "create", "kind": "drop", "times": 0},
        {"route": "create", "kind": "drop", "seconds": 1},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(sandbox, fields):
    answer = sandbox.try_post("/faults", **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]
