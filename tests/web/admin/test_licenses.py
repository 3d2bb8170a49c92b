"""Staff find a license and reissue, extend or revoke it; the text is shown to few, and on record."""

from email import message_from_bytes, policy

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditRow
from portal.grants.models import Grant, GrantStatus
from portal.kit.db import db, transaction
from portal.learners.models import Locale, Role
from portal.licenses import desk
from portal.licenses.models import License, LicenseStatus
from portal.staff.models import CourseInstructor
from tests.support.shop import COURSE, Buyer

pytestmark = pytest.mark.database
REASON = {"reason": "lost on a shared computer"}


@pytest.fixture
def owner(shop):
    """A learner with a license."""
    buyer = shop.buyer()
    order_id = buyer.buy()
    shop.pay(order_id)
    shop.notify(order_id)
    return buyer


@pytest.fixture
def license_(app, owner) -> License:
    """The license."""
    with app.app_context():
        found = db.session.scalars(sa.select(License)).one()
        db.session.expunge(found)
        return found


@pytest.fixture
def finance(shop) -> Buyer:
    """Finance at a browser, a code just entered."""
    return shop.buyer(role=Role.FINANCE)


def status_of(app, license_id: str) -> str:
    with app.app_context():
        return str(db.session.scalar(sa.select(License.status).where(License.id == license_id)))


def act(person: Buyer, license_: License, what: str, **fields):
    prefix = f"{what}-"
    page = f"/admin/licenses/{license_.id}"
    form = {f"{prefix}{name}": value for name, value in {**REASON, **fields}.items()}
    return person.post(f"{page}/{what}", {f"{prefix}form_token": "0" * 20, **form}, page=page)


class TestFinding:
    def test_by_number_by_address_by_state_and_by_course(self, finance, license_, owner):
        for query in (
            f"q={license_.id.upper()}",
            f"q=%20{owner.learner.email}",
            "status=active",
            f"course={COURSE}",
            "",
        ):
            assert license_.id in finance.get(f"/admin/licenses?{query}").get_data(as_text=True), query
        for query in ("q=nobody@example.com", "q=0123", "status=revoked", "course=no-such-course"):
            page = finance.get(f"/admin/licenses?{query}")
            assert page.status_code == 200
            assert license_.id not in page.get_data(as_text=True), query

    @pytest.mark.parametrize(
        "query", ["status=odd", "course=é", "cursor=x", "cursor=AAAA", "status=active&cursor=MS4xLng"]
    )
    def test_a_filter_or_place_that_there_is_not_is_refused(self, finance, query):
        assert finance.get(f"/admin/licenses?{query}").status_code == 422

    def test_a_long_list_goes_on_where_it_ended(self, app, finance, owner, license_, monkeypatch):
        monkeypatch.setattr(desk, "PAGE", 1)
        finance.post(
            f"/admin/licenses/{license_.id}/reissue",
            {"reissue-form_token": "0" * 20, "reissue-reason": REASON["reason"]},
            page=f"/admin/licenses/{license_.id}",
        )
        first = finance.get("/admin/licenses").get_data(as_text=True)
        assert license_.id not in first
        older = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
        assert license_.id in finance.get(older).get_data(as_text=True)

    def test_support_sees_masked_addresses_and_no_buttons(self, shop, license_, owner):
        support = shop.buyer(role=Role.SUPPORT)
        for path in ("/admin/licenses", f"/admin/licenses/{license_.id}"):
            page = support.get(path).get_data(as_text=True)
            assert owner.learner.email not in page
            assert "***@example.com" in page
        assert "/revoke" not in support.get(f"/admin/licenses/{license_.id}").get_data(as_text=True)

    def test_an_instructor_sees_what_they_teach_and_nothing_else(self, app, shop, license_):
        teacher = shop.buyer(role=Role.INSTRUCTOR)
        assert teacher.get(f"/admin/licenses/{license_.id}").status_code == 404
        assert license_.id not in teacher.get("/admin/licenses").get_data(as_text=True)
        with app.app_context(), transaction():
            db.session.add(CourseInstructor(learner_id=teacher.learner.id, course_id=COURSE))
        assert teacher.get(f"/admin/licenses/{license_.id}").status_code == 200
        assert license_.id in teacher.get("/admin/licenses").get_data(as_text=True)

    @pytest.mark.parametrize("license_id", ["nosuch", "A" * 36, "x" * 40, "%F0%9F%94%91"])
    def test_one_that_there_is_not(self, finance, license_id):
        assert finance.get(f"/admin/licenses/{license_id}").status_code == 404


class TestText:
    def test_it_is_shown_on_record(self, app, finance, license_):
        assert license_.text in finance.get(f"/admin/licenses/{license_.id}/text").get_data(as_text=True)
        with app.app_context():
            seen = db.session.scalars(sa.select(AuditRow).where(AuditRow.action == "license.text_seen")).one()
            assert seen.subject == f"license:{license_.id}"

    def test_it_stands_on_no_other_page_of_the_desk(self, finance, license_):
        for path in ("/admin/licenses", f"/admin/licenses/{license_.id}"):
            assert license_.text[:40] not in finance.get(path).get_data(as_text=True)

    def test_it_needs_a_code_of_now(self, clock, finance, license_):
        clock.travel(minutes=6)
        response = finance.get(f"/admin/licenses/{license_.id}/text")
        assert response.status_code == 303
        assert response.location.startswith("/admin/confirm?next=")


class TestActing:
    def test_revoked_it_is_so_everywhere(self, app, finance, license_, owner):
        assert act(finance, license_, "revoke").status_code == 303
        assert status_of(app, license_.id) == LicenseStatus.REVOKED
        verdict = owner.client.post("/api/v1/licenses/verify", json={"key": license_.text}).get_json()
        assert verdict["code"] == "REVOKED"
        assert "had been revoked" in finance.get(act(finance, license_, "revoke").location).get_data(
            as_text=True
        )

    @pytest.mark.parametrize("locale", list(Locale), ids=str)
    def test_the_owner_of_a_revoked_one_is_told_why_and_what_to_do(self, shop, finance, mails, locale):
        buyer = shop.buyer(locale=locale)
        order_id = buyer.buy()
        shop.pay(order_id)
        shop.notify(order_id)
        with shop.app.app_context():
            license_ = db.session.scalars(sa.select(License)).one()
        act(finance, license_, "revoke")
        act(finance, license_, "revoke")
        shop.work()
        letters = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in mails()]
        subject = {Locale.ZH: "许可证已被撤销", Locale.EN: "was revoked"}[locale]
        (letter,) = [letter for letter in letters if subject in letter["Subject"]]
        text = letter.get_body(("plain",)).get_content()
        for fact in (REASON["reason"], license_.id, order_id, "support@"):
            assert fact in text

    def test_reissued_it_leads_to_the_new_one(self, app, finance, license_):
        location = act(finance, license_, "reissue").location
        assert location != f"/admin/licenses/{license_.id}"
        assert status_of(app, license_.id) == LicenseStatus.SUPERSEDED
        again = act(finance, license_, "reissue")
        assert again.location == f"/admin/licenses/{license_.id}"

    def test_extended_it_is_a_grant(self, app, finance, license_):
        location = act(finance, license_, "extend", days="30").location
        assert location.startswith("/admin/grants/")
        with app.app_context():
            assert db.session.scalars(sa.select(Grant.status)).one() == GrantStatus.ISSUED
        assert "/admin/licenses/" in finance.get(location).get_data(as_text=True)

    @pytest.mark.parametrize("days", ["", "0", "-1", "1e2", "1_0", "３０", "+5", "3661", "9" * 30, "x"])
    def test_odd_days_change_nothing(self, app, finance, license_, days):
        response = act(finance, license_, "extend", days=days)
        assert response.status_code == 422
        assert 'aria-invalid="true"' in response.get_data(as_text=True)
        assert status_of(app, license_.id) == LicenseStatus.ACTIVE

    @pytest.mark.parametrize("what", ["revoke", "reissue"])
    @pytest.mark.parametrize("reason", ["", "no", "x" * 201, "<script>", "two\nlines\u2028"])
    def test_a_reason_that_is_none_changes_nothing(self, app, finance, license_, what, reason):
        assert act(finance, license_, what, reason=reason).status_code == 422
        assert status_of(app, license_.id) == LicenseStatus.ACTIVE

    @pytest.mark.parametrize("what", ["revoke", "reissue", "extend"])
    def test_a_code_that_is_old_asks_for_another_and_keeps_what_was_typed(
        self, app, clock, finance, license_, what
    ):
        clock.travel(minutes=6)
        response = act(finance, license_, what, days="30")
        assert response.status_code == 403
        assert REASON["reason"] in response.get_data(as_text=True)
        assert status_of(app, license_.id) == LicenseStatus.ACTIVE
