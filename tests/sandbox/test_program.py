"""`python -m sandbox` as a program: starts, survives being killed, stops when told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.sandbox.merchant import SandboxMerchant

ROOT = Path(__file__).parents[2]


@contextmanager
def running(data, *options):
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--data", str(data), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_a_killed_sandbox_comes_back_with_keys_orders_and_due_notifications(tmp_path, shop, until):
    data = tmp_path / "data"
    with running(data, "--notify-speed", "100") as (process, ready):
        assert ready["ready"] is True
        assert ready["data"] == str(data)
        settings = json.loads((data / "merchant/settings.json").read_text())
        merchant = SandboxMerchant(data / "merchant", time.time)
        number, code_url = merchant.placed(notify_url=shop.url)
        unpaid, _ = merchant.placed()
        shop.answers = [500]
        control = ready["url"] + "/control"
        requests.post(f"{control}/clock", json={"offset": 50}, timeout=5)
        requests.post(f"{control}/switch", json={"reorder_error": "400"}, timeout=5)
        requests.post(f"{control}/pay", json={"code_url": code_url}, timeout=5)
        shop.wait_for(1)
        process.kill()
    with running(data, "--notify-speed", "100") as (process, ready):
        merchant = SandboxMerchant(data / "merchant", time.time)
        assert merchant.settings | {"WECHATPAY_BASE_URL": ""} == settings | {"WECHATPAY_BASE_URL": ""}
        assert merchant.query(number).json()["trade_state"] == "SUCCESS"
        assert merchant.query(unpaid).json()["trade_state"] == "NOTPAY"
        headers, body = shop.wait_for(2)[1]
        assert merchant.verifies(headers, body)
        state = requests.get(f"{ready['url']}/control/state", timeout=5).json()
        assert (state["clock_offset"], state["switches"]["reorder_error"]) == (50, "400")
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert time.monotonic() - begun < 2


def test_files_hold_what_a_merchant_holds_and_secrets_are_private(sandbox):
    data = sandbox.world.data
    for owner in ("merchant", "other_merchant"):
        settings = json.loads((data / owner / "settings.json").read_text())
        assert settings["WECHATPAY_BASE_URL"] == sandbox.url
        assert len(Path(settings["WECHATPAY_APIV3_KEY_FILE"]).read_text()) == 32
        assert len(settings["WECHATPAY_CERT_SERIAL_NO"]) == 40
        assert settings["WECHATPAY_PUBLIC_KEY_ID"].startswith("PUB_KEY_ID_")
        assert "BEGIN CERTIFICATE" in (data / owner / "apiclient_cert.pem").read_text()
    secrets = [*data.rglob("*_key.pem"), *data.rglob("apiv3_key.txt")]
    private = [path for path in secrets if path.name != "wechatpay_public_key.pem"]
    assert len(private) == 9
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}


def test_an_answer_that_hangs_does_not_delay_the_end(tmp_path):
    with running(tmp_path) as (process, ready):
        merchant = SandboxMerchant(tmp_path / "merchant", time.time)
        requests.post(
            f"{ready['url']}/control/faults", json={"route": "*", "kind": "delay", "seconds": 60}, timeout=5
        )
        try:
            merchant.create(merchant.order(), timeout=0.2)
        except requests.Timeout:
            process.send_signal(signal.SIGTERM)
        assert process.wait(3) == 0
