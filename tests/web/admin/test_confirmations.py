"""Staff confirm transfers: their own courses, with evidence, two persons where it is much, and by nobody else."""

import io
import re

import pytest

from portal.catalogue.offers import offer_of
from portal.kit.db import db, transaction
from portal.learners.models import Role
from portal.licenses.models import License
from portal.orders.models import OrderStatus
from portal.refunds.models import Refund
from portal.staff.models import CourseInstructor
from tests.factories.staff import set_up_phone
from tests.support.shop import COURSE, Buyer
from tests.support.transfers import TransferDesk, picture

pytestmark = pytest.mark.database


@pytest.fixture
def desk(shop, tools) -> TransferDesk:
    """A shop with a course sold by transfer."""
    made = TransferDesk(shop, tools)
    made.offer()
    return made


@pytest.fixture
def strict(app, monkeypatch):
    """A shop where whatever is confirmed needs a second person."""
    tools = app.extensions["portal_tools"]
    settings = tools.settings.model_copy(update={"APPROVAL_SINGLE_FEN": 0})
    monkeypatch.setitem(app.extensions, "portal_tools", type(tools)(**{**vars(tools), "settings": settings}))


def teach(app, person: Buyer, course_id: str = COURSE) -> None:
    with app.app_context(), transaction():
        db.session.add(CourseInstructor(learner_id=person.learner.id, course_id=course_id))


def check(person: Buyer, address: str, **fields):
    form = {"amount": "99.00", "number": "1000050001", **fields}
    return person.post(f"{address}/check", form, page=address, content_type="multipart/form-data")


def address_of(desk: TransferDesk, order_id: str) -> str:
    return f"/admin/confirmations/{desk.transfer(order_id).reference}"


class TestConfirming:
    def test_the_instructor_finds_it_and_confirms_it_and_the_learner_has_the_license(
        self, app, desk, shop, count
    ):
        buyer, teacher = shop.buyer(), shop.staff(Role.INSTRUCTOR)
        teach(app, teacher)
        order_id = desk.told(buyer)
        address = address_of(desk, order_id)
        assert address in teacher.get("/admin/confirmations").get_data(as_text=True)
        page = teacher.get(address).get_data(as_text=True)
        assert buyer.learner.email not in page
        proof = teacher.get(f"{address}/pictures/told")
        assert (proof.status_code, proof.headers["X-Content-Type-Options"]) == (200, "nosniff")
        assert check(teacher, address).status_code == 303
        assert count(License) == 1
        assert buyer.state(order_id) == "delivered"

    def test_another_instructor_sees_nothing_of_it_and_can_do_nothing(self, app, desk, shop, count):
        order_id, other = desk.told(), shop.staff(Role.INSTRUCTOR)
        teach(app, other, "javascript-complete")
        address = address_of(desk, order_id)
        assert address not in other.get("/admin/confirmations?status=").get_data(as_text=True)
        for path in (address, f"{address}/pictures/told"):
            assert other.get(path).status_code == 404
        for act in ("check", "back", "refuse"):
            form = {"amount": "99.00", "number": "1000050001", "reason": "not mine"}
            assert other.post(f"{address}/{act}", form).status_code == 404
        assert count(License) == 0

    def test_the_second_person_agrees_and_the_first_cannot(self, app, desk, shop, strict, count):
        order_id, first, second = desk.told(), shop.staff(Role.FINANCE), shop.staff(Role.FINANCE)
        address = address_of(desk, order_id)
        assert check(first, address).status_code == 303
        digest = desk.digest(order_id)
        assert first.post(f"{address}/approve", {"digest": digest}).status_code == 403
        assert second.post(f"{address}/approve", {"digest": "0" * 64}).status_code == 409
        assert count(License) == 0
        assert second.post(f"{address}/approve", {"digest": digest}).status_code == 303
        assert second.post(f"{address}/approve", {"digest": digest}).status_code == 409
        assert count(License) == 1

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("amount", "1e2"),
            ("amount", "９９"),
            ("amount", "+99"),
            ("amount", "0.001"),
            ("amount", "-1"),
            ("amount", "0"),
            ("amount", str(2**63)),
            ("number", ""),
            ("number", "<b>12345</b>"),
            ("number", "12345"),
        ],
    )
    def test_a_wrong_field_is_named_and_nothing_is_recorded(self, desk, shop, field, value):
        order_id = desk.told()
        response = check(shop.staff(Role.FINANCE), address_of(desk, order_id), **{field: value})
        assert response.status_code == 422
        assert "error-summary" in response.get_data(as_text=True)
        assert desk.transfer(order_id).checked_by is None

    def test_what_is_no_picture_is_refused_and_nothing_is_recorded(self, desk, shop):
        order_id, person = desk.told(), shop.staff(Role.FINANCE)
        for raw in (
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            picture(size=(9000, 20)),
            b"\x89PNG\r\n\x1a\n",
        ):
            proof = (io.BytesIO(raw), "../../proof.png")
            assert check(person, address_of(desk, order_id), picture=proof).status_code == 422
        too_large = (io.BytesIO(b"x" * (3 << 20)), "proof.png")
        assert check(person, address_of(desk, order_id), picture=too_large).status_code == 413
        assert desk.transfer(order_id).checked_by is None

    def test_refusing_tells_the_learner_why(self, desk, shop):
        buyer = shop.buyer()
        order_id, person = desk.told(buyer), shop.staff(Role.FINANCE)
        address = address_of(desk, order_id)
        assert person.post(f"{address}/refuse", {"reason": "<b>"}).status_code == 422
        assert person.post(f"{address}/refuse", {"reason": "nothing came"}).status_code == 303
        assert "nothing came" in buyer.get(f"/checkout/{order_id}").get_data(as_text=True)


class TestGivingBack:
    def test_it_goes_back_by_hand_and_the_license_ends(self, desk, shop, count):
        order_id, first, second = desk.told(), shop.staff(Role.FINANCE), shop.staff(Role.FINANCE)
        desk.check(order_id)
        payment = shop.payment(order_id)
        page = first.get(f"/admin/refunds/new?order={order_id}").get_data(as_text=True)
        assert "by hand" in page
        form = {
            "form_token": "0" * 20,
            "out_trade_no": payment.out_trade_no,
            "amount": "99.00",
            "effect": "keep",
            "reason": "changed their mind",
        }
        asked = first.post(f"/admin/refunds?order={order_id}", form)
        assert asked.status_code == 303
        assert "WeChat Pay cannot give a transfer back" in first.get(asked.location).get_data(as_text=True)
        assert shop.order(order_id).status == OrderStatus.COMPLETED
        returned = f"{asked.location}/returned"
        assert second.post(returned, {"number": payment.transaction_id}).status_code == 409
        assert second.post(returned, {"number": "2000060001"}).status_code == 303
        assert second.post(returned, {"number": "2000060001"}).status_code == 409
        assert shop.order(order_id).status == OrderStatus.REFUNDED
        assert count(License, License.status == "active") == 0
        assert count(Refund, Refund.verified_by == "person") == 1
        shop.work(2)
        assert shop.refunds() == []
        assert shop.differences() == []


class TestOffer:
    def test_an_admin_switches_it_on_with_a_code_and_learners_are_offered_it(self, app, shop):
        admin, buyer = shop.staff(), shop.buyer()
        page = f"/admin/courses/{COURSE}"
        form = {"mode": "only", "receiver": "Teacher Wang", "version": "0"}
        sending = {"page": page, "content_type": "multipart/form-data"}
        assert admin.post(f"{page}/transfer", form, **sending).status_code == 422
        wrong = admin.post(f"{page}/transfer", {**form, "mode": "both"}, **sending).get_data(as_text=True)
        assert 'href="#mode"' in wrong
        assert '<fieldset class="field is-wrong" id="mode"' in wrong
        code = {"picture": (io.BytesIO(picture()), "code.png")}
        assert admin.post(f"{page}/transfer", {**form, **code}, **sending).status_code == 303
        assert admin.get(f"{page}/transfer-code").content_type == "image/png"
        offered = buyer.get(f"/courses/{COURSE}").get_data(as_text=True)
        assert f"/courses/{COURSE}/transfer" in offered
        assert f"/courses/{COURSE}/buy" not in offered
        # Whoever presses the old button gets no other way to pay.
        assert buyer.post(f"/courses/{COURSE}/buy").location.endswith(f"/courses/{COURSE}")
        # Two admins at once: the second looks again.
        code = {"picture": (io.BytesIO(picture()), "code.png")}
        assert admin.post(f"{page}/transfer", {**form, **code}, **sending).status_code == 409

    def test_a_picture_that_came_with_a_wrong_code_is_chosen_again_or_nothing_is_saved(self, app, desk, shop):
        admin, page = shop.staff(), f"/admin/courses/{COURSE}"
        set_up_phone(app, admin.learner)
        admin.sign_in_again()
        before = admin.get(f"{page}/transfer-code").data
        form = {"mode": "beside", "receiver": "Teacher Li", "version": "1", "second_factor_code": "1"}

        def send(**fields):
            sending = {"page": page, "content_type": "multipart/form-data"}
            return admin.post(f"{page}/transfer", {**form, **fields}, **sending)

        def receiver():
            with app.app_context():
                return offer_of(COURSE).receiver

        asked = send(picture=(io.BytesIO(picture(size=(70, 70))), "code.png"))
        text = asked.get_data(as_text=True)
        assert asked.status_code == 422
        assert 'enctype="multipart/form-data"' in text
        assert '<input type="file" id="picture" name="picture"' in text
        kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))
        form = {name: value for name, value in kept.items() if name not in {"csrf_token", "locale"}}
        assert form["receiver"] == "Teacher Li"

        lacking = send(picture=(io.BytesIO(b""), ""))
        assert lacking.status_code == 422
        assert "Choose the picture again" in lacking.get_data(as_text=True)
        assert (receiver(), admin.get(f"{page}/transfer-code").data) == ("Teacher Wang", before)
        assert send(picture=(io.BytesIO(picture(size=(70, 70))), "code.png")).status_code == 303
        assert receiver() == "Teacher Li"
        assert admin.get(f"{page}/transfer-code").data != before
