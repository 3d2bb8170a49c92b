"""A shop in which anything may happen in any order, and what must be true afterwards (RuleBasedStateMachine).

Learners buy, cancel, pay twice; WeChat tells late, twice, never, or somebody forges it; the gateway lies, drops
and refuses; keys and mail servers go away; processes are killed at their points; time goes on. The model keeps
little: who ordered what at which price, and what was paid at WeChat. At the end everything is healed and comes
to rest, and WeChat's books, the model's and ours must be the same.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from portal.catalogue.models import Course, Product
from portal.kit.db import db
from portal.kit.errors import PortalError
from portal.licenses.key_ring import NoSigningKey
from portal.licenses.models import License, LicenseStatus
from portal.payments import rights
from portal.web.limits import limiter
from scripts.processes import ProcessFailed
from tests.proof import verdict
from tests.proof.world import COURSES, FAULTS, POINTS, PRICES, STEPS, WRONG, Bought, Model, World
from tests.support.dying import killed_at
from tests.support.editors import Editor, editor_of
from tests.support.shop import Buyer

picks = st.integers(0, 11)


class ShopMachine(RuleBasedStateMachine):
    """The rules. Each does what somebody may do at any moment, and looks at the answer."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.shop = world.shop
        self.buyers: list[Buyer] = []
        self.editors: list[Editor] = []
        self.tokens: list[str] = []
        self.held: list[dict[str, Any]] = []
        self.model = Model()

    @initialize()
    def begin(self) -> None:
        self.world.begin()
        self.world.clock.begin()
        with self.world.app.app_context():
            prices = db.session.execute(sa.select(Product.id, Product.price_fen)).all()
        self.model.prices = {row[0]: row[1] for row in prices}
        self.register()

    # People

    @precondition(lambda self: len(self.buyers) < 3)
    @rule()
    def register(self) -> None:
        buyer = self.shop.buyer()
        page = buyer.get("/courses").get_data(as_text=True)
        self.tokens.append(page.split('name="csrf_token" value="')[1].split('"')[0])
        self.buyers.append(buyer)
        self.editors.append(editor_of(buyer))

    def _post(self, who: int, path: str, **form: Any) -> Any:
        limiter.reset()
        answer = self.buyers[who].client.post(path, data={"csrf_token": self.tokens[who], **form})
        assert answer.status_code in {303, 404, 409, 503}, (path, answer.status_code)
        return answer

    def _remember(self, order_id: str, who: int, course: str) -> None:
        known = self.model.orders.setdefault(order_id, Bought(who, course, self.model.prices[course]))
        assert (known.buyer, known.course) == (who, course), "another's order"

    def _remember_what_was_placed(self, who: int, course: str) -> None:
        """Remember an order whose answer nobody saw, at the price it was placed at: the next press leads to it."""
        placed = sa.text(
            "SELECT public_id FROM orders WHERE learner_id = :learner AND product_id = :course AND status = 'pending'"
        )
        with self.world.app.app_context(), db.engine.connect() as connection:
            found = connection.scalar(placed, {"learner": self.buyers[who].learner.id, "course": course})
        if found is not None:
            self._remember(found, who, course)

    @rule(pick=picks, course=st.sampled_from(COURSES))
    def buy(self, pick: int, course: str) -> None:
        who = pick % len(self.buyers)
        location = self._post(who, f"/courses/{course}/buy").location or ""
        if "/checkout/" in location:
            self._remember(location.rsplit("/", 1)[1], who, course)

    @rule(pick=picks, course=st.sampled_from(COURSES), key=st.integers(0, 1))
    def begin_in_an_editor(self, pick: int, course: str, key: int) -> None:
        """The same key again is the same session; another body under it is refused."""
        limiter.reset()
        who = pick % len(self.buyers)
        answer = self.editors[who].begin(course, key=f"key-{key}")
        before = self.model.keys.get((who, key))
        if before is not None and before[0] != course:
            assert answer.status_code in {422, 503}
            return
        assert answer.status_code in {200, 201, 409, 422, 503}, answer.get_json()
        if answer.status_code < 400:
            session_id = answer.get_json()["id"]
            assert before is None or before[1] == session_id, "the same key made two sessions"
            self.model.keys[(who, key)] = (course, session_id)
            self._remember(session_id, who, course)

    def _order(self, pick: int) -> tuple[str, int]:
        order_id = list(self.model.orders)[pick % len(self.model.orders)]
        return order_id, self.model.orders[order_id].buyer

    @precondition(lambda self: self.model.orders)
    @rule(pick=picks, what=st.sampled_from(["cancel", "check"]))
    def press(self, pick: int, what: str) -> None:
        order_id, who = self._order(pick)
        self._post(who, f"/checkout/{order_id}/{what}")

    @precondition(lambda self: self.model.orders)
    @rule(pick=picks)
    def look(self, pick: int) -> None:
        """The page of an order can always be drawn, for its owner alone."""
        order_id, who = self._order(pick)
        assert self.buyers[who].get(f"/checkout/{order_id}").status_code == 200
        for other, buyer in enumerate(self.buyers):
            if other != who:
                assert buyer.get(f"/checkout/{order_id}/status").status_code == 404

    # Money

    def _shown_codes(self) -> list[str]:
        with self.world.app.app_context(), db.engine.connect() as connection:
            found = connection.execute(
                sa.text("SELECT code_url FROM payments WHERE code_url IS NOT NULL ORDER BY id")
            )
            return [row[0] for row in found]

    @precondition(lambda self: self.model.orders)
    @rule(pick=picks)
    def pay(self, pick: int) -> None:
        """Somebody scans a code that was shown, however old; WeChat says whether it can be paid."""
        codes = self._shown_codes()
        if not codes:
            return
        facts = {"code_url": codes[pick % len(codes)], "notify": False}
        with suppress(ProcessFailed):
            paid = self.shop.sandbox.control("POST", "/control/pay", facts)
            self.model.paid[paid["out_trade_no"]] = paid["amount"]["total"]

    def _paid(self, pick: int) -> str:
        return list(self.model.paid)[pick % len(self.model.paid)]

    def _build(self, number: str, **options: Any) -> dict[str, Any]:
        built: dict[str, Any] = self.shop.sandbox.control(
            "POST", "/control/notifications/build", {"out_trade_no": number, **options}
        )
        return built

    @precondition(lambda self: self.model.paid)
    @rule(pick=picks, is_new=st.booleans(), times=st.integers(1, 3))
    def notify(self, pick: int, is_new: bool, times: int) -> None:
        """WeChat tells, and tells again, under the same event or another."""
        for _ in range(times):
            told = self._build(self._paid(pick), new_event_id=is_new)
            assert self.shop.deliver(told).status_code == 200

    @precondition(lambda self: self.model.paid)
    @rule(pick=picks)
    def hold_back(self, pick: int) -> None:
        """A notification is under way, and will come late or out of order."""
        self.held.append(self._build(self._paid(pick)))

    @precondition(lambda self: self.held)
    @rule(pick=picks)
    def arrive(self, pick: int) -> None:
        """One that was under way arrives; too old, it is refused, and WeChat would sign it anew."""
        told = self.held.pop(pick % len(self.held))
        assert self.shop.deliver(told).status_code in {200, 401}

    @precondition(lambda self: self.model.paid)
    @rule(pick=picks, wrong=st.sampled_from(WRONG))
    def notify_wrongly(self, pick: int, wrong: tuple[dict[str, Any], set[int]]) -> None:
        options, answers = wrong
        assert self.shop.deliver(self._build(self._paid(pick), **options)).status_code in answers

    @precondition(lambda self: self.model.paid)
    @rule(pick=picks, at=st.integers(0, 400))
    def tamper(self, pick: int, at: int) -> None:
        told = self._build(self._paid(pick))
        at %= len(told["body"])
        changed = "0" if told["body"][at] != "0" else "1"
        told["body"] = told["body"][:at] + changed + told["body"][at + 1 :]
        assert self.shop.deliver(told).status_code == 401

    # Time and work

    @rule(seconds=st.sampled_from(STEPS))
    def tick(self, seconds: int) -> None:
        self.world.clock.travel(seconds=seconds)

    @rule()
    def work(self) -> None:
        self.shop.work()

    @rule(
        point=st.sampled_from(POINTS), pick=picks, what=st.sampled_from(["buy", "cancel", "notify", "work"])
    )
    def die(self, point: str, pick: int, what: str) -> None:
        """Somebody does something, and the process is killed at a point on the way, if it passes it."""
        limiter.reset()
        who, course = pick % len(self.buyers), COURSES[pick % len(COURSES)]
        deed: Callable[[], object] = self.shop.work
        if what == "buy":
            deed = lambda: self.buyers[who].client.post(  # noqa: E731 - one of four deeds
                f"/courses/{course}/buy", data={"csrf_token": self.tokens[who]}
            )
        elif what == "cancel" and self.model.orders:
            order_id, who = self._order(pick)
            deed = lambda: self.buyers[who].client.post(  # noqa: E731
                f"/checkout/{order_id}/cancel", data={"csrf_token": self.tokens[who]}
            )
        elif what == "notify" and self.model.paid:
            told = self._build(self._paid(pick))
            deed = lambda: self.shop.deliver(told)  # noqa: E731
        killed_at(self.world.app, f"{point}:kill", deed, self.world.note)
        if what == "buy":
            self._remember_what_was_placed(who, course)

    # What goes wrong, and what operators do

    @rule(
        route=st.sampled_from(["create", "query", "close"]),
        fault=st.sampled_from(FAULTS),
        times=st.integers(1, 3),
    )
    def gateway_fails(self, route: str, fault: dict[str, Any], times: int) -> None:
        if fault["kind"] == "error" and route == "query":
            return
        self.model.may_pay_unseen |= fault["kind"] == "pay_first"
        self.shop.sandbox.control("POST", "/control/faults", {"route": route, "times": times, **fault})

    @rule()
    def gateway_heals(self) -> None:
        self.shop.sandbox.control("DELETE", "/control/faults")

    @property
    def _key_files(self) -> list[Path]:
        return sorted(self.world.tools.settings.LICENSE_KEY_DIR.glob("*.pem*"))

    @rule()
    def key_goes_away(self) -> None:
        for path in self._key_files:
            if path.name.endswith(".pem") and ".pub." not in path.name:
                path.rename(path.with_name(path.name + ".away"))

    @rule()
    def key_comes_back(self) -> None:
        for path in self._key_files:
            if path.name.endswith(".away"):
                path.rename(path.with_name(path.name.removesuffix(".away")))

    @rule()
    def key_is_rotated(self) -> None:
        with self.world.app.app_context():
            self.world.tools.key_ring.rotate()

    @rule(is_away=st.booleans())
    def mail_goes_or_comes(self, is_away: bool) -> None:
        """Where the folder of the mails should be there is a file: none can be written."""
        folder = self.world.tools.settings.MAIL_DIR
        kept = folder.with_name("mail.kept")
        if is_away and not kept.exists():
            folder.mkdir(exist_ok=True)
            folder.rename(kept)
            folder.write_text("full")
        elif not is_away and kept.exists():
            folder.unlink()
            kept.rename(folder)

    @rule(course=st.sampled_from(COURSES), price=st.sampled_from(PRICES), is_on_sale=st.booleans())
    def change_the_price(self, course: str, price: int, is_on_sale: bool) -> None:
        """A price changed, or a course withdrawn, is none of a standing order's business."""
        with self.world.app.app_context(), db.engine.begin() as connection:
            connection.execute(
                sa.update(Product).where(Product.id == course).values(price_fen=price, is_on_sale=is_on_sale)
            )
        self.model.prices[course] = price

    @rule(pick=picks, course=st.sampled_from(COURSES))
    def grant(self, pick: int, course: str) -> None:
        """An operator gives a course away, perhaps to somebody who is just paying for it."""
        with self.world.app.app_context(), suppress(PortalError, NoSigningKey):
            learner = self.buyers[pick % len(self.buyers)].learner
            rights.grant_course(
                learner, db.session.get_one(Course, course), "a gift", "operator:test", self.world.tools
            )

    @rule(pick=picks)
    def revoke(self, pick: int) -> None:
        """An operator takes a license away; the course can be bought again."""
        with self.world.app.app_context():
            active = sa.select(License.id).where(License.status == LicenseStatus.ACTIVE.value)
            found = list(db.session.scalars(active.order_by(License.issued_at, License.id)))
            if found:
                rights.revoke_license(found[pick % len(found)], "misused", "operator:test")

    # What is always true, and what is true at the end

    @invariant()
    def nothing_is_sold_twice(self) -> None:
        assert verdict.broken_at_any_moment(self.world.app) == []

    def heal(self) -> None:
        """Let everything be well again."""
        self.gateway_heals()
        self.key_comes_back()
        self.mail_goes_or_comes(is_away=False)

    def check(self) -> None:
        """Compare all books, once everything is at rest."""
        verdict.check(self.world, self.model)

    def teardown(self) -> None:
        if self.buyers:
            self.heal()
            self.check()
