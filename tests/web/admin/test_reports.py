"""Reports and the first page show what the days counted, to whom it concerns."""

import html
import re

import pytest

from portal.job_kinds import KINDS
from portal.learners.models import Locale, Role
from portal.reports.recount import bring_up_to_date
from portal.web.admin import charts
from portal.web.admin.work_words import WORK

pytestmark = pytest.mark.database
CPP, JS = "cpp-primer-5th", "javascript-complete"


@pytest.fixture
def sold(app, shop):
    """Two courses sold and one order waiting, all counted."""
    amounts = {}
    for course_id in (CPP, JS):
        order_id = shop.buyer().buy(course_id)
        shop.pay(order_id)
        shop.notify(order_id)
        amounts[course_id] = shop.order(order_id).amount_fen
    shop.buyer().buy()
    with app.app_context():
        bring_up_to_date()
    return amounts


def text_of(response, status=200):
    assert response.status_code == status, response.get_data(as_text=True)[:300]
    return re.sub(r"\s+", " ", html.unescape(response.get_data(as_text=True)))


def yuan(fen):
    return f"¥{fen // 100}.{fen % 100:02d}"


class TestReport:
    @pytest.mark.parametrize("locale", list(Locale), ids=str)
    @pytest.mark.parametrize("by", ["day", "week", "month"])
    def test_it_shows_the_sums_and_the_way_to_the_license(self, staff, sold, by, locale):
        text = text_of(staff(Role.FINANCE, locale=locale).get(f"/admin/reports?by={by}"))
        assert yuan(sum(sold.values())) in text
        assert text.count('class="chart"') == 3
        if locale is Locale.EN:
            assert re.search(r"Order placed</th><td[^>]*>3<", text)
            assert re.search(r"License delivered</th><td[^>]*>2<", text)
            assert "Figures as of" in text

    def test_nothing_counted_is_said_and_drawn(self, staff):
        text = text_of(staff(Role.FINANCE).get("/admin/reports"))
        assert "Nothing has been counted yet." in text
        assert "No license was made in this time." in text

    def test_an_instructor_sees_sums_of_their_own_courses(self, staff, sold):
        text = text_of(staff(Role.INSTRUCTOR, (JS,)).get("/admin/reports"))
        assert yuan(sold[JS]) in text
        assert yuan(sum(sold.values())) not in text
        nothing = text_of(staff(Role.INSTRUCTOR).get("/admin/reports"))
        assert "Nothing was sold in this time." in nothing
        assert staff(Role.INSTRUCTOR, (JS,)).get(f"/admin/reports?course={CPP}").status_code == 422

    @pytest.mark.parametrize(
        "query",
        ["by=year", "by=", "from=2026-13-01", "from=2026-12-31&to=2026-01-01", "from=2001-01-01&to=2026-01-01",
         "sort=x", "size=-1", "to=2026-11-2", "to=9999-12-31", "course=%00", "by=day&by=week"],
    )  # fmt: skip
    def test_what_it_does_not_offer_is_refused(self, staff, query):
        response = staff().get(f"/admin/reports?{query}", headers={"Accept": "application/json"})
        assert response.status_code == (200 if query == "by=" else 422)

    def test_the_file_has_the_same_numbers_in_fen_and_yuan(self, staff, sold):
        response = staff(Role.FINANCE).get("/admin/reports.csv")
        lines = response.get_data().decode("utf-8-sig").splitlines()
        assert len(lines) == 31
        total = sum(sold.values())
        assert lines[-1].split(",")[1:8] == [
            str(total), yuan(total)[1:], "0", "0.00", str(total), yuan(total)[1:], "2",
        ]  # fmt: skip

    def test_the_file_is_for_who_may_export(self, staff, clock):
        for role in (Role.SUPPORT, Role.INSTRUCTOR):
            assert staff(role).get("/admin/reports.csv").status_code == 403
        person = staff()
        clock.travel(minutes=6)
        assert person.get("/admin/reports.csv").status_code == 303


class TestFirstPage:
    def test_it_shows_what_is_sold_and_what_waits(self, staff, sold):
        text = text_of(staff().get("/admin"))
        assert yuan(sum(sold.values())) in text
        for tile in (
            "Paid today",
            "Waiting for payment",
            "Paid, no license yet",
            "Refunds to approve",
            "Open cases",
        ):
            assert tile in text

    def test_every_tile_leads_to_the_rows_it_counts(self, staff, sold):
        person = staff()
        tiles = re.findall(r'<h3><a href="([^"]+)">', text_of(person.get("/admin")).split("Screens")[0])
        assert len(tiles) == 11
        for path in (
            "/admin/orders?status=pending",
            "/admin/orders?status=paid",
            "/admin/confirmations",
            "/admin/cases?kind=dead_letter",
        ):
            assert path in tiles
        for path in tiles:
            assert person.get(path).status_code == 200

    def test_every_kind_of_work_has_its_words(self):
        assert set(WORK) == set(KINDS)

    def test_the_worker_page_says_what_waits_and_what_is_wrong(self, staff, sold):
        person = staff()
        waiting = text_of(person.get("/admin/worker"))
        assert "Watching for a lost notification" in waiting
        assert "watch_payment" in waiting
        found = text_of(person.post("/admin/worker/examine"))
        assert "the worker has never run" in found
        assert staff(Role.SUPPORT).get("/admin/worker").status_code == 403

    def test_each_role_sees_its_own(self, staff, sold):
        support = text_of(staff(Role.SUPPORT).get("/admin"))
        assert "Waiting for payment" in support
        assert "Paid today" not in support
        instructor = text_of(staff(Role.INSTRUCTOR, (JS,)).get("/admin"))
        assert yuan(sold[JS]) in instructor
        assert "Open cases" not in instructor


class TestCharts:
    @pytest.mark.parametrize(
        ("up", "down"),
        [([0], [0]), ([1], [0]), ([0, 0], [5, 0]), ([9900] * 30, [100] * 30), ([10**12], [10**11]), ([], [])],
    )
    def test_every_mark_is_inside_the_picture(self, up, down):
        net = [sold - back for sold, back in zip(up, down, strict=True)]
        chart = charts.over_time([str(n) for n in range(len(up))], up, down, net, unit=100)
        assert 0 < chart.zero <= charts.HEIGHT
        assert len(chart.ticks) <= 7
        assert len(chart.names) <= 8
        for bar in chart.bars:
            assert bar.x >= 0
            assert bar.x + bar.width <= charts.WIDTH
            assert bar.y >= 0
            assert bar.y + bar.height <= charts.HEIGHT
        assert all(0 <= y <= charts.HEIGHT for _, y in chart.line)

    def test_bars_are_as_long_as_their_values(self):
        chart = charts.side_by_side(["a", "b", "c"], [100, 50, 0], ["sold"] * 3)
        assert [bar.height for bar in chart.bars][0] == pytest.approx(2 * chart.bars[1].height)
        assert len(chart.bars) == 2
