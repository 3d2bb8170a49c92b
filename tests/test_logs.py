"""Logs say what happened, and no secret, at any level (RELIABILITY 5.8)."""

import base64
import io
import json
import logging
import time

import pytest
import sqlalchemy as sa

from portal import logs
from portal.kit.db import db
from portal.licenses.models import License
from portal.logs import HIDDEN, redact

CANARY = "canary-7c1e-canary-7c1e"
LICENSE = f"{base64.b64encode(b'x' * 300).decode()}|{base64.b64encode(b'y' * 256).decode()}"


class TestRedact:
    @pytest.mark.parametrize(
        "name",
        [
            "password",
            "PASSWORD_AGAIN",
            "passphrase",
            "license_key_passphrase",
            "secret",
            "SECRET_KEY",
            "token",
            "csrf_token",
            "Authorization",
            "Cookie",
            "Set-Cookie",
            "Wechatpay-Signature",
            "private_key",
            "WECHATPAY_APIV3_KEY",
            "code_url",
            "openid",
            "sub_openid",
            "license_key",
            "license_text",
        ],
    )
    def test_what_has_the_name_of_a_secret_is_hidden(self, name):
        assert redact({name: CANARY, "other": 1}) == {name: HIDDEN, "other": 1}
        assert CANARY not in json.dumps(redact([{"deep": ({name: {"in": [CANARY]}},)}]))

    @pytest.mark.parametrize(
        "text",
        [
            f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----",
            f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{CANARY}",
            f"weixin://wxpay/bizpayurl?pr={CANARY}",
            f"Authorization: Bearer {CANARY}",
            f"basic {CANARY}",
            f"https://learn.example.com/reset/{CANARY}",
            f"/reset/{CANARY}?x=1",
            f"mysql://portal:{CANARY}@db/portal",
            f"mysql://portal:{CANARY}@{CANARY}@db/portal",
            f"redis://:{CANARY}@redis:6379/0",
            f"smtp://me%40x:{CANARY}@mail",
        ],
    )
    def test_what_looks_like_a_secret_is_hidden_in_the_middle_of_a_text(self, text):
        for around in (text, f"before {text} after", f"('{text}',)"):
            assert CANARY not in redact(around)
            assert HIDDEN in redact(around)

    @pytest.mark.parametrize("bar", ["|", "%7C", "%7c"])
    def test_a_license_is_hidden_in_every_spelling(self, bar):
        text = LICENSE.replace("|", bar)
        for spelled in (text, text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")):
            hidden = redact(f"GET /licenses/{spelled} HTTP/1.1")
            assert LICENSE[:40] not in hidden
            assert LICENSE[-40:] not in hidden

    def test_a_text_of_any_length_takes_no_time(self):
        begun = time.process_time()
        for text in (
            "A" * 300_000,
            "A" * 300_000 + "|",
            "://a:" * 60_000,
            "-----BEGIN " * 30_000,
            "%7" * 100_000,
        ):
            redact(text)
        assert time.process_time() - begun < 2

    def test_what_is_no_secret_stays(self):
        facts = {"order": "8k3hq2v9x0m4t7w1c5zr", "amount_fen": 9900, "ok": True, "none": None, "ms": 1.5}
        assert redact(facts) == facts
        assert redact("GET /courses/<course_id> 200") == "GET /courses/<course_id> 200"

    def test_an_object_is_hidden_as_the_text_it_would_be(self):
        assert CANARY not in redact(ValueError(f"Bearer {CANARY}"))


@pytest.fixture
def logged():
    """Everything that is logged, at DEBUG, in the form it has in production."""
    root = logging.getLogger()
    quiet = {name: logging.getLogger(name).level for name in ("urllib3", "sqlalchemy")}
    before = root.handlers[:], root.level
    logs.configure("DEBUG", dict)
    logging.getLogger("urllib3").setLevel("DEBUG")
    # Its DEBUG prints whole rows; statements are what somebody looking for a fault may switch on.
    logging.getLogger("sqlalchemy").setLevel("INFO")
    stream = io.StringIO()
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)


class TestLines:
    def test_a_line_is_one_json_object(self, logged):
        logging.getLogger("x").info("two\nlines", extra={"order": "许可", "what": object()})
        (line,) = logged.getvalue().splitlines()
        read = json.loads(line)
        assert (read["level"], read["logger"], read["message"]) == ("info", "x", "two\nlines")
        assert read["order"] == "许可"
        assert read["at"].endswith("Z")

    def test_arguments_extras_and_exceptions_are_redacted(self, logged):
        log = logging.getLogger("x")
        log.info(
            "called with %s", f"Bearer {CANARY}", extra={"code_url": CANARY, "facts": {"openid": CANARY}}
        )
        try:
            raise ValueError(f"weixin://wxpay/bizpayurl?pr={CANARY}")
        except ValueError:
            log.exception("failed")
        assert len(logged.getvalue().splitlines()) == 2
        assert CANARY not in logged.getvalue()


@pytest.mark.database
def test_an_error_of_the_database_does_not_say_what_was_to_be_stored(logged, app):
    statement = sa.insert(License).values(id="1", text=CANARY, digest=CANARY)
    with app.app_context():
        with pytest.raises(sa.exc.DBAPIError) as caught:
            db.session.execute(statement)
        db.session.rollback()
    logging.getLogger("x").error("failed", exc_info=caught.value)
    assert "INSERT INTO licenses" in logged.getvalue()
    assert CANARY not in logged.getvalue()


@pytest.mark.database
class TestAWholePurchase:
    def test_no_secret_of_it_is_in_the_logs(self, logged, app, shop, tools, mails):
        password = f"{CANARY} password"
        client = app.test_client()
        page = client.get("/register").get_data(as_text=True)
        token = page.split('name="csrf_token" value="')[1].split('"')[0]
        form = {"email": "canary@example.com", "password": password, "password_again": password}
        assert client.post("/register", data={**form, "csrf_token": token}).status_code == 303
        with client.session_transaction() as cookie:
            session_secret = cookie["secret"]
        buyer = shop.buyer()
        order_id = buyer.buy()
        code_url = shop.payment(order_id).code_url
        openid = "o-canary-7c1e-openid-of-the-payer"
        shop.pay(order_id, user=openid)
        assert shop.notify(order_id).status_code == 200
        shop.work()
        assert buyer.state(order_id) == "delivered"
        buyer.get(f"/checkout/{order_id}")
        shop.deliver({"headers": {"Authorization": f"Bearer {CANARY}"}, "body": CANARY})
        with app.app_context():
            license_text = db.session.scalars(sa.select(License.text)).one()
        assert len(mails()) == 1
        settings = tools.settings
        secrets = {
            "password": password,
            "session": session_secret,
            "csrf": token,
            "code_url": code_url,
            "openid": openid,
            "license": license_text[:60],
            "license signature": license_text[-60:],
            "apiv3": settings.WECHATPAY_APIV3_KEY.get_secret_value(),
            "private key": settings.WECHATPAY_PRIVATE_KEY.get_secret_value()[100:160],
            "secret key": settings.SECRET_KEY.get_secret_value(),
            "passphrase": settings.LICENSE_KEY_PASSPHRASE.get_secret_value(),
            "authorization": CANARY,
        }
        written = logged.getvalue()
        assert '"route": "/notify/wechat"' in written or '"message": "notification"' in written
        assert "INSERT INTO learners" in written, "what the database is told is logged at this level"
        assert [name for name, secret in secrets.items() if secret in written] == []
        for line in written.splitlines():
            json.loads(line)
