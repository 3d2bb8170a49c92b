"""The floor of a notification and of a checkout: every statement, signature and call that the portal makes."""

import base64
import datetime
import hashlib
import hmac
import http.client
import json
import os
import secrets
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from bench.floor.database import FOR_UPDATE, transaction
from portal.config import load_settings
from portal.payments.qr import draw_qr

_SETTINGS = load_settings(os.environ)
_APIV3_KEY = _SETTINGS.WECHATPAY_APIV3_KEY.get_secret_value().encode()
_PUBLIC_KEY_ID = str(_SETTINGS.WECHATPAY_PUBLIC_KEY_ID)
_PLATFORM: dict[str, Any] = {
    _PUBLIC_KEY_ID: load_pem_public_key(str(_SETTINGS.WECHATPAY_PUBLIC_KEY).encode())
}
_MERCHANT: Any = load_pem_private_key(_SETTINGS.WECHATPAY_PRIVATE_KEY.get_secret_value().encode(), None)
_KEYS = _SETTINGS.LICENSE_KEY_DIR
_KID = next(
    key["kid"] for key in json.loads((_KEYS / "key-ring.json").read_text()) if key["state"] == "active"
)
_LICENSE_KEY: Any = load_pem_private_key(
    (_KEYS / f"{_KID}.pem").read_bytes(), os.environ["LICENSE_KEY_PASSPHRASE"].encode()
)
_GATEWAY = urlsplit(_SETTINGS.WECHATPAY_BASE_URL)
_local = threading.local()
# WeChat's side closes what was idle for some seconds.
_IDLE_SECONDS = 1.0


def stamp(seconds: float = 0) -> str:
    """Return the moment `seconds` from now as both databases store it."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _is_genuine(headers: Sequence[str], body: bytes) -> bool:
    timestamp, nonce, serial, signature = headers
    key = _PLATFORM.get(serial)
    if key is None or abs(time.time() - int(timestamp)) > 300:
        return False
    try:
        signed = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
        key.verify(base64.b64decode(signature), signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def notify(environ: dict[str, Any]) -> tuple[str, bytes]:
    """Verify, decrypt and settle a notification."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    names = ("TIMESTAMP", "NONCE", "SERIAL", "SIGNATURE")
    if not _is_genuine([environ[f"HTTP_WECHATPAY_{name}"] for name in names], body):
        return "401 Unauthorized", b'{"code":"FAIL","message":"not verified"}'
    event = json.loads(body)
    resource = event["resource"]
    sealed = base64.b64decode(resource["ciphertext"])
    news = json.loads(
        AESGCM(_APIV3_KEY).decrypt(resource["nonce"].encode(), sealed, resource["associated_data"].encode())
    )
    payer = hmac.new(_APIV3_KEY, news["payer"]["openid"].encode(), hashlib.sha256).hexdigest()
    _settle(event, news, body, payer)
    return "200 OK", '{"code":"SUCCESS","message":"成功"}'.encode()


def _settle(event: dict[str, Any], news: dict[str, Any], body: bytes, payer: str) -> None:
    now, number = stamp(), news["out_trade_no"]
    with transaction() as run:
        seen = "SELECT id FROM notifications WHERE gateway = 'wechat_pay' AND event_id = %s"
        if run(seen, event["id"]).fetchone():
            return
        run(
            "INSERT INTO notifications (gateway, event_id, event_type, out_trade_no, body, verdict, received_at)"
            " VALUES ('wechat_pay', %s, %s, %s, %s, 'settled', %s)",
            event["id"], event["event_type"], number, body.decode(), now,
        )  # fmt: skip
        row = run(
            "SELECT p.id, p.order_id, p.gateway, p.mode, p.mchid, p.appid, p.out_trade_no, p.amount_fen,"
            " p.currency, p.status, p.transaction_id, o.public_id, o.status, o.closing, o.learner_id,"
            " o.product_id, o.license_days, o.max_downloads"
            " FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.out_trade_no = %s" + FOR_UPDATE,
            number,
        ).fetchone()
        payment, order, amount, public_id = row[0], row[1], row[7], row[11]
        learner, course, days, downloads = row[14:18]
        assert amount == news["amount"]["total"]
        run(
            "UPDATE payments SET status = 'paid', open_key = NULL, transaction_id = %s, payer_hash = %s,"
            " verified_by = 'notify', paid_at = %s WHERE id = %s AND status <> 'paid' AND transaction_id IS NULL",
            news["transaction_id"], payer, now, payment,
        )  # fmt: skip
        owned = f"{learner}:{course}"
        run("SELECT id, expires_at FROM entitlements WHERE active_key = %s", owned).fetchone()
        subject, _gitee = run(
            "SELECT public_id, (SELECT gitee FROM courses WHERE id = %s) FROM learners WHERE id = %s", course, learner
        ).fetchone()  # fmt: skip
        ends = stamp(days * 86400)
        right = run(
            "INSERT INTO entitlements (learner_id, course_id, order_id, payment_id, status, active_key,"
            " max_downloads, granted_at, expires_at) VALUES (%s, %s, %s, %s, 'active', %s, %s, %s, %s)",
            learner, course, order, payment, owned, downloads, now, ends,
        ).lastrowid  # fmt: skip
        license_id, text = _license(subject, course, downloads, now, ends)
        run(
            "INSERT INTO licenses (id, entitlement_id, revision, active_key, learner_id, course_id, kid, text,"
            " digest, status, issued_at, expires_at)"
            " VALUES (%s, %s, 1, %s, %s, %s, %s, %s, %s, 'active', %s, %s)",
            license_id, right, right, learner, course, _KID, text,
            hashlib.sha256(text.encode()).hexdigest(), now, ends,
        )  # fmt: skip
        run(
            "UPDATE orders SET status = 'completed', open_key = NULL, closing = NULL, version = version + 1,"
            " paid_at = %s, completed_at = %s WHERE id = %s"
            " AND status IN ('pending', 'paid', 'expired', 'cancelled', 'failed')",
            now, now, order,
        )  # fmt: skip
        _add_job(run, "mail_license", license_id, now)
        run(
            "INSERT INTO ledger_entries (source_type, source_id, kind, debit_account, credit_account, amount_fen,"
            " currency, order_id, created_at)"
            " VALUES ('payment', %s, 'payment', 'gateway:wechat_pay', 'sales', %s, 'CNY', %s, %s)",
            payment, amount, order, now,
        )  # fmt: skip
        facts = {"out_trade_no": number, "transaction_id": news["transaction_id"], "amount_fen": amount}
        _audit(run, "payment.settled", public_id, "system", {**facts, "verified_by": "notify"}, now)


def _license(subject: str, course: str, downloads: int, now: str, ends: str) -> tuple[str, str]:
    license_id = str(uuid.uuid4())
    fields = {
        "id": license_id, "createdAt": now, "expiresAt": ends, "contentPermissions": ["all_chapters"],
        "courseId": course, "kid": _KID, "subject": subject, "limits": {"maxDownloads": downloads},
    }  # fmt: skip
    signed = base64.b64encode(json.dumps(fields).encode())
    signature = base64.b64encode(_LICENSE_KEY.sign(signed, PKCS1v15(), SHA256()))
    return license_id, f"{signed.decode()}|{signature.decode()}"


def _add_job(run: Any, kind: str, subject: object, due: str) -> None:
    run(
        "INSERT INTO outbox (kind, effect_key, subject_id, status, attempts, due_at, created_at)"
        " VALUES (%s, %s, %s, 'pending', 0, %s, %s)",
        kind, f"{kind}:{subject}", str(subject), due, stamp(),
    )  # fmt: skip


def _audit(run: Any, action: str, order: str, actor: str, facts: dict[str, Any], now: str) -> None:
    run(
        "INSERT INTO audit_rows (at, actor, action, subject, facts) VALUES (%s, %s, %s, %s, %s)",
        now, actor, action, f"order:{order}", json.dumps(facts),
    )  # fmt: skip


def buy(learner: int, subject: str, course: str) -> str:
    """Place an order, open its payment at the gateway, keep the code; return the order's public id."""
    now, public_id, number = stamp(), secrets.token_hex(10), f"LBT261126{secrets.token_hex(9).upper()}"
    with transaction() as run:
        product = run(
            "SELECT p.title_zh, p.title_en, p.price_fen, c.license_days, c.max_downloads FROM products p"
            " JOIN courses c ON c.id = p.id WHERE p.id = %s", course,
        ).fetchone()  # fmt: skip
        key = f"{learner}:{course}"
        run(
            "SELECT e.expires_at, l.id FROM entitlements e LEFT JOIN licenses l ON l.active_key = e.id"
            " WHERE e.active_key = %s", key,
        ).fetchone()  # fmt: skip
        run("SELECT public_id FROM orders WHERE open_key = %s", key).fetchone()
        run("SELECT text_zh, text_en FROM switches WHERE name = 'sales_pause' AND is_on = 1").fetchone()
        run("SELECT mode FROM transfer_offers WHERE course_id = %s", course).fetchone()
        run(
            "SELECT COUNT(*) FROM orders WHERE learner_id = %s AND status = 'pending' AND open_key IS NOT NULL",
            learner,
        ).fetchone()
        title_zh, title_en, price, days, downloads = product
        order = run(
            "INSERT INTO orders (public_id, learner_id, product_id, product_kind, title_zh, title_en, amount_fen,"
            " currency, license_days, max_downloads, mode, status, open_key, version, created_at, expires_at)"
            " VALUES (%s, %s, %s, 'course', %s, %s, %s, 'CNY', %s, %s, 'test', 'pending', %s, 1, %s, %s)",
            public_id, learner, course, title_zh, title_en, price, days, downloads, key, now, stamp(3600),
        ).lastrowid  # fmt: skip
        fields = {
            "appid": _SETTINGS.WECHATPAY_APPID, "mchid": _SETTINGS.WECHATPAY_MCHID, "out_trade_no": number,
            "description": f"Learning Buddy · {title_zh}", "notify_url": "http://127.0.0.1/notify/wechat",
            "amount": {"total": price, "currency": "CNY"},
        }  # fmt: skip
        payment = run(
            "INSERT INTO payments (order_id, gateway, mode, mchid, appid, out_trade_no, amount_fen, currency,"
            " request, status, open_key, created_at)"
            " VALUES (%s, 'wechat_pay', 'test', %s, %s, %s, %s, 'CNY', %s, 'created', %s, %s)",
            order, fields["mchid"], fields["appid"], number, price, json.dumps(fields), order, now,
        ).lastrowid  # fmt: skip
        _add_job(run, "open_payment", payment, stamp(8))
        _audit(run, "order.placed", public_id, f"learner:{subject}", {"amount_fen": price}, now)
    with transaction() as run:
        run(
            "UPDATE payments SET call_until = %s WHERE id = %s AND status = 'created'"
            " AND (call_until IS NULL OR call_until <= %s)", stamp(12), payment, now,
        )  # fmt: skip
        request = run("SELECT request FROM payments WHERE id = %s", payment).fetchone()[0]
    _keep_code(order, payment, _ask_gateway(request.encode()))
    return public_id


def _keep_code(order: int, payment: int, code_url: str) -> None:
    svg, now = draw_qr(code_url), stamp()
    with transaction() as run:
        run(
            "UPDATE payments SET status = 'open', code_url = %s, code_url_at = %s, qr_svg = %s, call_until = NULL"
            " WHERE id = %s AND status = 'created'", code_url, now, svg, payment,
        )  # fmt: skip
        run("UPDATE orders SET version = version + 1 WHERE id = %s", order)
        _add_job(run, "watch_payment", payment, stamp(30))
        run(
            "UPDATE outbox SET status = 'done', done_at = %s, lease = NULL WHERE effect_key = %s"
            " AND status = 'pending'", now, f"open_payment:{payment}",
        )  # fmt: skip


def _ask_gateway(body: bytes) -> str:
    path, nonce, moment = "/v3/pay/transactions/native", secrets.token_hex(16), str(int(time.time()))
    signed = f"POST\n{path}\n{moment}\n{nonce}\n".encode() + body + b"\n"
    signature = base64.b64encode(_MERCHANT.sign(signed, PKCS1v15(), SHA256())).decode()
    headers = {
        "Authorization": f'WECHATPAY2-SHA256-RSA2048 mchid="{_SETTINGS.WECHATPAY_MCHID}",nonce_str="{nonce}",'
        f'signature="{signature}",timestamp="{moment}",serial_no="{_SETTINGS.WECHATPAY_CERT_SERIAL_NO}"',
        "Accept": "application/json",
        "Content-Type": "application/json",
        "User-Agent": "floor",
        "Wechatpay-Serial": _PUBLIC_KEY_ID,
    }
    begun = time.monotonic()
    answer, raw = _exchange(path, body, headers)
    _note_call(json.loads(body)["out_trade_no"], answer, round((time.monotonic() - begun) * 1000))
    names = ("Timestamp", "Nonce", "Serial", "Signature")
    assert answer.status == 200, raw
    assert _is_genuine([answer.headers[f"Wechatpay-{name}"] for name in names], raw)
    return str(json.loads(raw)["code_url"])


def _exchange(path: str, body: bytes, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
    now = time.monotonic()
    if not hasattr(_local, "gateway") or now - _local.used_at > _IDLE_SECONDS:
        _local.gateway = http.client.HTTPConnection(str(_GATEWAY.hostname), _GATEWAY.port, timeout=10)
    _local.gateway.request("POST", path, body, headers)
    answer = _local.gateway.getresponse()
    raw = answer.read()
    _local.used_at = time.monotonic()
    return answer, raw


def _note_call(number: str, answer: http.client.HTTPResponse, took_ms: int) -> None:
    with transaction() as run:
        run(
            "INSERT INTO gateway_calls (gateway, number, method, route, status, verdict, request_id, ms, at)"
            " VALUES ('wechat_pay', %s, 'POST', '/v3/pay/transactions/native', %s, 'ok', %s, %s, %s)",
            number, answer.status, answer.headers["Request-ID"], took_ms, stamp(),
        )  # fmt: skip
