"""What is not proven to come from WeChat is refused: no row, no outbound call, no effect."""

import json

import pytest
import sqlalchemy as sa

from portal.cases.models import Case, CaseKind
from portal.kit.db import db
from portal.kit.faults import arm
from portal.licenses.models import License
from portal.notifications.models import Notification
from portal.orders.models import OrderStatus

pytestmark = pytest.mark.database

HEADERS = ("Timestamp", "Nonce", "Signature", "Serial", "Signature-Type")


@pytest.fixture
def order_id(shop):
    return shop.buyer().buy()


@pytest.fixture
def refused(shop, order_id, count):
    """Deliver a notification and see that it is refused and leaves no trace."""

    def check(notification, status=401):
        before = shop.sandbox.control("GET", "/control/requests")["requests"]
        response = shop.deliver(notification)
        assert response.status_code == status, response.get_data(as_text=True)
        assert response.get_json()["code"] == "FAIL"
        after = shop.sandbox.control("GET", "/control/requests")["requests"]
        assert len(after) == len(before), "an outbound call"
        assert [count(Notification), count(Case), count(License)] == [0, 0, 0]
        assert shop.order(order_id).status == OrderStatus.PENDING

    return check


class TestUnverified:
    @pytest.mark.parametrize("name", HEADERS)
    def test_a_missing_header(self, shop, order_id, refused, name):
        notification = shop.notification(order_id)
        del notification["headers"][f"Wechatpay-{name}"]
        refused(notification)

    @pytest.mark.parametrize("name", HEADERS)
    def test_a_header_sent_twice(self, shop, order_id, refused, name):
        notification = shop.notification(order_id)
        value = notification["headers"][f"Wechatpay-{name}"]
        notification["headers"][f"Wechatpay-{name}"] = f"{value},{value}"
        refused(notification)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("Timestamp", "soon"),
            ("Timestamp", "1e9"),
            ("Timestamp", "-1700000000"),
            ("Timestamp", "１７００００００００"),
            ("Serial", "0x1F"),
            ("Serial", "PUB_KEY_ID_"),
            ("Serial", "1_0 "),
            ("Signature", "not base64!"),
            ("Signature", "AAAA"),
            ("Signature", "é"),
            ("Nonce", "two words"),
            ("Signature-Type", "WECHATPAY2-SM2-WITH-SM3"),
        ],
    )
    def test_a_malformed_header(self, shop, order_id, refused, name, value):
        notification = shop.notification(order_id)
        notification["headers"][f"Wechatpay-{name}"] = value.encode().decode("latin-1")
        refused(notification)

    @pytest.mark.parametrize("offset", [-301, -3600, 301, 86_400])
    def test_a_stale_or_future_one_however_well_signed(self, shop, order_id, refused, offset):
        refused(shop.notification(order_id, timestamp_offset=offset))

    @pytest.mark.parametrize(
        "sign", ["bad", "signtest", "signtest_short", "unknown_serial", "other_merchant", "none"]
    )
    def test_a_signature_that_is_not_wechats_for_us(self, shop, order_id, refused, sign):
        refused(shop.notification(order_id, sign=sign))

    def test_slashes_before_its_address_do_not_lead_around_the_gate(self, shop, order_id, client):
        told = shop.notification(order_id, sign="bad")
        response = client.post(
            "/notify/wechat",
            data=told["body"].encode(),
            headers=told["headers"],
            content_type="application/json",
            environ_overrides={"PATH_INFO": "//notify/wechat"},
        )
        assert response.status_code == 401

    def test_a_replay_after_the_window(self, shop, order_id, refused, clock):
        notification = shop.notification(order_id)
        clock.travel(minutes=6)
        refused(notification)

    def test_a_body_changed_by_one_byte(self, shop, order_id, refused):
        notification = shop.notification(order_id)
        notification["body"] = notification["body"].replace("TRANSACTION", "TRANSACTIOM")
        refused(notification)

    def test_an_oversized_body(self, shop, order_id, refused):
        notification = shop.notification(order_id)
        notification["body"] += " " * 70_000
        refused(notification, status=413)

    @pytest.mark.parametrize("body", ["", "{}", "[]", "null", "\x00", "<xml/>"])
    def test_garbage_without_signature(self, refused, body):
        refused({"headers": {}, "body": body})

    def test_every_bit_of_a_signature_counts(self, shop, order_id, app):
        """A flipped bit anywhere is refused, or is the very same bytes."""
        notification = shop.notification(order_id)
        signature = notification["headers"]["Wechatpay-Signature"]
        for position in range(0, len(signature), 17):
            for bit in (1, 2, 32):
                changed = (
                    signature[:position] + chr(ord(signature[position]) ^ bit) + signature[position + 1 :]
                )
                headers = {**notification["headers"], "Wechatpay-Signature": changed}
                assert shop.deliver({"headers": headers, "body": notification["body"]}).status_code == 401

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
    def test_another_method(self, client, method):
        assert client.open("/notify/wechat", method=method).status_code == 405


class TestGenuineButUnreadable:
    @pytest.mark.parametrize(
        "body",
        [
            "not json",
            "[]",
            '{"id":"EV-1"}',
            '{"id":1,"event_type":2}',
            '{"a":1,"a":2}',
            '{"n":NaN}',
            "[" * 60 + "]" * 60,
        ],
    )
    def test_a_signed_body_of_another_shape_is_kept_with_a_case(self, shop, order_id, body, count):
        assert shop.notify(order_id, raw_body=body).status_code == 200
        assert count(Case, Case.kind == CaseKind.UNREADABLE.value) == 1
        assert count(Notification) == 1

    @pytest.mark.parametrize(
        "resource", ["not json", "[]", "{}", '{"trade_state":"SUCCESS"}', '{"trade_state":7}']
    )
    def test_a_signed_resource_of_another_shape_is_kept_with_a_case(self, shop, order_id, resource, count):
        assert shop.notify(order_id, raw_resource=resource).status_code == 200
        assert count(Case, Case.kind == CaseKind.UNREADABLE.value) == 1

    @pytest.mark.parametrize("total", ["9900", 9900.5, True, None, -9900, 2**60])
    def test_an_amount_that_is_no_amount_is_never_a_license(self, shop, order_id, total, count):
        assert shop.notify(order_id, mutate={"amount.total": total}).status_code == 200
        assert count(License) == 0
        assert count(Case) == 1

    def test_an_unknown_event_type_is_kept_with_a_case(self, shop, order_id, count):
        assert shop.notify(order_id, event_type="REFUND.SOMETHING").status_code == 200
        assert count(Case, Case.kind == CaseKind.UNREADABLE.value) == 1

    def test_one_that_our_key_does_not_open_is_to_be_sent_again(self, shop, order_id, count):
        response = shop.notify(order_id, apiv3_key="wrong")
        assert response.status_code == 503
        assert count(Notification) == 0
        assert shop.notify(order_id).status_code == 200
        assert count(License) == 1


class TestOurOwnFailures:
    def test_a_crash_before_the_commit_leaves_no_trace_and_the_next_delivery_settles(
        self, shop, order_id, count
    ):
        notification = shop.notification(order_id)
        arm("notify.before_commit:raise")
        try:
            assert shop.deliver(notification).status_code == 500
        finally:
            arm(None)
        assert [count(Notification), count(License)] == [0, 0]
        assert shop.deliver(notification).status_code == 200
        assert count(License) == 1

    def test_a_crash_after_the_commit_is_a_duplicate_next_time(self, shop, order_id, count):
        notification = shop.notification(order_id)
        arm("notify.after_commit:raise")
        try:
            assert shop.deliver(notification).status_code == 500
        finally:
            arm(None)
        assert shop.deliver(notification).status_code == 200
        assert count(License) == 1

    def test_a_database_that_is_away_is_answered_503(self, shop, order_id, app, count, monkeypatch):
        notification = shop.notification(order_id)

        def gone(*_args, **_options):
            raise sa.exc.OperationalError("SELECT 1", None, Exception(2006, "server has gone away"))

        with monkeypatch.context() as patch:
            patch.setattr("sqlalchemy.orm.Session.connection", gone)
            assert shop.deliver(notification).status_code == 503
        assert shop.deliver(notification).status_code == 200
        assert count(License) == 1


def test_a_success_is_said_in_wechats_words(shop, order_id):
    response = shop.notify(order_id)
    assert json.loads(response.get_data()) == {"code": "SUCCESS", "message": "成功"}


def test_the_raw_body_is_kept_and_holds_no_secret(shop, order_id, app):
    shop.notify(order_id)
    with app.app_context():
        kept = db.session.scalars(sa.select(Notification)).one()
        assert json.loads(kept.body)["resource"]["ciphertext"]
        assert "openid" not in kept.body
