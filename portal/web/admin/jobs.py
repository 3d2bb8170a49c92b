"""`/admin/jobs`: long work that runs in the worker, with its progress, log and result."""

import json

from flask import Response, flash, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from portal.audit import services as audit
from portal.batches import queries
from portal.batches.models import Batch
from portal.batches.services import cancel_batch
from portal.desk.audit_export import AUDIT_EXPORT
from portal.kit import csv_text
from portal.kit.db import transaction
from portal.kit.errors import NotFound
from portal.learners.sessions import actor
from portal.staff.permissions import Permission, may
from portal.staff.second_factor import staff_actor
from portal.web.admin.addresses import known_id
from portal.web.admin.door import bp
from portal.web.staff import Forbidden, required_staff, staff_may, step_up

_NEXT_MS = 2_000


@bp.get("/jobs")
@staff_may(Permission.SEE_JOBS)
def jobs() -> str:
    """List the newest jobs, everybody's."""
    return render_template("admin/jobs/list.html", jobs=queries.recent_batches(None))


def _facts(job: Batch) -> dict[str, object]:
    return {
        "job": job,
        "problems": queries.problems_of(job.id),
        "problem_count": queries.problem_count(job.id),
    }


@bp.get("/jobs/<job_id>")
@staff_may(Permission.REQUEST_GRANTS)
def job(job_id: str) -> str:
    """Show how far a job is."""
    found = _seen(job_id)
    return render_template("admin/jobs/show.html", **_facts(found), next_ms=_NEXT_MS)


def _seen(job_id: str) -> Batch:
    """Return a job that whoever asks may see: their own, or everybody's with the permission for it."""
    person = required_staff()
    return queries.batch_of(known_id(job_id), None if may(person, Permission.SEE_JOBS) else person.id)


@bp.get("/jobs/<job_id>/status")
@staff_may(Permission.REQUEST_GRANTS)
def job_status(job_id: str) -> Response:
    """What the page polls: unchanged (304), or the part that changes."""
    found = _seen(job_id)
    etag = f"{found.step}-{found.status}-{int(found.is_cancelled)}-{found.failures}-{get_locale()}"
    if request.if_none_match.contains_weak(etag):
        return _polled(Response(status=304), etag)
    body = {
        "state": found.status,
        "html": render_template("admin/jobs/_status.html", **_facts(found)),
        "stop": not found.is_open,
        "next_ms": _NEXT_MS,
    }
    return _polled(Response(json.dumps(body, ensure_ascii=False), mimetype="application/json"), etag)


def _polled(response: Response, etag: str) -> Response:
    response.set_etag(etag)
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.post("/jobs/<job_id>/cancel")
@staff_may(Permission.REQUEST_GRANTS)
def cancel_job(job_id: str) -> ResponseReturnValue:
    """Stop a job before its next step; what is done stays done."""
    found = _seen(job_id)
    if cancel_batch(found.public_id, actor(required_staff())):
        flash(_("The job stops before its next step. What it has done stays."), "success")
    else:
        flash(_("The job had ended already."), "warning")
    return redirect(url_for(".job", job_id=found.public_id), 303)


@bp.get("/jobs/<job_id>/result.csv")
@staff_may(Permission.REQUEST_GRANTS)
@step_up
def job_result(job_id: str) -> Response:
    """Download what a job has made so far."""
    found = _seen(job_id)
    if not queries.has_result(found.id):
        raise NotFound
    if found.kind == AUDIT_EXPORT:
        _note_download(found.public_id)
    pieces = stream_with_context(piece.encode() for piece in queries.result_of(found.id))
    response = Response(pieces, content_type=csv_text.MEDIA_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="{found.kind}-{found.public_id}.csv"'
    return response


def _note_download(job_id: str) -> None:
    """Put on record who takes an export of the audit away: its right may have ended since it was asked for.

    Raises:
        Forbidden: it has.
    """
    person = required_staff()
    if not may(person, Permission.EXPORT):
        raise Forbidden
    with transaction():
        audit.record("audit.downloaded", "audit", staff_actor(person), job=job_id)
