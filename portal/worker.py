"""The Celery app, made from `create_app`, and its timetable.

Beat only ticks: what there is to do stands in the database, so a lost or doubled tick changes nothing, and
the web never talks to the broker. Without a broker of one's own, messages go through files in `var/`.
"""

import ctypes
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from celery import Celery, signals
from flask import Flask

from portal import jobs
from portal.app import create_app
from portal.audit import services as audit
from portal.config import ROOT, Settings
from portal.disputes.syncing import plan_sync
from portal.doctor import heartbeat
from portal.kit import file_broker
from portal.kit.db import Patience
from portal.licenses.audit_heads import sign_audit_head
from portal.payments.mend import mend
from portal.reconciliation.services import plan_days
from portal.reports.recount import bring_up_to_date
from portal.tools import Tools

_TICK_SECONDS = 1.0
_BEAT_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1


def _broker(settings: Settings) -> dict[str, Any]:
    if settings.CELERY_BROKER_URL:
        return {"broker_url": settings.CELERY_BROKER_URL}
    folder = settings.VAR_DIR if settings.VAR_DIR.is_absolute() else ROOT / settings.VAR_DIR
    queue, control = folder / "queue", folder / "queue-control"
    for path in (queue, control):
        path.mkdir(parents=True, exist_ok=True)
    return {
        "broker_url": f"{file_broker.SCHEME}://",
        "broker_transport_options": {
            "data_folder_in": str(queue),
            "data_folder_out": str(queue),
            "control_folder": str(control),
            "polling_interval": 0.2,
        },
    }


def make_celery(flask_app: Flask) -> Celery:
    """Return the Celery app of a portal."""
    tools: Tools = flask_app.extensions["portal_tools"]
    celery = Celery("portal", set_as_current=False)
    celery.conf.update(
        **_broker(tools.settings),
        task_default_queue="portal",
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_time_limit=120,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        accept_content=["json"],
        timezone="UTC",
        beat_schedule_filename=str(Path(tools.settings.VAR_DIR) / "beat-schedule"),
        # A tick nobody took is worth nothing once the next is there.
        beat_schedule={
            "run-due": {"task": "outbox.run_due", "schedule": _TICK_SECONDS, "options": {"expires": 5}},
            "end-overdue": {
                "task": "orders.end_overdue",
                "schedule": _TICK_SECONDS,
                "options": {"expires": 5},
            },
            "beat": {"task": "doctor.beat", "schedule": _BEAT_SECONDS, "options": {"expires": 10}},
            "seal-audit": {"task": "audit.seal", "schedule": 5.0, "options": {"expires": 10}},
            # Once a day is signed; asked more often, so that a key put back is used the same day.
            "sign-audit-head": {"task": "audit.sign_head", "schedule": 600.0, "options": {"expires": 60}},
            "count": {"task": "reports.count", "schedule": 30.0, "options": {"expires": 30}},
            "forget": {
                "task": "learners.forget_what_is_over",
                "schedule": 3600.0,
                "options": {"expires": 600},
            },
            "plan-days": {
                "task": "reconciliation.plan_days",
                "schedule": 600.0,
                "options": {"expires": 600},
            },
            "mend": {"task": "payments.mend", "schedule": 60.0, "options": {"expires": 60}},
            "plan-disputes": {
                "task": "disputes.plan_sync",
                "schedule": 300.0,
                "options": {"expires": 300},
            },
            "refresh-wanted-keys": {
                "task": "gateways.refresh_wanted_keys",
                "schedule": 10.0,
                "options": {"expires": 10},
            },
            "refresh-keys": {
                "task": "gateways.refresh_keys",
                "schedule": 3600.0,
                "options": {"expires": 600},
            },
        },
    )
    _add_tasks(celery, flask_app, tools)
    return celery


def _add_tasks(celery: Celery, flask_app: Flask, tools: Tools) -> None:
    @celery.task(name="outbox.run_due")
    def run_due() -> None:
        with flask_app.app_context():
            jobs.run_due(tools)

    @celery.task(name="orders.end_overdue")
    def end_overdue() -> None:
        with flask_app.app_context():
            jobs.end_overdue_orders()

    @celery.task(name="doctor.beat")
    def beat() -> None:
        with flask_app.app_context():
            heartbeat.beat()

    @celery.task(name="audit.seal")
    def seal_audit() -> None:
        with flask_app.app_context():
            audit.seal()

    @celery.task(name="audit.sign_head")
    def sign_head() -> None:
        with flask_app.app_context():
            sign_audit_head(tools.key_ring)

    @celery.task(name="reports.count")
    def count() -> None:
        with flask_app.app_context():
            bring_up_to_date()

    @celery.task(name="learners.forget_what_is_over")
    def forget() -> None:
        with flask_app.app_context():
            jobs.forget_what_is_over()

    @celery.task(name="reconciliation.plan_days")
    def plan_bills() -> None:
        with flask_app.app_context():
            plan_days(tools)

    @celery.task(name="payments.mend")
    def mend_what_was_left() -> None:
        with flask_app.app_context():
            mend()

    @celery.task(name="disputes.plan_sync")
    def plan_disputes() -> None:
        with flask_app.app_context():
            plan_sync(tools)

    @celery.task(name="gateways.refresh_keys")
    def refresh_keys() -> None:
        with flask_app.app_context():
            jobs.refresh_keys(tools)

    @celery.task(name="gateways.refresh_wanted_keys")
    def refresh_wanted_keys() -> None:
        with flask_app.app_context():
            jobs.refresh_wanted_keys(tools)


flask_app = create_app(patience=Patience.WORKER)
app = make_celery(flask_app)
# A tick a second is no news.
for _name in ("celery.beat", "celery.worker.strategy", "celery.app.trace"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@signals.worker_ready.connect
def _refresh_keys_once(**_facts: Any) -> None:
    """Fetch the platform's certificates at the start, for a merchant who has no public key yet."""
    app.send_task("gateways.refresh_keys")


@signals.beat_embedded_init.connect
def _end_with_the_worker(**_facts: Any) -> None:
    """Let the beat inside a worker (`-B`), a process of its own, end when that worker is killed (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
