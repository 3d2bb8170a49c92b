"""Keys change: the platform's public key, by degrees; the APIv3 key, at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization


@pytest.fixture
def successor(sandbox, merchant):
    """What the merchant is configured with after a rotation."""
    return json.loads((sandbox.world.keys.merchant.folder / "settings_successor.json").read_text())


@pytest.fixture
def trust_successor(merchant, successor):
    key = serialization.load_pem_public_key(Path(successor["WECHATPAY_PUBLIC_KEY_FILE"]).read_bytes())
    merchant.public_keys = merchant.public_keys | {successor["WECHATPAY_PUBLIC_KEY_ID"]: key}


class TestPublicKey:
    def test_the_successor_is_another_key_with_another_id(self, sandbox, merchant, successor):
        assert successor["WECHATPAY_PUBLIC_KEY_ID"] != merchant.public_key_id
        ids = sandbox.get("/state")["merchants"]["merchant"]["public_key_ids"]
        assert ids == [merchant.public_key_id, successor["WECHATPAY_PUBLIC_KEY_ID"]]

    @pytest.mark.usefixtures("trust_successor")
    def test_while_both_are_there_answers_follow_the_request(self, sandbox, merchant, successor):
        sandbox.post("/mode", public_key="both")
        for serial in (merchant.public_key_id, successor["WECHATPAY_PUBLIC_KEY_ID"]):
            answer = merchant.create(merchant.order(), headers={"Wechatpay-Serial": serial})
            assert answer.headers["Wechatpay-Serial"] == serial
            assert merchant.verifies(answer.headers, answer.content)

    @pytest.mark.usefixtures("trust_successor")
    def test_and_notifications_come_with_either(self, sandbox, merchant, successor, shop):
        sandbox.post("/mode", public_key="both")
        number, code_url = merchant.placed(notify_url=shop.url)
        sandbox.post("/pay", code_url=code_url)
        sandbox.post("/notifications/redeliver", out_trade_no=number, times=40)
        serials = {headers["Wechatpay-Serial"] for headers, _ in shop.wait_for(41)}
        assert serials == {merchant.public_key_id, successor["WECHATPAY_PUBLIC_KEY_ID"]}
        assert all(merchant.verifies(headers, body) for headers, body in shop.received)

    def test_afterwards_only_the_successor_signs_whatever_is_asked_for(self, sandbox, merchant, successor):
        sandbox.post("/mode", public_key="successor")
        answer = merchant.create(merchant.order())
        assert answer.headers["Wechatpay-Serial"] == successor["WECHATPAY_PUBLIC_KEY_ID"]
        assert not merchant.verifies(answer.headers, answer.content)


def test_a_new_apiv3_key_encrypts_what_comes_from_then_on(sandbox, merchant, successor, shop):
    sandbox.post("/mode", apiv3_key="successor")
    sandbox.post("/pay", code_url=merchant.placed(notify_url=shop.url)[1])
    ((headers, body),) = shop.wait_for(1)
    assert merchant.verifies(headers, body)
    sealed = json.loads(body)["resource"]
    with pytest.raises(InvalidTag):
        merchant.decrypt(sealed)
    old, merchant.apiv3_key = merchant.apiv3_key, Path(successor["WECHATPAY_APIV3_KEY_FILE"]).read_text()
    try:
        assert json.loads(merchant.decrypt(sealed))["trade_state"] == "SUCCESS"
    finally:
        merchant.apiv3_key = old


def test_a_reset_brings_the_old_keys_back(sandbox, merchant):
    sandbox.post("/mode", public_key="successor", apiv3_key="successor")
    sandbox.post("/reset")
    answer = merchant.create(merchant.order())
    assert merchant.verifies(answer.headers, answer.content)
