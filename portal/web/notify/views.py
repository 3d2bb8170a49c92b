"""`POST /notify/wechat`: what WeChat Pay tells us.

What is not proven genuine does not come here (`gate.py`). Genuine
news is settled inside the request (it takes milliseconds; WeChat waits 5 s) and answered 200 once it is
committed. Any failure of ours is a 5xx, which makes WeChat send it again.
"""

import logging

import sqlalchemy as sa
from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from portal.gateways.base import VerifiedNotification
from portal.kit import faults
from portal.kit.db import ChangedMeanwhile, db
from portal.notifications.settle import settle_notification
from portal.web.notify.gate import PATH, VERIFIED
from portal.web.tools import tools

bp = Blueprint("notify", __name__)
log = logging.getLogger(__name__)


@bp.post(PATH)
def wechat() -> ResponseReturnValue:
    """Settle one notification."""
    received: VerifiedNotification = request.environ[VERIFIED]
    faults.point("notify.after_verify")
    try:
        verdict = settle_notification(received, tools())
    except (sa.exc.DBAPIError, sa.exc.TimeoutError, ChangedMeanwhile) as error:
        db.session.rollback()
        log.error("notification not settled", extra={"alert": True, "why": type(error).__name__})
        return {"code": "FAIL", "message": "try again later"}, 503
    faults.point("notify.after_commit")
    log.info("notification", extra={"event_id": received.event_id, "verdict": verdict.value})
    return {"code": "SUCCESS", "message": "成功"}
