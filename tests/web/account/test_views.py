"""What is one's own: orders, receipts, licenses, sign-ins and settings."""

import re

import pytest
import sqlalchemy as sa

from portal.kit.db import db
from portal.learners import services, sessions
from portal.learners.models import Learner, Locale, LoginSession, Role
from portal.licenses.models import License
from portal.orders.models import Order
from portal.outbox.models import Job, JobStatus
from tests.factories.learners import PASSWORD
from tests.support.complaints import Complaints
from tests.support.transfers import TransferDesk

pytestmark = pytest.mark.database

NEW = "another quiet password"
COURSE = "cpp-primer-5th"
RANDOM_IDS = ("0" * 20, "z" * 20, "x", "%00", "%E4%B8%AD", "0" * 5000, "' OR 1=1", "A" * 20, "-1", "1")


@pytest.fixture
def buyer(shop):
    return shop.buyer()


@pytest.fixture
def order_id(buyer):
    return buyer.buy()


@pytest.fixture
def license_(shop, app, order_id):
    """The license of a paid order."""
    shop.pay(order_id)
    shop.notify(order_id)
    with app.app_context():
        found = db.session.scalars(sa.select(License)).one()
        db.session.expunge(found)
        return found


def text(response):
    assert response.status_code == 200, response.status
    return response.get_data(as_text=True)


def change(app, model, **values):
    with app.app_context():
        db.session.execute(sa.update(model).values(**values))
        db.session.commit()


class TestOverview:
    def test_a_new_account_is_led_to_the_courses(self, buyer):
        page = text(buyer.get("/account"))
        assert "No licenses yet" in page
        assert "Last order" not in page

    def test_an_order_that_waits_for_its_payment_comes_first(self, buyer, order_id):
        page = text(buyer.get("/account"))
        assert "waits for its payment of ¥" in page
        assert f"/checkout/{order_id}" in page

    def test_licenses_come_first_and_the_last_order_follows(self, buyer, order_id, license_):
        page = text(buyer.get("/account"))
        assert page.index(f"/account/licenses/{license_.id}") < page.index(f"/account/orders/{order_id}")
        assert "waits for its payment" not in page

    def test_nothing_of_it_is_kept_by_a_cache(self, buyer):
        assert buyer.get("/account").headers["Cache-Control"] == "no-store"


class TestOrders:
    def test_none_lead_to_the_courses(self, buyer):
        assert "No orders yet" in text(buyer.get("/account/orders"))

    def test_they_are_listed_with_their_state_and_license(self, buyer, order_id, license_):
        page = text(buyer.get("/account/orders"))
        assert f'href="/account/orders/{order_id}"' in page
        assert f'href="/account/licenses/{license_.id}"' in page
        assert "Completed" in page

    def test_a_disputed_one_says_so_until_the_complaint_is_closed(self, app, shop, sandbox, buyer, order_id):
        shop.pay(order_id)
        shop.notify(order_id)
        complaints = Complaints(app, shop, sandbox)
        complaint_id = complaints.complain(out_trade_no=shop.payment(order_id).out_trade_no)
        complaints.look()
        page = text(buyer.get(f"/account/orders/{order_id}"))
        assert "This payment is disputed: we are looking at your complaint" in page
        complaints.do(complaint_id, "reply", text="您好")
        complaints.do(complaint_id, "complete")
        page = text(buyer.get(f"/account/orders/{order_id}"))
        assert "disputed" not in page
        assert "We closed your complaint." in page

    def test_twenty_are_a_page_newest_first(self, app, buyer, order_id):
        with app.app_context():
            order = db.session.scalars(sa.select(Order)).one()
            columns = {name: getattr(order, name) for name in Order.__table__.columns.keys() if name != "id"}  # noqa: SIM118
            for number in range(1, 25):
                public_id = f"{number:020d}"
                db.session.execute(
                    sa.insert(Order).values(**columns | {"public_id": public_id, "open_key": public_id})
                )
            db.session.commit()
        shown = re.compile(r'href="/account/orders/([0-9a-z]{20})"')
        first = shown.findall(text(buyer.get("/account/orders")))
        second = shown.findall(text(buyer.get("/account/orders?page=2")))
        assert (len(first), len(second)) == (20, 5)
        assert second[-1] == order_id
        assert first[0] == f"{24:020d}"
        assert "There is nothing on this page" in text(buyer.get("/account/orders?page=3"))

    @pytest.mark.parametrize("path", ["/account/orders", "/account/licenses"])
    @pytest.mark.parametrize("page", ["-1", "0", "1000000000", "1e2", "x", "", "１", "+1", " 1", "1\x00"])
    def test_a_page_number_is_a_number(self, buyer, path, page):
        assert buyer.get(path, query_string={"page": page}).status_code == 422

    def test_a_column_to_sort_by_counts_for_nothing(self, buyer, order_id):
        assert order_id in text(buyer.get("/account/orders?sort=password_hash"))


class TestOrder:
    def test_an_open_one_can_be_paid(self, buyer, order_id):
        page = text(buyer.get(f"/account/orders/{order_id}"))
        assert f'href="/checkout/{order_id}"' in page
        assert "You placed the order." in page
        assert "The code to scan was shown." in page
        assert "We confirmed the payment." not in page
        assert "Receipt" not in page

    def test_a_paid_one_tells_what_happened_and_what_to_quote(self, shop, buyer, order_id, license_):
        shop.work()
        page = text(buyer.get(f"/account/orders/{order_id}"))
        payment = shop.payment(order_id)
        told = [
            "You placed the order.",
            "The code to scan was shown.",
            "You paid with WeChat Pay.",
            "We confirmed the payment.",
            "Your license was made.",
            "The license was sent by e-mail.",
        ]
        positions = [page.index(sentence) for sentence in told]
        assert positions == sorted(positions)
        for quoted in (order_id, payment.transaction_id, payment.out_trade_no):
            assert quoted in page
        assert f"/account/orders/{order_id}/receipt" in page

    def test_a_cancelled_one_says_so(self, shop, buyer, order_id):
        buyer.post(f"/checkout/{order_id}/cancel")
        shop.work(2)
        page = text(buyer.get(f"/account/orders/{order_id}"))
        assert "You cancelled the order" in page
        assert "Cancelled" in page

    def test_one_paid_by_transfer_tells_nothing_of_wechat_pay(self, shop, tools, buyer, clock):
        desk = TransferDesk(shop, tools)
        desk.offer()
        refused, paid = desk.told(buyer), desk.told(other := shop.buyer())
        desk.refuse(refused)
        desk.check(paid)
        expired, late = desk.order(third := shop.buyer()), desk.tools.settings.TRANSFER_TTL_SECONDS
        clock.travel(seconds=late + 1)
        shop.work()
        for person, order_id, told in (
            (buyer, refused, "Your transfer was looked for and not found."),
            (other, paid, "Your transfer was found."),
            (third, expired, "The time to pay ended."),
        ):
            person.sign_in_again()
            what_happened = text(person.get(f"/account/orders/{order_id}")).rpartition("What happened")[2]
            assert told in what_happened
            assert "WeChat Pay" not in what_happened.partition("</table>")[0]

    def test_one_whose_time_is_over_is_being_checked(self, buyer, order_id, clock):
        clock.travel(hours=2)
        assert "Checking the payment" in text(buyer.get(f"/account/orders/{order_id}"))


class TestReceipt:
    def test_it_proves_the_payment_and_is_no_invoice(self, shop, buyer, order_id, license_):
        page = text(buyer.get(f"/account/orders/{order_id}/receipt"))
        payment = shop.payment(order_id)
        for shown in (buyer.learner.email, order_id, payment.transaction_id, payment.out_trade_no, "¥"):
            assert shown in page
        assert "not an invoice" in page
        assert "发票" in page
        assert "no real money" in page

    def test_without_a_payment_there_is_none(self, buyer, order_id):
        assert buyer.get(f"/account/orders/{order_id}/receipt").status_code == 404


class TestLicenses:
    def test_none_lead_to_the_courses(self, buyer):
        assert "No licenses yet" in text(buyer.get("/account/licenses"))

    def test_the_list_keeps_the_text_closed(self, buyer, license_):
        page = text(buyer.get("/account/licenses"))
        assert page.index("<details>") < page.index(license_.text)
        assert f"/account/licenses/{license_.id}/download" in page

    def test_its_own_page_shows_the_text_the_end_and_the_payment(self, shop, buyer, order_id, license_):
        page = text(buyer.get(f"/account/licenses/{license_.id}"))
        assert license_.text in page
        assert "readonly" in page
        assert shop.payment(order_id).transaction_id in page
        assert f"/account/orders/{order_id}" in page

    def test_the_download_is_the_text_itself(self, buyer, license_):
        response = buyer.get(f"/account/licenses/{license_.id}/download")
        assert text(response) == license_.text
        assert response.headers["Content-Disposition"] == f"attachment; filename={COURSE}.lic.txt"
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.parametrize(("days", "badge"), [(100, "Active"), (350, "Expires soon"), (366, "Expired")])
    def test_its_state_follows_the_time(self, buyer, license_, clock, days, badge):
        clock.travel(days=days)
        buyer.sign_in_again()
        assert badge in text(buyer.get(f"/account/licenses/{license_.id}"))

    def test_a_revoked_one_is_not_handed_out(self, app, buyer, license_):
        change(app, License, status="revoked", active_key=None, revoked_at=license_.issued_at)
        for path in ("/account/licenses", f"/account/licenses/{license_.id}"):
            page = text(buyer.get(path))
            assert license_.text not in page
            assert "Revoked" in page
        assert buyer.get(f"/account/licenses/{license_.id}/download").status_code == 409
        assert buyer.post(f"/account/licenses/{license_.id}/resend").status_code == 409


class TestMailOfALicense:
    def test_its_page_says_what_became_of_it(self, app, shop, buyer, license_):
        path = f"/account/licenses/{license_.id}"
        masked = f"l***@{buyer.learner.email.partition('@')[2]}"
        assert f"The e-mail to {masked} is on its way." in text(buyer.get(path))
        shop.work()
        assert f"Sent to {masked}." in text(buyer.get(path))
        change(app, Job, status=JobStatus.DEAD.value)
        assert "We could not deliver the e-mail" in text(buyer.get(path))

    def test_it_is_sent_again_once_however_often_the_button_is_pressed(self, shop, buyer, license_, mails):
        mails()
        shop.work()
        path = f"/account/licenses/{license_.id}"
        for _ in range(2):
            response = buyer.post(f"{path}/resend", page=path)
            assert (response.status_code, response.location) == (303, path)
        shop.work()
        assert len(mails()) == 2

    def test_one_that_is_on_its_way_is_not_doubled(self, buyer, license_, count):
        for _ in range(2):
            buyer.post(f"/account/licenses/{license_.id}/resend")
        assert count(Job, Job.kind == "mail_license") == 1

    def test_five_an_hour_are_enough(self, shop, buyer, license_):
        outcomes = []
        for _ in range(6):
            outcomes.append(buyer.post(f"/account/licenses/{license_.id}/resend").status_code)
            shop.work()
        assert outcomes == [303] * 5 + [429]


class TestOthers:
    """Another's is answered exactly like what does not exist."""

    PAGES = (
        "/account/orders/{order}",
        "/account/orders/{order}/receipt",
        "/account/licenses/{license}",
        "/account/licenses/{license}/download",
    )

    @staticmethod
    def answer(response):
        page = re.sub(r"[0-9a-z]{20}|value=\"[^\"]*\"", "", response.get_data(as_text=True))
        return response.status_code, page

    @pytest.mark.parametrize("page", PAGES)
    def test_pages(self, shop, order_id, license_, page):
        stranger = shop.buyer()
        anothers = self.answer(stranger.get(page.format(order=order_id, license=license_.id)))
        nobodys = self.answer(
            stranger.get(page.format(order="0" * 20, license="00000000-0000-4000-8000-000000000000"))
        )
        assert anothers[0] == 404
        assert anothers == nobodys

    @pytest.mark.parametrize("page", PAGES)
    @pytest.mark.parametrize("public_id", RANDOM_IDS)
    def test_ids_that_are_none(self, buyer, page, public_id):
        assert buyer.get(page.format(order=public_id, license=public_id)).status_code == 404

    def test_nothing_can_be_sent_or_ended_for_another(self, app, shop, license_, count):
        stranger, victim = shop.buyer(), shop.buyer()
        with app.app_context():
            session = sessions.sessions_of(victim.learner.id)[0]
        assert stranger.post(f"/account/licenses/{license_.id}/resend").status_code == 404
        assert stranger.post(f"/account/devices/{session.public_id}/end").status_code == 404
        assert victim.get("/account").status_code == 200
        assert count(Job, Job.kind == "mail_license") == 1

    @pytest.mark.parametrize(
        "path",
        [
            "/account",
            "/account/orders",
            "/account/orders/" + "0" * 20,
            "/account/orders/" + "0" * 20 + "/receipt",
            "/account/licenses",
            "/account/licenses/x",
            "/account/licenses/x/download",
            "/account/devices",
            "/account/settings",
        ],
    )
    def test_nobody_sees_a_page_without_signing_in(self, client, path):
        response = client.get(path)
        assert response.status_code == 303
        assert response.location.startswith("/login")


class TestDevices:
    def test_they_are_listed_by_name_and_this_one_is_marked(self, app, buyer):
        agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
        with app.app_context():
            sessions.start_session(buyer.learner, agent, "203.0.113.9")
        page = text(buyer.get("/account/devices"))
        assert "Edge, Windows" in page
        assert "203.0.113.9" in page
        assert page.count("This browser") == 1

    @pytest.mark.parametrize(
        ("agent", "name"),
        [
            ("", "Unknown browser"),
            ("curl/8.5.0", "curl"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18) MicroMessenger/8.0", "WeChat, iPhone"),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/18 Safari/605", "Safari, macOS"),
            ("<script>alert(1)</script>", "Unknown browser"),
            ("中文浏览器", "Unknown browser"),
        ],
    )
    def test_a_browser_is_named_and_never_shown_as_it_names_itself(self, app, buyer, agent, name):
        with app.app_context():
            sessions.start_session(buyer.learner, agent, "203.0.113.9")
        page = text(buyer.get("/account/devices"))
        assert f">{name}<" in page
        assert "<script>alert" not in page

    def test_one_can_be_ended_from_here(self, app, shop, buyer):
        with app.app_context():
            secret = sessions.start_session(buyer.learner, "Firefox/1", "203.0.113.9")
            (session,) = (
                found for found in sessions.sessions_of(buyer.learner.id) if found.user_agent == "Firefox/1"
            )
        response = buyer.post(f"/account/devices/{session.public_id}/end")
        assert (response.status_code, response.location) == (303, "/account/devices")
        with app.app_context():
            assert sessions.session_of(secret) is None
        assert buyer.get("/account").status_code == 200
        assert buyer.post(f"/account/devices/{session.public_id}/end").status_code == 404

    def test_ending_this_one_is_signing_out(self, app, buyer):
        with app.app_context():
            session = sessions.sessions_of(buyer.learner.id)[0]
        assert buyer.post(f"/account/devices/{session.public_id}/end").location == "/courses"
        assert buyer.get("/account").status_code == 303

    def test_all_others_can_be_ended_at_once(self, app, buyer, count):
        with app.app_context():
            for _ in range(3):
                sessions.start_session(buyer.learner, "Firefox/1", "203.0.113.9")
        for _ in range(2):
            assert buyer.post("/account/devices/end-others").status_code == 303
        assert count(LoginSession) == 1
        assert buyer.get("/account").status_code == 200

    @pytest.mark.parametrize("session_id", RANDOM_IDS)
    def test_ids_that_are_none(self, buyer, session_id):
        assert buyer.post(f"/account/devices/{session_id}/end").status_code == 404


class TestSettings:
    def test_the_language_is_kept_and_used_at_once(self, app, buyer):
        response = buyer.post("/account/settings/language", {"locale": "zh_Hans_CN"})
        assert (response.status_code, response.location) == (303, "/account/settings")
        assert '<html lang="zh-Hans-CN"' in text(buyer.get("/account/settings"))
        with app.app_context():
            assert db.session.scalars(sa.select(Learner.locale)).one() == Locale.ZH

    @pytest.mark.parametrize("locale", ["", "fr", "zh", "en\x00", "../../etc"])
    def test_another_language_is_refused(self, buyer, locale):
        response = buyer.post("/account/settings/language", {"locale": locale})
        assert response.status_code == 422
        assert "There is a problem" in response.get_data(as_text=True)

    def test_the_password_is_changed_and_others_signed_out(self, app, buyer):
        with app.app_context():
            secret = sessions.start_session(buyer.learner, "Firefox/1", "203.0.113.9")
        form = {"old_password": PASSWORD, "new_password": NEW}
        assert buyer.post("/account/settings/password", form).status_code == 303
        assert buyer.get("/account").status_code == 200
        with app.app_context():
            assert sessions.session_of(secret) is None
            assert services.authenticate(buyer.learner.email, NEW, "")

    @pytest.mark.parametrize(
        ("old", "new", "sentence"),
        [
            ("", NEW, "Enter your current password."),
            ("not the password", NEW, "This is not your current password."),
            (PASSWORD, "", "Choose a new password."),
            (PASSWORD, "short", "at least 10 characters"),
            (PASSWORD, "password123", "Many people use this password"),
            (PASSWORD, "\x00" * 12, "cannot be typed"),
        ],
    )
    def test_what_is_wrong_is_said_at_its_field(self, app, buyer, old, new, sentence):
        response = buyer.post("/account/settings/password", {"old_password": old, "new_password": new})
        page = response.get_data(as_text=True)
        assert response.status_code == 422
        assert page.count(sentence) == 2
        with app.app_context():
            assert services.authenticate(buyer.learner.email, PASSWORD, "")

    def test_guessing_the_old_password_is_stopped(self, buyer):
        form = {"old_password": "not the password", "new_password": NEW}
        outcomes = [buyer.post("/account/settings/password", form).status_code for _ in range(11)]
        assert outcomes == [422] * 10 + [429]


@pytest.mark.parametrize(
    "path",
    [
        "/account/licenses/x/resend",
        "/account/devices/x/end",
        "/account/devices/end-others",
        "/account/settings/language",
        "/account/settings/password",
    ],
)
class TestForms:
    def test_a_link_changes_nothing(self, buyer, path):
        assert buyer.get(path).status_code == 405

    def test_a_form_without_its_token_is_refused(self, buyer, path):
        assert buyer.client.post(path).status_code == 403

    def test_another_sites_form_is_refused(self, buyer, path):
        assert buyer.post(path, headers={"Origin": "https://evil.example"}).status_code == 403

    def test_one_who_is_signed_out_is_led_to_sign_in(self, app, buyer, path):
        change(app, LoginSession, expires_at=buyer.learner.created_at)
        response = buyer.post(path, page="/courses")
        assert response.status_code == 303
        assert response.location.startswith("/login?next=/account")


def test_a_page_and_its_mail_are_in_chinese_for_a_chinese_reader(shop):
    buyer = shop.buyer(locale=Locale.ZH)
    order_id = buyer.buy()
    shop.pay(order_id)
    shop.notify(order_id)
    for path in ("/account", "/account/orders", f"/account/orders/{order_id}", "/account/licenses"):
        assert '<html lang="zh-Hans-CN"' in text(buyer.get(path))


def test_a_learner_of_another_role_has_an_account_like_any_other(app, shop):
    for role in ("instructor", "support", "finance", "admin"):
        assert shop.buyer(role=Role(role)).get("/account").status_code == 200
