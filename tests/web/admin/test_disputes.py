"""Staff see complaints with the hours left, answer them, and see a phone number only on record."""

import base64
import io
import re

import pytest

from portal.audit.models import AuditRow
from portal.disputes.models import DisputeAct
from portal.learners.models import Role
from tests.support.complaints import PNG, Complaints

pytestmark = pytest.mark.database
TOKEN = "0" * 20


@pytest.fixture
def complaints(app, shop, sandbox) -> Complaints:
    """Complaints, with the shop around them."""
    return Complaints(app, shop, sandbox)


@pytest.fixture
def support(shop):
    """Support at a browser, a code just entered."""
    return shop.buyer(role=Role.SUPPORT)


@pytest.fixture
def complaint_id(complaints) -> str:
    """A complaint for a refund, with a picture, read."""
    made = complaints.complain(
        detail="<b>看不了课</b>", problem_type="REFUND", images=[base64.b64encode(PNG).decode()]
    )
    complaints.look()
    return made


@pytest.fixture
def path(complaints, complaint_id) -> str:
    """Its page."""
    return f"/admin/disputes/{complaints.dispute(complaint_id).id}"


def send(person, path, act, **fields):
    form = {f"{act}-{name}": value for name, value in {"form_token": TOKEN, **fields}.items()}
    return person.post(f"{path}/{act}", form, page=path)


def test_from_complaint_to_completed(complaints, complaint_id, path, support):
    listed = support.get("/admin/disputes", headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert "23 h left for the first reply" in listed
    assert "&lt;b&gt;" in support.get(path).get_data(as_text=True)
    assert send(support, path, "reply", text="您好").status_code == 303
    complaints.shop.work()
    assert send(support, path, "complete", form_token="1" * 20).status_code == 422
    assert send(support, path, "complete", form_token="1" * 20, is_solved="y").status_code == 303
    complaints.shop.work()
    assert complaints.books(complaint_id)["state"] == "PROCESSED"
    assert path not in support.get("/admin/disputes").get_data(as_text=True)
    assert path in support.get("/admin/disputes?state=processed").get_data(as_text=True)


def test_a_reply_with_pictures_goes_out_and_others_are_refused(
    complaints, complaint_id, path, support, count
):
    def reply(*contents):
        files = [(io.BytesIO(content), f"{number}.png") for number, content in enumerate(contents)]
        return send(support, path, "reply", text="见图", pictures=files)

    answer = reply(b"GIF89a")
    assert (answer.status_code, count(DisputeAct)) == (422, 0)
    assert "reply-pictures-error" in answer.get_data(as_text=True)
    assert reply(*[bytes(3 << 20)] * 3).status_code == 413
    assert reply(PNG, PNG + bytes(1 << 20)).status_code == 303
    complaints.shop.work()
    assert len(complaints.books(complaint_id)["history"][0]["image_list"]) == 2


def test_order_and_complaint_lead_to_each_other(complaints, complaint_id, path, support, staff):
    order = complaints.order(complaint_id)
    order_path = f"/admin/orders/{order.public_id}"
    assert order_path in support.get(path).get_data(as_text=True)
    assert path in support.get(order_path).get_data(as_text=True)
    teacher = staff(Role.INSTRUCTOR, (order.product_id,))
    assert path not in teacher.get(order_path).get_data(as_text=True)


def test_the_first_page_says_how_many_are_open_and_the_fewest_hours_left(complaints, path, support, clock):
    clock.travel(hours=20)
    complaints.complain()
    complaints.look()
    support.sign_in_again()
    page = support.get("/admin", headers={"Accept-Language": "en"}).get_data(as_text=True)
    tile = page.split("Open complaints</a>")[1].split("</li>")[0]
    assert re.search(r"numbers\">.*2</p>", tile)
    assert "3 h left for the first reply" in tile


def test_overdue_is_said_in_words(path, support, clock):
    clock.travel(hours=25)
    support.sign_in_again()
    page = support.get("/admin/disputes", headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert "Overdue: first reply" in page


def test_a_picture_comes_through_us_with_a_type_of_ours(path, support):
    answer = support.get(f"{path}/pictures/1")
    assert (answer.status_code, answer.data, answer.headers["Content-Type"]) == (200, PNG, "image/png")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert support.get(f"{path}/pictures/2").status_code == 404
    assert support.get(f"{path}/pictures/0").status_code == 404


def test_a_picture_that_does_not_come_is_said(complaints, path, support):
    complaints.fault("image", "5xx")
    assert support.get(f"{path}/pictures/1").status_code == 503


def test_the_phone_is_shown_with_a_fresh_code_and_on_record(app, path, support, clock, count):
    assert "13800138000" not in support.get(path).get_data(as_text=True)
    assert "13800138000" in support.get(f"{path}/phone").get_data(as_text=True)
    assert count(AuditRow, AuditRow.action == "dispute.phone_seen") == 1
    clock.travel(minutes=6)
    assert support.get(f"{path}/phone").status_code == 303
    assert count(AuditRow, AuditRow.action == "dispute.phone_seen") == 1


def test_a_refund_is_promised_or_refused(complaints, complaint_id, path, support):
    assert send(support, path, "approve_refund", days="1").status_code == 303
    assert send(support, path, "reject_refund", form_token="1" * 20, text="不退").status_code == 409
    complaints.shop.work()
    assert complaints.dispute(complaint_id).state == "processing"


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("reply", {"text": ""}),
        ("reply", {"text": "x" * 201}),
        ("reply", {"text": "a\u202eb"}),
        ("reply", {"text": "x", "form_token": "odd"}),
        ("approve_refund", {"days": "11"}),
        ("approve_refund", {"days": "x"}),
        ("reject_refund", {"text": ""}),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_sent(path, support, count, act, fields):
    answer = send(support, path, act, **fields)
    assert answer.status_code == 422
    assert "error-summary" in answer.get_data(as_text=True)
    assert count(DisputeAct) == 0


@pytest.mark.parametrize("query", ["state=odd", "cursor=x"])
def test_a_filter_or_place_that_there_is_not_is_refused(support, query):
    assert support.get(f"/admin/disputes?{query}").status_code == 422


@pytest.mark.parametrize("role", [Role.LEARNER, Role.INSTRUCTOR])
def test_others_see_nothing_of_it(path, shop, role):
    person = shop.buyer(role=role)
    for page in ("/admin/disputes", path, f"{path}/phone", f"{path}/pictures/1"):
        assert person.get(page).status_code == 403


def test_one_that_there_is_not_is_not_found(support):
    for page in ("/admin/disputes/1", f"/admin/disputes/{10**30}", "/admin/disputes/1/phone"):
        assert support.get(page).status_code == 404
