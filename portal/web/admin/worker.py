"""`/admin/worker`: whether the worker is alive, what waits for it, and what the doctor says."""

from flask import render_template

from portal.doctor import figures
from portal.doctor.examination import Finding, examine_surroundings
from portal.doctor.heartbeat import silence
from portal.staff.permissions import Permission
from portal.web.admin.door import bp
from portal.web.admin.work_words import WORK
from portal.web.limits import limiter
from portal.web.staff import staff_key, staff_may
from portal.web.tools import tools


def _page(findings: list[Finding] | None = None) -> str:
    return render_template(
        "admin/worker/show.html",
        silence=silence(),
        waiting=figures.work_waiting(),
        breakers=figures.open_breakers(),
        findings=findings,
        work=WORK,
    )


@bp.get("/worker")
@staff_may(Permission.SEE_JOBS)
def worker() -> str:
    """Show the worker's last sign of life and what waits for it."""
    return _page()


@bp.post("/worker/examine")
@staff_may(Permission.SEE_JOBS)
@limiter.limit("20 per hour", key_func=staff_key)
def examine_portal() -> str:
    """Look at what the portal stands on, now. The promises read whole tables: those are for `flask doctor`."""
    return _page(examine_surroundings(tools()))
