"""Answers: signed when 2xx, by the key the request names; certificates in each mode."""

from __future__ import annotations

import re

import pytest

CERTIFICATES = "/v3/certificates"


def certificates(merchant, **options):
    return merchant.call("GET", CERTIFICATES, **options)


def trusted(sandbox, merchant):
    """Trust every platform certificate there is; returns their serials."""
    return [merchant.trust(certificate.pem) for certificate in sandbox.world.keys.certificates]


def test_a_success_has_the_headers_of_a_real_one(merchant):
    answer = merchant.create(merchant.order())
    assert merchant.verifies(answer.headers, answer.content)
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-cache, must-revalidate"
    assert answer.headers["Keep-Alive"] == "timeout=8"
    assert answer.headers["Wechatpay-Signature-Type"] == "WECHATPAY2-SHA256-RSA2048"
    assert re.fullmatch(r"08[0-9A-F]+-0", answer.headers["Request-ID"])
    assert len(answer.headers["Wechatpay-Signature"]) == 344


def test_connections_are_kept(merchant):
    for _ in range(3):
        answer = merchant.query("NOTHING")
        assert answer.headers["Connection"] == "keep-alive"


def test_answers_follow_the_sandboxs_clock(sandbox, merchant):
    sandbox.post("/clock", offset=-86400)
    answer = merchant.create(merchant.order())
    assert abs(int(answer.headers["Wechatpay-Timestamp"]) - sandbox.world.clock.now()) < 5


class TestPublicKeyMode:
    def test_there_are_no_certificates(self, merchant):
        answer = certificates(merchant)
        assert (answer.status_code, answer.json()["code"]) == (404, "RESOURCE_NOT_EXISTS")
        assert answer.json()["message"].startswith("无可用的平台证书")

    @pytest.mark.parametrize("serial", ["", "0" * 40])
    def test_answers_are_signed_with_the_public_key_whatever_is_named(self, merchant, serial):
        answer = merchant.create(merchant.order(), headers={"Wechatpay-Serial": serial})
        assert answer.headers["Wechatpay-Serial"] == merchant.public_key_id

    def test_each_merchant_has_its_own_public_key(self, merchant, other_merchant):
        answer = other_merchant.create(other_merchant.order())
        assert other_merchant.verifies(answer.headers, answer.content)
        assert not merchant.verifies(answer.headers, answer.content)


class TestCertificateMode:
    def test_a_certificate_is_listed_encrypted_and_signs_the_answers(self, sandbox, merchant):
        sandbox.post("/mode", mode="certificate")
        answer = certificates(merchant, headers={"Wechatpay-Serial": None})
        (entry,) = answer.json()["data"]
        serial = merchant.trust(merchant.decrypt(entry["encrypt_certificate"]))
        assert entry["serial_no"] == serial == answer.headers["Wechatpay-Serial"]
        assert merchant.verifies(answer.headers, answer.content)
        assert entry["encrypt_certificate"]["associated_data"] == "certificate"
        assert entry["effective_time"] < entry["expire_time"]

    def test_a_successor_is_listed_before_it_signs(self, sandbox, merchant):
        elder, successor = trusted(sandbox, merchant)
        sandbox.post("/mode", mode="certificate", certificates=2)
        answer = certificates(merchant)
        assert [entry["serial_no"] for entry in answer.json()["data"]] == [elder, successor]
        assert answer.headers["Wechatpay-Serial"] == elder
        sandbox.post("/mode", mode="certificate", certificates=2, signing_certificate=2)
        assert merchant.query("NOTHING").status_code == 404
        assert certificates(merchant).headers["Wechatpay-Serial"] == successor
        named = certificates(merchant, headers={"Wechatpay-Serial": elder})
        assert named.headers["Wechatpay-Serial"] == elder
        assert merchant.verifies(named.headers, named.content)


class TestSwitchingMode:
    def test_answers_follow_the_request_and_default_to_the_certificate(self, sandbox, merchant):
        elder, _ = trusted(sandbox, merchant)
        sandbox.post("/mode", mode="switching")
        for named, expected in (
            (merchant.public_key_id, merchant.public_key_id),
            (elder, elder),
            (None, elder),
        ):
            answer = certificates(merchant, headers={"Wechatpay-Serial": named})
            assert answer.headers["Wechatpay-Serial"] == expected
            assert merchant.verifies(answer.headers, answer.content)

    def test_notifications_come_signed_by_either(self, sandbox, merchant):
        elder, _ = trusted(sandbox, merchant)
        sandbox.post("/mode", mode="switching")
        built = [sandbox.post("/notifications/build", out_trade_no="ORDER01") for _ in range(40)]
        assert {n["headers"]["Wechatpay-Serial"] for n in built} == {elder, merchant.public_key_id}
        assert all(merchant.verifies(n["headers"], n["body"].encode()) for n in built)


class TestProbes:
    def test_probed_answers_do_not_verify_and_their_repetition_does(self, sandbox, merchant):
        sandbox.post("/switch", signtest_rate=1)
        fields = merchant.order()
        probe, repeated = merchant.create(fields), merchant.create(fields)
        assert probe.headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/")
        assert not merchant.verifies(probe.headers, probe.content)
        assert merchant.verifies(repeated.headers, repeated.content)
