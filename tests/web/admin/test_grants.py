"""Staff give licenses by hand: checked first, approved by another where it is worth much, many as a job."""

import html
import io
import re

import pytest
import sqlalchemy as sa

from portal.catalogue.models import Course
from portal.kit.db import db, transaction
from portal.learners.models import Role
from portal.licenses.models import License
from portal.staff.models import CourseInstructor
from tests.support.shop import COURSE, Buyer

pytestmark = pytest.mark.database
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')


@pytest.fixture
def support(shop) -> Buyer:
    """Support at a browser, a code just entered."""
    return shop.buyer(role=Role.SUPPORT)


@pytest.fixture
def finance(shop) -> Buyer:
    """Finance at a browser, a code just entered."""
    return shop.buyer(role=Role.FINANCE)


@pytest.fixture
def strict(app, monkeypatch):
    """A shop where whatever is given needs a second person."""
    tools = app.extensions["portal_tools"]
    settings = tools.settings.model_copy(update={"APPROVAL_SINGLE_FEN": 0})
    monkeypatch.setitem(app.extensions, "portal_tools", type(tools)(**{**vars(tools), "settings": settings}))


def hidden_of(page: str) -> dict[str, str]:
    """Return the fields that a check page keeps."""
    return {name: html.unescape(value) for name, value in HIDDEN.findall(page)}


def check(person: Buyer, learner, **fields):
    form = {"email": learner.email, "course_id": COURSE, "reason": "paid by bank transfer", **fields}
    return person.post("/admin/grants/check", {"form_token": "0" * 20, **form}, page="/admin/grants/new")


def check_list(person: Buyer, text: str = "", file: bytes | None = None):
    form: dict = {"form_token": "0" * 20, "list": text, "reason": "class of autumn"}
    if file is not None:
        form["file"] = (io.BytesIO(file), "list.csv")
    return person.post(
        "/admin/grants/bulk/check", form, page="/admin/grants/bulk", content_type="multipart/form-data"
    )


def give(person: Buyer, learner, **fields):
    page = check(person, learner, **fields)
    assert page.status_code == 200, page.get_data(as_text=True)[-3000:]
    return person.client.post("/admin/grants", data=hidden_of(page.get_data(as_text=True)))


def licenses(app) -> int:
    with app.app_context():
        return db.session.scalar(sa.select(sa.func.count()).select_from(License)) or 0


class TestOne:
    def test_what_would_happen_is_shown_before_it_does(self, app, support, shop):
        learner = shop.buyer().learner
        page = check(support, learner, days="73").get_data(as_text=True)
        assert "¥19.80" in page
        assert licenses(app) == 0

    def test_a_small_one_is_given_at_once_and_mailed(self, app, support, shop, mails):
        response = give(support, shop.buyer().learner, reference="4200001234")
        assert response.status_code == 303
        assert licenses(app) == 1
        shop.work()
        assert len(mails()) == 1
        shown = support.get(response.location).get_data(as_text=True)
        assert "4200001234" in shown

    def test_sent_twice_it_is_given_once(self, app, support, shop):
        learner = shop.buyer().learner
        kept = hidden_of(check(support, learner).get_data(as_text=True))
        answers = [support.client.post("/admin/grants", data=kept).status_code for _ in range(2)]
        assert answers == [303, 422]
        assert licenses(app) == 1

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("email", ""),
            ("email", "nobody@example.com"),
            ("email", "=1+1"),
            ("course_id", "no-such-course"),
            ("course_id", ""),
            ("days", "1e2"),
            ("days", "０５"),
            ("days", "3661"),
            ("reason", ""),
            ("reason", "<b>x</b>"),
            ("form_token", "x"),
        ],
    )
    def test_a_wrong_field_is_named_and_nothing_is_given(self, app, support, shop, field, value):
        response = check(support, shop.buyer().learner, **{field: value})
        assert response.status_code == 422
        assert "error-summary" in response.get_data(as_text=True)
        assert licenses(app) == 0

    def test_a_course_of_a_century_is_given_for_days_that_are_named(self, app, support, shop):
        with app.app_context(), transaction():
            db.session.get_one(Course, COURSE).license_days = 36_500
        response = check(support, shop.buyer().learner)
        assert response.status_code == 422
        assert 'href="#days">Days are a whole number from 1 to 3660.' in response.get_data(as_text=True)

    def test_a_number_gives_one_license(self, app, support, shop):
        give(support, shop.buyer().learner, reference="4200001234")
        assert give(support, shop.buyer().learner, reference="4200001234").status_code == 422
        assert licenses(app) == 1

    def test_an_instructor_gives_what_they_teach(self, app, shop):
        teacher, learner = shop.buyer(role=Role.INSTRUCTOR), shop.buyer().learner
        assert check(teacher, learner).status_code == 422
        with app.app_context(), transaction():
            db.session.add(CourseInstructor(learner_id=teacher.learner.id, course_id=COURSE))
        assert give(teacher, learner).status_code == 303

    def test_it_needs_a_code_of_now_and_keeps_what_was_typed(self, app, clock, support, shop):
        kept = hidden_of(check(support, shop.buyer().learner).get_data(as_text=True))
        clock.travel(minutes=6)
        response = support.client.post("/admin/grants", data=kept)
        assert response.status_code == 403
        assert "paid by bank transfer" in response.get_data(as_text=True)
        assert licenses(app) == 0


@pytest.mark.usefixtures("strict")
class TestTwoPersons:
    @pytest.fixture
    def asker(self, app, shop) -> Buyer:
        """An instructor, who may ask for what they teach."""
        teacher = shop.buyer(role=Role.INSTRUCTOR)
        with app.app_context(), transaction():
            db.session.add(CourseInstructor(learner_id=teacher.learner.id, course_id=COURSE))
        return teacher

    @pytest.fixture
    def asked(self, asker, shop) -> str:
        """A grant that waits."""
        return str(give(asker, shop.buyer().learner).location)

    def test_support_asks_for_no_more_than_one_person_may_give(self, app, support, shop):
        pupil = shop.buyer().learner
        answers = [check(support, pupil), check_list(support, f"email,course_id\n{pupil.email},{COURSE}")]
        for response in answers:
            assert response.status_code == 422
            assert "You may give licenses worth at most ¥0.00 at once." in response.get_data(as_text=True)
        assert licenses(app) == 0

    def digest(self, person: Buyer, path: str) -> str:
        return hidden_of(person.get(path).get_data(as_text=True)).get("digest", "")

    def approve(self, person: Buyer, path: str, digest: str):
        return person.post(f"{path}/approve", {"digest": digest}, page=path)

    def test_another_approves_it(self, app, asked, finance):
        assert licenses(app) == 0
        assert self.approve(finance, asked, self.digest(finance, asked)).status_code == 303
        assert licenses(app) == 1
        assert self.approve(finance, asked, "x").status_code == 409

    def test_what_was_not_shown_is_not_approved(self, app, asked, finance):
        assert self.approve(finance, asked, "0" * 64).status_code == 409
        assert licenses(app) == 0

    def test_nobody_approves_their_own(self, app, finance, shop):
        own = str(give(finance, shop.buyer().learner).location)
        assert "/approve" not in finance.get(own).get_data(as_text=True)
        refused = self.approve(finance, own, "x")
        assert refused.status_code == 403
        assert "Another person has to do this" in refused.get_data(as_text=True)
        assert licenses(app) == 0

    def test_who_asked_sees_who_decided_masked_and_finance_in_full(self, asked, asker, finance):
        self.approve(finance, asked, self.digest(finance, asked))
        for path in (asked, "/admin/grants"):
            assert asker.learner.email in finance.get(path).get_data(as_text=True)
            seen = asker.get(path).get_data(as_text=True)
            assert asker.learner.email not in seen.split("<main")[1]
        assert finance.learner.email not in asker.get(asked).get_data(as_text=True)

    def test_who_asked_sees_their_own_and_support_no_others(self, asked, asker, shop):
        assert asker.get(asked).status_code == 200
        other = shop.buyer(role=Role.SUPPORT)
        assert other.get(asked).status_code == 404
        assert asked.rsplit("/", 1)[1] not in other.get("/admin/grants").get_data(as_text=True)

    def test_refused_it_is_not_given(self, app, asked, finance, asker):
        refused = finance.post(
            f"{asked}/refuse", {"form_token": "0" * 20, "reason": "no such payment"}, page=asked
        )
        assert refused.status_code == 303
        assert "no such payment" in asker.get(asked).get_data(as_text=True)
        assert licenses(app) == 0

    @pytest.mark.parametrize("query", ["status=odd", "before=-1", "before=1e9", "before=" + "9" * 30])
    def test_a_filter_or_place_that_there_is_not_is_refused(self, finance, query):
        assert finance.get(f"/admin/grants?{query}").status_code == 422


def test_what_is_for_oneself_another_person_has_to_ask_for(app, finance, shop):
    order_id = finance.buy("react-complete")
    shop.pay(order_id)
    shop.notify(order_id)
    with app.app_context():
        own = f"/admin/licenses/{db.session.scalars(sa.select(License.id)).one()}"
    many = check_list(finance, f"email,course_id\n{finance.learner.email},{COURSE}")
    longer = {"extend-days": "5", "extend-reason": "a long illness", "extend-form_token": "0" * 20}
    for response in (
        give(finance, finance.learner),
        finance.client.post("/admin/grants/bulk", data=hidden_of(many.get_data(as_text=True))),
        finance.post(f"{own}/extend", longer, page=own),
    ):
        assert response.status_code == 403
        assert "or it is for yourself." in response.get_data(as_text=True).partition("error-summary")[2]
    assert licenses(app) == 1


class TestMany:
    def test_a_list_is_tried_then_given_as_a_job_with_its_log_and_result(self, app, shop, finance):
        pupils = [shop.buyer().learner for _ in range(3)]
        lines = "\n".join(
            ["email,course_id", *(f"{pupil.email},{COURSE}" for pupil in pupils), f"x@y.cn,{COURSE}"]
        )
        page = check_list(finance, file=lines.encode()).get_data(as_text=True)
        assert "error-summary" not in page, page
        assert "¥396.00" in page
        assert licenses(app) == 0
        asked = finance.client.post("/admin/grants/bulk", data=hidden_of(page))
        other = shop.buyer(role=Role.ADMIN)
        digest = hidden_of(other.get(asked.location).get_data(as_text=True))["digest"]
        other.post(f"{asked.location}/approve", {"digest": digest}, page=asked.location)
        job = re.search(r"/admin/jobs/\w+", finance.get(asked.location).get_data(as_text=True))[0]
        waiting = finance.get(f"{job}/status")
        assert (waiting.get_json()["state"], waiting.get_json()["stop"]) == ("queued", False)
        again = finance.get(f"{job}/status", headers={"If-None-Match": waiting.headers["ETag"]})
        assert again.status_code == 304
        shop.work()
        assert licenses(app) == 3
        assert finance.get(f"{job}/status").get_json()["stop"] is True
        assert "no account has this address" in finance.get(job).get_data(as_text=True)
        result = finance.get(f"{job}/result.csv")
        assert result.mimetype == "text/csv"
        assert len(result.get_data(as_text=True).splitlines()) == 5
        assert job.rsplit("/", 1)[1] in finance.get("/admin/jobs").get_data(as_text=True)
        assert shop.buyer(role=Role.SUPPORT).get(job).status_code == 404

    def test_a_job_is_stopped(self, app, shop, finance):
        pupil = shop.buyer().learner
        page = check_list(finance, f"email,course_id\n{pupil.email},{COURSE}").get_data(as_text=True)
        asked = finance.client.post("/admin/grants/bulk", data=hidden_of(page))
        job = re.search(r"/admin/jobs/\w+", finance.get(asked.location).get_data(as_text=True))[0]
        assert finance.post(f"{job}/cancel", page=job).status_code == 303
        shop.work()
        assert finance.get(f"{job}/status").get_json()["state"] == "cancelled"
        assert licenses(app) == 0

    @pytest.mark.parametrize(
        "file", [b"", b"\xff\xfe\x00", b"email\n", b"email,course_id\nx,y\n", b"PK\x03\x04" + b"\x00" * 50]
    )
    def test_a_file_that_is_none_is_refused(self, app, finance, file):
        response = check_list(finance, file=file)
        assert response.status_code == 422
        assert "error-summary" in response.get_data(as_text=True)

    def test_a_file_too_large_is_refused(self, finance):
        assert check_list(finance, file=b"x" * 300_000).status_code == 413

    def test_an_instructor_gives_no_list_of_what_they_do_not_teach(self, app, shop):
        teacher, pupil = shop.buyer(role=Role.INSTRUCTOR), shop.buyer().learner
        assert check_list(teacher, f"email,course_id\n{pupil.email},{COURSE}").status_code == 403
