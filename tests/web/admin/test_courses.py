"""An admin edits a course and an instructor prepares an edit; prices seen are prices kept."""

import html
import re

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.catalogue.models import Course, CourseDraft, Price
from portal.kit.db import db, transaction
from portal.learners.models import Role
from tests.support.shop import COURSE, Buyer

pytestmark = pytest.mark.database
PAGE, DRAFTS = f"/admin/courses/{COURSE}", f"/admin/courses/{COURSE}/drafts"
OTHER = "react-complete"


@pytest.fixture
def admin(staff) -> Buyer:
    """An admin at a browser, a code just entered."""
    return staff(Role.ADMIN)


def edit(admin: Buyer, page: str | None = None, to: str = PAGE, **fields):
    text = admin.get(PAGE).get_data(as_text=True) if page is None else page
    seen = html.unescape(re.search(r'name="seen"[^>]*value="([^"]+)"', text)[1])
    form = {
        "seen": seen,
        "title_zh": "新书名",
        "title_en": "New title",
        "summary_zh": "简介",
        "summary_en": "Summary",
        "price": "88.50",
        "license_days": "30",
        "max_downloads": "3",
        "is_on_sale": "y",
        **fields,
    }
    return admin.post(to, {name: value for name, value in form.items() if value is not None}, page=PAGE)


class TestCourses:
    def test_a_new_price_is_in_the_history_and_no_order_changes(self, app, admin, shop):
        order_id = shop.buyer().buy()
        assert edit(admin).status_code == 303
        assert shop.order(order_id).amount_fen == 9900
        with app.app_context():
            prices = db.session.scalars(
                sa.select(Price.amount_fen).where(Price.product_id == COURSE).order_by(Price.id)
            ).all()
            assert prices == [9900, 8850]
            course = db.session.get_one(Course, COURSE)
            assert (course.price_fen, course.title_en, course.license_days) == (8850, "New title", 30)
        assert "¥88.50" in shop.buyer().get(f"/courses/{COURSE}").get_data(as_text=True)

    def test_withdrawn_it_cannot_be_bought(self, admin, shop):
        edit(admin, is_on_sale=None)
        page = shop.buyer().get(f"/courses/{COURSE}").get_data(as_text=True)
        assert f"/courses/{COURSE}/buy" not in page
        assert "New title" not in shop.buyer().get("/courses").get_data(as_text=True)

    def test_of_two_editors_the_second_looks_again(self, admin):
        old = admin.get(PAGE).get_data(as_text=True)
        assert edit(admin).status_code == 303
        assert edit(admin, page=old, title_en="Overwritten").status_code == 409
        assert "New title" in admin.get(PAGE).get_data(as_text=True)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *(
                ("price", text)
                for text in ("", "1e2", "1_000", "１００", "+5", "0.001", "-1", "9" * 20, "1000000.01")
            ),
            ("license_days", "0"),
            ("license_days", "1.5"),
            ("max_downloads", "x"),
            ("title_zh", ""),
            ("title_en", "a\nb"),
            ("title_en", "x" * 121),
            ("summary_en", "\x07"),
            ("seen", "2026-99-99T00:00:00+00:00"),
            ("seen", "yesterday"),
            ("seen", "2026-11-26"),
        ],
    )
    def test_a_wrong_field_is_named_and_nothing_changes(self, app, admin, field, value):
        response = edit(admin, **{field: value})
        assert response.status_code == 422
        assert "error-summary" in response.get_data(as_text=True)
        with app.app_context():
            assert db.session.get_one(Course, COURSE).price_fen == 9900


class TestDrafts:
    @pytest.fixture
    def teacher(self, staff) -> Buyer:
        """An instructor of the course, at a browser."""
        return staff(Role.INSTRUCTOR, (COURSE,))

    @pytest.fixture
    def draft(self, teacher) -> str:
        """The page of a change that waits."""
        return str(self.prepare(teacher).location)

    def prepare(self, teacher: Buyer, **fields):
        return edit(teacher, to=DRAFTS, **fields)

    def approve(self, person: Buyer, draft: str):
        return person.post(f"{draft}/approve", page=draft)

    def refuse(self, person: Buyer, draft: str, reason: str = "too cheap"):
        return person.post(f"{draft}/refuse", {"form_token": "0" * 20, "reason": reason}, page=draft)

    def course(self, app) -> tuple[int, str, int, list[int]]:
        """Return price, title and days of the course, and what it has cost."""
        with app.app_context():
            found = db.session.get_one(Course, COURSE)
            prices = db.session.scalars(
                sa.select(Price.amount_fen).where(Price.product_id == COURSE).order_by(Price.id)
            )
            return found.price_fen, found.title_en, found.license_days, list(prices)

    def acts(self, app) -> list[str]:
        with app.app_context():
            query = sa.select(AuditRow.action).where(AuditRow.subject == f"course:{COURSE}")
            return list(db.session.scalars(query.order_by(AuditRow.id)))

    def test_nothing_changes_until_an_admin_approves_what_is_shown_side_by_side(self, app, admin, draft):
        assert self.course(app)[0] == 9900
        assert self.acts(app) == ["course.draft_prepared"]
        assert "Course changes to approve" in admin.get("/admin").get_data(as_text=True)
        assert draft in admin.get("/admin/courses").get_data(as_text=True)
        page = admin.get(draft).get_data(as_text=True)
        before, after = page.index(">¥99.00<"), page.index(">¥88.50<")
        assert before < after
        assert self.approve(admin, draft).status_code == 303
        assert self.course(app) == (8850, "New title", 30, [9900, 8850])
        assert self.acts(app) == ["course.draft_prepared", "course.edited", "course.draft_approved"]
        assert self.approve(admin, draft).status_code == 409
        assert draft not in admin.get("/admin/courses").get_data(as_text=True)

    def test_it_is_approved_with_a_code_of_now(self, app, clock, admin, draft):
        clock.travel(minutes=6)
        assert self.approve(admin, draft).status_code == 403
        assert self.course(app)[0] == 9900

    def test_refused_the_course_stays_and_the_instructor_reads_why(self, app, admin, teacher, draft):
        assert self.refuse(admin, draft, "").status_code == 422
        assert self.refuse(admin, draft).status_code == 303
        assert "too cheap" in teacher.get(draft).get_data(as_text=True)
        assert self.approve(admin, draft).status_code == 409
        assert self.course(app)[0] == 9900
        assert self.acts(app) == ["course.draft_prepared", "course.draft_refused"]

    def test_who_prepared_it_cannot_approve_it_but_takes_it_back(self, app, admin, teacher, draft):
        assert "/approve" not in teacher.get(draft).get_data(as_text=True)
        assert self.approve(teacher, draft).status_code == 403
        assert self.refuse(teacher, draft, "a slip").status_code == 303
        assert self.acts(app) == ["course.draft_prepared", "course.draft_withdrawn"]
        assert self.approve(admin, draft).status_code == 409
        assert self.course(app)[0] == 9900

    def test_a_later_change_of_the_course_overtakes_it(self, app, clock, admin, draft):
        clock.travel(minutes=1)
        edit(admin, price="120.00")
        assert draft not in admin.get("/admin/courses").get_data(as_text=True)
        page = admin.get(draft).get_data(as_text=True)
        assert "Overtaken" in page
        assert "/approve" not in page
        assert self.approve(admin, draft).status_code == 409
        assert self.course(app)[0] == 12000

    def test_a_release_that_lets_other_things_be_changed_overtakes_it(self, app, admin, draft):
        with app.app_context(), transaction() as session:
            row = session.scalars(sa.select(CourseDraft)).one()
            row.after = {**row.after, "subtitle": "of another release"}
        page = admin.get(draft).get_data(as_text=True)
        assert "Overtaken" in page
        assert "/approve" not in page
        assert draft not in admin.get("/admin/courses").get_data(as_text=True)
        assert 'courses#drafts"' not in admin.get("/admin").get_data(as_text=True)
        assert self.approve(admin, draft).status_code == 409
        assert self.course(app)[0] == 9900

    def test_an_instructors_next_one_takes_the_place_of_the_last(self, app, admin, teacher, draft):
        other = str(self.prepare(teacher, price="77.00").location)
        assert self.approve(admin, draft).status_code == 409
        assert self.approve(admin, other).status_code == 303
        assert self.course(app)[0] == 7700

    def test_it_is_checked_as_an_edit_is_and_says_something_new(self, app, clock, admin, teacher):
        assert self.prepare(teacher, price="1e2").status_code == 422
        old = teacher.get(PAGE).get_data(as_text=True)
        clock.travel(minutes=1)
        edit(admin)
        assert self.prepare(teacher, page=old).status_code == 409
        assert self.prepare(teacher).location == PAGE
        assert self.acts(app) == ["course.edited"]

    def test_an_instructor_prepares_and_sees_what_they_teach_alone(self, app, staff, teacher, draft):
        stranger = staff(Role.INSTRUCTOR, (OTHER,))
        own = f"/admin/courses/{OTHER}"
        assert f"{own}/drafts" in stranger.get(own).get_data(as_text=True)
        assert stranger.post(DRAFTS, page=own).status_code == 404
        for path in (PAGE, draft, draft.replace(COURSE, OTHER)):
            assert stranger.get(path).status_code == 404
        assert self.refuse(staff(Role.INSTRUCTOR, (COURSE,)), draft).status_code == 403
        assert edit(teacher).status_code == 403
        assert self.course(app)[0] == 9900
