"""Thirty-two at once do the same thing: it takes effect once, and every answer is one that is allowed."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from portal import jobs
from portal.cases.models import Case
from portal.delivery.transport import FolderMailer
from portal.devices.models import TokenFamily
from portal.kit.db import ChangedMeanwhile, db
from portal.kit.errors import PortalError
from portal.learners.models import Learner
from portal.ledger.models import LedgerEntry
from portal.licenses.models import Entitlement, License
from portal.notifications.models import Notification
from portal.orders.models import Order, OrderStatus
from portal.payments.models import Payment
from portal.web.limits import limiter
from scripts.processes import ProcessFailed
from tests.support.desk import Desk
from tests.support.editors import editor_of
from tests.support.rest import come_to_rest
from tests.support.seeds import how_many, seed_of
from tests.support.shop import COURSE, Buyer, Shop

pytestmark = [pytest.mark.kill, pytest.mark.database]

THREADS = 32
# A lock wait is answered 503 and tried again by whoever asked; never anything half done.
BUSY = {503}
ROUNDS = range(how_many(2, 10))
CLIENT = "learning-buddy-vscode"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture(autouse=True)
def no_limits(monkeypatch):
    """How often one may knock is another matter."""
    monkeypatch.setattr(limiter, "enabled", False)


@pytest.fixture
def sent(monkeypatch):
    """Collect the Message-ID of every mail that is sent, however often."""
    ids: list[str] = []
    send = FolderMailer.send

    def noted(self, message):
        ids.append(message["Message-ID"])
        send(self, message)

    monkeypatch.setattr(FolderMailer, "send", noted)
    return ids


@pytest.fixture(params=ROUNDS)
def draw(request):
    """What this round draws from."""
    return random.Random(seed_of(f"hammer {request.node.name}"))


def at_once(deeds: Sequence[Callable[[], int]]) -> Counter[int]:
    """Do everything at the same moment; return how often each answer came."""
    answers: list[int] = []
    raised: list[BaseException] = []
    start = threading.Barrier(len(deeds))

    def run(deed: Callable[[], int]) -> None:
        start.wait(30)
        try:
            answers.append(deed())
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []
    return Counter(answers)


def copies_of(shop, buyer: Buyer, many: int) -> list[Buyer]:
    """Return the same learner at many browsers."""
    found = []
    for _ in range(many):
        copy = Buyer(shop.app, shop.app.test_client(), buyer.learner)
        copy.client.set_cookie("sid", buyer.client.get_cookie("sid").value)
        found.append(copy)
    return found


def token_of(buyer: Buyer) -> str:
    return str(
        buyer.get("/courses").get_data(as_text=True).split('name="csrf_token" value="')[1].split('"')[0]
    )


def pressing(buyer: Buyer, token: str, path: str) -> Callable[[], int]:
    return lambda: buyer.client.post(path, data={"csrf_token": token}).status_code


def telling(shop: Shop, message: dict[str, Any]) -> Callable[[], int]:
    return lambda: shop.deliver(message).status_code


def test_the_same_notification(shop, clock, count, sent, draw):
    order_id = shop.buyer().buy()
    shop.pay(order_id)
    same = shop.notification(order_id)
    others = [shop.notification(order_id, new_event_id=True) for _ in range(THREADS // 2)]
    told = [same] * (THREADS // 2) + others
    draw.shuffle(told)
    answers = at_once([telling(shop, each) for each in told])
    assert answers.keys() <= {200} | BUSY
    assert shop.deliver(same).status_code == 200
    assert [count(model) for model in (LedgerEntry, Entitlement, License, Case)] == [1, 1, 1, 0]
    assert count(Notification) <= 1 + len(others)
    come_to_rest(shop, clock)
    assert len(sent) == 1
    assert not shop.differences()


def test_the_same_button(shop, clock, count, draw):
    buyer = shop.buyer()
    token = token_of(buyer)
    pressed = [pressing(copy, token, f"/courses/{COURSE}/buy") for copy in copies_of(shop, buyer, THREADS)]
    assert at_once(pressed).keys() <= {303} | BUSY
    order_id = buyer.buy()
    assert [count(Order), count(Payment)] == [1, 1]
    clock.travel(seconds=15)
    shop.work()
    assert buyer.state(order_id) == "awaiting_payment"
    assert shop.calls(order_id, "create") == 1
    shop.pay(order_id)
    shop.notify(order_id)
    come_to_rest(shop, clock)
    assert not shop.differences()


def test_the_same_key_of_an_editor(shop, clock, count, draw):
    editor = editor_of(shop.buyer())
    answers = at_once([lambda: editor.begin(key="one").status_code for _ in range(THREADS)])
    assert answers.keys() <= {200, 201, 409} | BUSY
    clock.travel(seconds=31)
    first, again = editor.begin(key="one"), editor.begin(key="one")
    assert first.get_json()["id"] == again.get_json()["id"]
    assert [count(Order), count(Payment)] == [1, 1]
    come_to_rest(shop, clock)
    assert not shop.differences()


def test_i_have_paid(shop, clock, count, draw):
    """However many ask, WeChat is asked once in five seconds."""
    buyer = shop.buyer()
    order_id, token = buyer.buy(), token_of(buyer)
    shop.pay(order_id)
    pressed = [
        pressing(copy, token, f"/checkout/{order_id}/check") for copy in copies_of(shop, buyer, THREADS)
    ]
    assert at_once(pressed).keys() <= {303} | BUSY
    assert shop.calls(order_id, "query") <= 1
    come_to_rest(shop, clock)
    assert count(License) == 1
    assert not shop.differences()


def test_cancelled_asked_paid_and_told(shop, clock, draw):
    """A payment against every other button: the order is either cancelled or bought, as WeChat's books say."""
    buyer = shop.buyer()
    order_id, token = buyer.buy(), token_of(buyer)
    number = shop.payment(order_id).out_trade_no

    def pay() -> int:
        try:
            shop.pay(order_id)
        except ProcessFailed:  # WeChat says: closed, or paid already
            return 0
        return shop.notify(order_id).status_code

    def work() -> int:
        try:
            shop.work()
        except (sa.exc.SQLAlchemyError, ChangedMeanwhile):  # the next tick does it
            return 503
        return 0

    copies = copies_of(shop, buyer, THREADS - 6)
    deeds = [
        pressing(copy, token, f"/checkout/{order_id}/{draw.choice(['cancel', 'check'])}") for copy in copies
    ]
    deeds += [pay, pay, work, work, work, work]
    draw.shuffle(deeds)
    assert at_once(deeds).keys() <= {0, 200, 303} | BUSY
    come_to_rest(shop, clock)
    (book,) = shop.books()
    assert book["out_trade_no"] == number
    wanted = {"SUCCESS": OrderStatus.COMPLETED, "CLOSED": OrderStatus.CANCELLED}
    if book["state"] == "CLOSED" and shop.order(order_id).status == OrderStatus.EXPIRED:
        wanted["CLOSED"] = OrderStatus.EXPIRED  # nobody's cancel was counted before the hour was over
    assert shop.order(order_id).status == wanted[book["state"]]
    assert not shop.differences()


def test_the_same_device_code(shop, app, clock, count, draw):
    buyer = shop.buyer()
    editor = app.test_client(use_cookies=False)
    started = editor.post("/oauth/device_authorization", data={"client_id": CLIENT}).get_json()
    response = buyer.post("/device", {"user_code": started["user_code"]}, page="/device")
    assert buyer.post(f"{response.location}/allow", page=response.location).status_code == 303
    form = {"grant_type": DEVICE_CODE, "device_code": started["device_code"], "client_id": CLIENT}

    def exchange() -> int:
        return app.test_client(use_cookies=False).post("/oauth/token", data=form).status_code

    answers = at_once([exchange] * THREADS)
    assert answers.keys() <= {200, 400} | BUSY
    assert answers[200] <= 1
    assert count(TokenFamily) == answers[200]


def test_many_workers_and_the_same_work(shop, app, clock, count, sent, draw):
    orders = [shop.buyer().buy() for _ in range(8)]
    for order_id in orders:
        shop.pay(order_id)
        shop.notify(order_id)

    def work() -> int:
        with app.app_context():
            try:
                jobs.run_due(app.extensions["portal_tools"])
            except (sa.exc.SQLAlchemyError, ChangedMeanwhile):  # the next tick does it
                db.session.rollback()
                return 503
        return 200

    at_once([work] * THREADS)
    come_to_rest(shop, clock)
    assert Counter(sent).most_common(1)[0][1] == 1
    assert len(sent) == len(orders)
    assert not shop.differences()


def test_everything_at_once(shop, app, clock, draw):
    """Eight learners, three courses, every button and every message, in an order nobody knows."""
    buyers = [shop.buyer() for _ in range(8)]
    orders = [(buyer, buyer.buy()) for buyer in buyers]
    tokens = {id(buyer): token_of(buyer) for buyer in buyers}
    for _, order_id in orders[::2]:
        shop.pay(order_id)

    def told(order_id: str) -> Callable[[], int]:
        return telling(shop, shop.notification(order_id, new_event_id=draw.random() < 0.5))

    def work() -> int:
        with app.app_context():
            try:
                jobs.sweep(app.extensions["portal_tools"])
            except (sa.exc.SQLAlchemyError, ChangedMeanwhile):  # the next tick does it
                db.session.rollback()
        return 0

    deeds: list[Callable[[], int]] = [work] * 4
    while len(deeds) < THREADS:
        position = draw.randrange(len(orders))
        buyer, order_id = orders[position]
        copy = copies_of(shop, buyer, 1)[0]
        path = draw.choice(
            [f"/courses/{COURSE}/buy", f"/checkout/{order_id}/check", f"/checkout/{order_id}/cancel"]
        )
        is_message = position % 2 == 0 and draw.random() < 0.6
        deeds.append(told(order_id) if is_message else pressing(copy, tokens[id(buyer)], path))
    assert at_once(deeds).keys() <= {0, 200, 303} | BUSY
    come_to_rest(shop, clock)
    assert not shop.differences()


def test_the_same_money_back(shop, tools, clock, count, draw):
    """I5: thirty-two ask for a third of a payment; three get it, and no fen more goes back."""
    desk = Desk(shop, tools)
    desk.switch(refund_mode="automatic")
    order_id = desk.bought()
    people = [desk.person() for _ in range(4)]

    def ask(person: Learner) -> Callable[[], int]:
        def deed() -> int:
            try:
                desk.ask(order_id, 3300, person)
            except PortalError as error:
                return error.status
            except (sa.exc.SQLAlchemyError, ChangedMeanwhile):
                return 503
            return 201

        return deed

    answers = at_once([ask(draw.choice(people)) for _ in range(THREADS)])
    assert answers.keys() <= {201, 409, 422, 429} | BUSY
    assert answers[201] <= 3
    assert desk.sums(order_id)[0] == answers[201] * 3300
    for _ in range(8):
        clock.travel(seconds=61)
        shop.work()
    assert desk.given_back(order_id) == desk.booked(order_id) == answers[201] * 3300
    assert desk.sums(order_id) == (answers[201] * 3300, answers[201] * 3300)


def test_the_same_approval(shop, tools, clock, draw):
    """F27: many approve at once, one is the approver, and the gateway is asked for one refund."""
    desk = Desk(shop, tools)
    buyer = shop.buyer()
    order_id = desk.bought(buyer)
    number = desk.ask_as_learner(buyer, order_id)
    people = [desk.person() for _ in range(THREADS // 2)]

    def approve(person: Learner) -> Callable[[], int]:
        def deed() -> int:
            try:
                desk.approve(number, person)
            except PortalError as error:
                return error.status
            except (sa.exc.SQLAlchemyError, ChangedMeanwhile):
                return 503
            return 200

        return deed

    answers = at_once([approve(person) for person in people])
    assert answers.keys() <= {200, 409} | BUSY
    assert answers[200] <= 1
    for _ in range(4):
        clock.travel(seconds=61)
        shop.work()
    assert len(desk.at_gateway(order_id)) == answers[200]
