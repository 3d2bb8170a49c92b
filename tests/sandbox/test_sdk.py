"""The SDK the portal uses, as it is, against the sandbox; only its gateway address is changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.core import Core


@pytest.fixture
def sdk(sandbox, merchant, monkeypatch):
    """Make a client; in certificate mode its constructor already calls the gateway."""

    class SandboxCore(Core):
        # The constructor sets the address to the real one: let that have no effect.
        _gate_way = property(lambda self: sandbox.url, lambda self, value: None)

    def of(**keys):
        monkeypatch.setattr("wechatpayv3.core.Core", SandboxCore)
        settings = merchant.settings
        return WeChatPay(
            wechatpay_type=WeChatPayType.NATIVE,
            mchid=merchant.mchid,
            private_key=Path(settings["WECHATPAY_PRIVATE_KEY_FILE"]).read_text(),
            cert_serial_no=merchant.serial_no,
            apiv3_key=merchant.apiv3_key,
            appid=merchant.appid,
            notify_url="https://shop.example.com/notify",
            timeout=(3, 10),
            **keys,
        )

    return of


@pytest.fixture
def public_key(merchant):
    pem = Path(merchant.settings["WECHATPAY_PUBLIC_KEY_FILE"]).read_text()
    return {"public_key": pem, "public_key_id": merchant.public_key_id}


def test_a_purchase_in_public_key_mode(sdk, public_key, sandbox):
    pay = sdk(**public_key)
    status, text = pay.pay(description="课程", out_trade_no="SDK-0001", amount={"total": 9900})
    assert status == 200
    sandbox.post("/pay", code_url=json.loads(text)["code_url"], notify=False)
    status, text = pay.query(out_trade_no="SDK-0001")
    assert (status, json.loads(text)["trade_state"]) == (200, "SUCCESS")
    status, text = pay.query(transaction_id=json.loads(text)["transaction_id"])
    assert (status, json.loads(text)["out_trade_no"]) == (200, "SDK-0001")
    assert pay.close("SDK-0001")[0] == 400
    assert pay.close("SDK-0002")[0] == 204


def test_a_notification_is_read_by_its_callback(sdk, public_key, sandbox):
    pay = sdk(**public_key)
    built = sandbox.post("/notifications/build", out_trade_no="SDK-0001")
    event = pay.callback(built["headers"], built["body"])
    assert event["event_type"] == "TRANSACTION.SUCCESS"
    assert event["resource"]["out_trade_no"] == "SDK-0001"
    probe = sandbox.post("/notifications/build", out_trade_no="SDK-0001", sign="signtest")
    assert pay.callback(probe["headers"], probe["body"]) is None


def test_a_purchase_in_certificate_mode(sdk, sandbox):
    sandbox.post("/mode", mode="certificate", certificates=2)
    pay = sdk()
    assert pay.pay(description="课程", out_trade_no="SDK-0003", amount={"total": 1})[0] == 200
    built = sandbox.post("/notifications/build", out_trade_no="SDK-0003", sign="certificate")
    assert pay.callback(built["headers"], built["body"])["resource"]["trade_state"] == "SUCCESS"
