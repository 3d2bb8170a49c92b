"""Faults that belong to no room alone: clocks, names, certificates, a crowd, and money that comes late."""

import ipaddress
import random
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from itertools import permutations
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from portal.cases.models import Case, CaseKind
from portal.gateways.base import GatewayUnknown
from portal.gateways.wechat_pay import transport
from portal.gateways.wechat_pay.transport import Transport
from portal.kit import clock as portal_clock
from portal.kit.db import db, run, transaction, transactional
from portal.kit.prepared import Outcome
from portal.licenses import services as rights
from portal.licenses.models import Entitlement, License
from portal.notifications.models import Notification
from portal.orders.models import OrderStatus
from portal.payments import open as opening
from portal.payments import settle
from portal.refunds.reserve import reserve
from portal.web.limits import limiter
from scripts.processes import free_port
from tests.support.rest import come_to_rest
from tests.support.running import eventually
from tests.support.seeds import seed_of

pytestmark = pytest.mark.database


class TestLateMoney:
    def test_after_a_cancel_it_is_honoured(self, shop, clock, count):
        """F14: the learner cancelled, and somebody had scanned the code before."""
        buyer = shop.buyer()
        order_id = buyer.buy()
        buyer.post(f"/checkout/{order_id}/cancel")
        assert shop.order(order_id).status == OrderStatus.CANCELLED
        assert shop.notify(order_id).status_code == 200
        assert buyer.state(order_id) == "delivered"
        assert count(License) == 1

    @pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
    def test_three_orders_of_one_course_paid_in_any_order_are_one_license_and_two_cases(
        self, shop, clock, count, order
    ):
        """F14, F15: whichever of the news comes first buys the course; the others wait for their way back."""
        buyer = shop.buyer()
        orders = []
        for _ in range(3):
            orders.append(buyer.buy())
            clock.travel(hours=1.1)
            shop.work(2)
        for position in order:
            assert shop.notify(orders[position]).status_code == 200
        assert count(License) == 1
        assert count(Case, Case.kind == CaseKind.LATE_UNWANTED.value) == 2
        states = [buyer.state(order_id) for order_id in orders]
        assert states[order[0]] == "delivered"
        assert states.count("refund_due") == 2


def test_an_attempt_of_another_mode_is_never_paid_by_this_one(shop, app, count):
    """I21: a database copied from the live portal, and the sandbox says that its orders were paid."""
    order_id = shop.buyer().buy()
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE payments SET mode = 'live'")
    assert shop.notify(order_id).status_code == 200
    assert count(License) == 0
    assert count(Case, Case.kind == CaseKind.FOREIGN.value) == 1


class TestOurClockIsWrong:
    @pytest.mark.parametrize("minutes", [-60, -10, 10, 60])
    def test_nothing_is_lost_once_it_is_right(self, shop, clock, count, minutes):
        """F37: our calls and WeChat's are refused as stale meanwhile; afterwards all goes on."""
        buyer = shop.buyer()
        paid = buyer.buy()
        shop.pay(paid)
        told = shop.notification(paid)
        wrong = timedelta(minutes=minutes)
        with portal_clock.replaced(lambda: clock.now() + wrong, clock.slept.append):
            assert shop.deliver(told).status_code == 401
            shop.work(2)
            late = shop.buyer()
            order_id = late.buy()
            assert late.state(order_id) in {"preparing", "gateway_down"}
        assert shop.deliver(told).status_code == 200
        assert buyer.state(paid) == "delivered"
        come_to_rest(shop, clock)
        assert not shop.differences()
        assert count(License) == 1


class TestASlowGateway:
    """F7: a call has an end, and the calls of a process never take all of its threads."""

    def test_a_drip_ends_with_the_time_of_the_call(self, shop, clock, monkeypatch):
        monkeypatch.setattr(transport, "_WHOLE_CALL_SECONDS", 1.0)
        shop.sandbox.control("POST", "/control/faults", {"route": "create", "kind": "drip", "seconds": 1})
        buyer = shop.buyer()
        order_id = buyer.buy()
        assert buyer.state(order_id) == "gateway_down"
        shop.sandbox.control("DELETE", "/control/faults")
        clock.travel(seconds=15)
        shop.work()
        assert buyer.state(order_id) == "awaiting_payment"

    def test_while_half_of_the_threads_wait_the_next_order_does_not(self, shop, monkeypatch):
        monkeypatch.setattr(transport, "_WHOLE_CALL_SECONDS", 8.0)
        monkeypatch.setattr(transport, "_READ_SECONDS", 8.0)
        shop.sandbox.control("POST", "/control/faults", {"route": "create", "kind": "hang"})
        buyers = [shop.buyer() for _ in range(9)]
        threads = [threading.Thread(target=buyer.buy) for buyer in buyers[:8]]
        for thread in threads:
            thread.start()
        try:
            log = "/control/requests?route=create"
            eventually(
                lambda: len(shop.sandbox.control("GET", log)["requests"]) == 8, "eight who wait", seconds=15
            )
            order_id = buyers[8].buy()
            assert shop.payment(order_id).failure_code == "busy"
            assert buyers[8].get("/courses").status_code == 200
        finally:
            shop.sandbox.control("DELETE", "/control/faults")
            for thread in threads:
                thread.join()


class TestNoWayToWeChat:
    def send(self, url):
        Transport(url).send("GET", "/v3/certificates", {}, None)

    def test_nobody_listens(self):
        with pytest.raises(GatewayUnknown):
            self.send(f"http://127.0.0.1:{free_port()}")

    def test_its_name_is_not_known(self, monkeypatch):
        """F42: DNS has no answer."""

        def unknown(*_args: object, **_options: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(GatewayUnknown):
            self.send("https://api.mch.weixin.qq.com")

    def test_its_certificate_is_nobodys_we_trust(self, tmp_path):
        """F42: verification cannot be switched off."""
        port, stop = tls_server(tmp_path)
        try:
            with pytest.raises(GatewayUnknown):
                self.send(f"https://127.0.0.1:{port}")
        finally:
            stop()


def tls_server(directory):
    """Listen with a certificate that signs itself; return the port and how to stop."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = directory / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(line, server_side=True).close()
            except OSError:
                line.close()

    thread = threading.Thread(target=serve)
    thread.start()

    def stop() -> None:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()

    return listener.getsockname()[1], stop


def test_a_crowd_that_polls_does_not_keep_the_news_out(shop, app, clock, count, monkeypatch):
    """F46: more pages poll than there are connections, and a notification still comes through."""
    monkeypatch.setattr(limiter, "enabled", False)
    draw = random.Random(seed_of("crowd"))
    buyers = [shop.buyer() for _ in range(4)]
    orders = [(buyer, buyer.buy()) for buyer in buyers]
    shop.pay(orders[0][1])
    told = shop.notification(orders[0][1])
    is_over, answers = threading.Event(), []

    def poll(buyer, order_id) -> None:
        client = app.test_client()
        client.set_cookie("sid", buyer.client.get_cookie("sid").value)
        while not is_over.is_set():
            answers.append(client.get(f"/checkout/{order_id}/status").status_code)

    # Not the paid one: a page that watches it would settle it itself, and perhaps be the first.
    threads = [threading.Thread(target=poll, args=draw.choice(orders[1:])) for _ in range(40)]
    for thread in threads:
        thread.start()
    try:
        assert shop.deliver(told).status_code == 200
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert set(answers) <= {200, 304, 503}
    assert count(License) == 1
    come_to_rest(shop, clock)
    assert not shop.differences()


class TestStaleReads:
    """What a process read before another changed it: the compare-and-set below is what counts."""

    def test_a_payment_marked_meanwhile_is_not_marked_again(self, shop, app, monkeypatch, count):
        order_id = shop.buyer().buy()
        number = shop.payment(order_id).out_trade_no
        with app.app_context(), transaction():
            stale = settle.lock_payment(number)
        shop.pay(order_id)
        assert shop.notify(order_id).status_code == 200
        rows = [stale]
        look = settle.lock_payment
        monkeypatch.setattr(settle, "lock_payment", lambda number: rows.pop() if rows else look(number))
        fulfilled: list[object] = []
        monkeypatch.setattr(settle, "_fulfil", lambda *facts: fulfilled.append(facts))
        assert shop.notify(order_id, new_event_id=True).status_code == 200
        assert (rows, fulfilled) == ([], [])
        assert count(License) == 1
        assert count(Notification, Notification.verdict == "duplicate") == 1

    def test_a_right_that_is_extended_meanwhile_is_not_retired(self, shop, app, monkeypatch):
        """Somebody buys again at the end of a right, and the desk has just made it last longer."""
        order_id = shop.buyer().buy()
        shop.pay(order_id)
        shop.notify(order_id)
        with app.app_context(), transaction():
            right = db.session.scalars(sa.select(Entitlement)).one()
            learner_id, course_id, ended = right.learner_id, right.course_id, right.granted_at
            db.session.expunge(right)
        stale = [Outcome([SimpleNamespace(id=right.id, expires_at=ended)], 1)]
        monkeypatch.setattr(
            "portal.licenses.services.run",
            lambda statement, values: stale.pop() if stale else run(statement, values),
        )
        with app.app_context():
            assert transactional(rights.is_owned)(learner_id, course_id)
        assert stale == []

    def test_money_that_is_held_already_is_not_held_again(self, shop, app):
        """Whoever looked before another held it all is told so by the one statement that counts (I5)."""
        order_id = shop.buyer().buy()
        shop.pay(order_id)
        shop.notify(order_id)
        payment = shop.payment(order_id)
        with app.app_context(), transaction():
            assert [reserve(payment.id, 9000), reserve(payment.id, 9000), reserve(payment.id, 900)] == [
                True,
                False,
                True,
            ]

    def test_a_code_that_comes_after_the_money_is_not_stored(self, shop, clock, app, count):
        """F19: the answer to the order call arrives when the order is paid already."""
        shop.sandbox.control("POST", "/control/faults", {"route": "create", "kind": "accept_then_drop"})
        buyer = shop.buyer()
        order_id = buyer.buy()
        payment = shop.payment(order_id)
        assert shop.notify(order_id).status_code == 200
        with app.app_context():
            opening._store_code(payment, "weixin://wxpay/bizpayurl?pr=late", "<svg/>")
        assert shop.payment(order_id).code_url is None
        assert buyer.state(order_id) == "delivered"
