"""The audit as staff read it."""

import csv
import io

import pytest
import sqlalchemy as sa

from portal.audit import services as audit
from portal.audit.models import AuditRow
from portal.desk import audit_export
from portal.kit.db import db, transaction
from portal.learners.models import Learner, Role
from tests.support import databases

pytestmark = pytest.mark.database


@pytest.fixture
def acts(app):
    """Some acts of the past."""
    with app.app_context(), transaction():
        for number in range(60):
            audit.record("test.done", f"test:{number}", "staff:somebody", reason=f"reason {number}")
        audit.record("price.changed", "course:cpp", "staff:boss", before={"fen": 1}, after={"fen": 2})
        audit.record("test.formula", "test:x", "staff:boss", reason="=1+1")


@pytest.fixture
def reader(shop, acts):
    return shop.staff(Role.FINANCE)


def text_of(response):
    assert response.status_code == 200, response.status
    return response.get_data(as_text=True)


def test_a_row_says_who_what_before_after_and_why(reader):
    text = text_of(reader.get("/admin/audit?action=price.changed"))
    assert "staff:boss" in text
    assert "fen: 1 → fen: 2" in text
    assert "course:cpp" in text


def test_filters_and_pages_go_together(reader):
    first = text_of(reader.get("/admin/audit?actor=staff:somebody"))
    assert "test:59" in first
    assert "test:9<" not in first
    cursor = first.split("cursor=")[1].split('"')[0].split("&")[0]
    second = text_of(reader.get(f"/admin/audit?actor=staff:somebody&cursor={cursor}"))
    assert "test:9<" in second
    assert "test:59" not in second
    assert reader.get(f"/admin/audit?cursor={cursor}").status_code == 422


@pytest.mark.parametrize(
    "query",
    [
        "day=yesterday",
        "day=2026-13-01",
        "day=9999-12-31",
        "day=0001-01-01",
        "endpoint=x",
        "actor=%E7%8E%8B",
        "subject=a'b",
        "cursor=x",
        "action=" + "x" * 99,
    ],
)
def test_a_filter_that_cannot_be_is_refused(reader, query):
    assert reader.get(f"/admin/audit?{query}").status_code == 422
    assert reader.get(f"/admin/audit.csv?{query}").status_code == 422
    assert reader.post(f"/admin/audit/export?{query}", page="/admin/audit").status_code == 422


def test_a_day_is_one_in_beijing(reader):
    assert "Nothing was done that fits" in text_of(reader.get("/admin/audit?day=2020-01-01"))


def test_support_sees_its_own_acts_only(shop, acts):
    support = shop.staff(Role.SUPPORT)
    text = text_of(support.get("/admin/audit?actor=staff:somebody"))
    assert "test:59" not in text
    own = text_of(support.get("/admin/audit"))
    assert "session.started" in own
    assert "price.changed" not in own
    assert support.get("/admin/audit.csv").status_code == 403


def test_the_export_is_whole_guarded_and_itself_in_the_audit(app, reader):
    response = reader.get("/admin/audit.csv?actor=staff:boss")
    assert response.headers["Content-Disposition"] == "attachment; filename=audit.csv"
    body = response.get_data()
    assert body.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))
    assert len(rows) == 3
    assert rows[2][7] == "'=1+1"
    with app.app_context():
        exported = db.session.scalars(sa.select(AuditRow).where(AuditRow.action == "audit.exported")).one()
    assert "staff:boss" in exported.facts
    everything = reader.get("/admin/audit.csv").get_data().decode("utf-8-sig")
    assert len(list(csv.reader(io.StringIO(everything)))) > 62


def test_a_large_export_is_made_by_the_worker_watched_and_downloaded(
    app, shop, reader, monkeypatch, clock, count
):
    monkeypatch.setattr("portal.web.admin.audit.LARGE", 10)
    monkeypatch.setattr(audit_export, "_ROWS_A_STEP", 20)
    assert reader.get("/admin/audit.csv?action=test.done").location == "/admin/audit?action=test.done"
    page = reader.post("/admin/audit/export", page="/admin/audit").location
    assert "Export of the audit" in text_of(reader.get(page, headers={"Accept-Language": "en"}))
    # What happens after it was asked for is in no step of it.
    before = count(AuditRow)
    with app.app_context(), transaction():
        audit.record("later", "x", "system")
    shop.work(2)
    body = reader.get(f"{page}/result.csv").get_data().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(body)))
    assert before - 2 <= len(rows) - 1 <= before
    assert rows[1][4] and not any(row[3] == "later" for row in rows)  # noqa: PT018
    assert count(AuditRow, AuditRow.action == "audit.exported") == 1
    assert count(AuditRow, AuditRow.action == "audit.downloaded") == 1
    clock.travel(days=8)
    shop.work()
    reader.sign_in_again()
    assert reader.get(f"{page}/result.csv").status_code == 404


def test_who_lost_the_right_to_export_cannot_download_what_was_exported(app, shop, reader, count):
    page = reader.post("/admin/audit/export", page="/admin/audit").location
    shop.work()
    with app.app_context(), transaction():
        db.session.get_one(Learner, reader.learner.id).role = Role.SUPPORT
    assert "result.csv" not in text_of(reader.get(page))
    assert reader.get(f"{page}/result.csv").status_code == 403
    assert count(AuditRow, AuditRow.action == "audit.downloaded") == 0


def test_a_large_export_is_stopped(app, shop, reader, monkeypatch):
    page = reader.post("/admin/audit/export", page="/admin/audit").location
    reader.post(f"{page}/cancel", page=page)
    shop.work()
    assert "Cancelled" in text_of(reader.get(page, headers={"Accept-Language": "en"}))


def test_an_export_asks_for_a_fresh_code(reader, clock):
    clock.travel(minutes=6)
    assert reader.get("/admin/audit.csv").location.startswith("/admin/confirm?next=")


def test_a_row_changed_behind_its_back_is_named_on_the_page(app, reader):
    with app.app_context():
        audit.seal()
    assert "Whole" in text_of(reader.post("/admin/audit/verify", page="/admin/audit"))
    with (
        app.app_context(),
        db.engine.begin() as connection,
        databases.unguarded(connection, "audit_rows"),
    ):
        connection.execute(sa.update(AuditRow).where(AuditRow.seq == 7).values(facts="no JSON at all"))
    assert "Row 7 (id " in text_of(reader.post("/admin/audit/verify", page="/admin/audit"))
    assert "no JSON at all" in text_of(reader.get("/admin/audit.csv"))
