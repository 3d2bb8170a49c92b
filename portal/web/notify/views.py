"""`POST /notify/wechat`: what WeChat Pay tells us.

The checks go from cheap to dear, and what is not proven genuine costs no row and no outbound call. Genuine
news is settled inside the request (it takes milliseconds; WeChat waits 5 s) and answered 200 once it is
committed. Any failure of ours is a 5xx, which makes WeChat send it again.
"""

import logging

import sqlalchemy as sa
from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from portal.gateways.base import NotificationRefused, NotificationSealed
from portal.kit import faults
from portal.kit.db import ChangedMeanwhile, db
from portal.notifications.settle import settle_notification
from portal.web.notify.refusals import refusals
from portal.web.tools import tools

bp = Blueprint("notify", __name__)
log = logging.getLogger(__name__)

WECHAT_PAY = "wechat_pay"
_LARGEST = 64 * 1024


def _fail(status: int, message: str) -> ResponseReturnValue:
    return {"code": "FAIL", "message": message}, status


@bp.post("/notify/wechat")
def wechat() -> ResponseReturnValue:
    """Verify and settle one notification."""
    if (request.content_length or 0) > _LARGEST:
        refusals.count("too_large")
        return _fail(413, "too large")
    body = request.get_data(cache=False)
    try:
        received = tools().gateway(WECHAT_PAY).parse_notification(request.headers, body)
    except NotificationRefused as error:
        refusals.count(error.reason)
        return _fail(401, "not verified")
    except NotificationSealed:
        # The key was changed at WeChat first: it is sent again for 24 hours, time to add ours.
        log.error("notification cannot be decrypted", extra={"alert": True, "gateway": WECHAT_PAY})
        return _fail(503, "try again later")
    faults.point("notify.after_verify")
    try:
        verdict = settle_notification(received, tools())
    except (sa.exc.DBAPIError, sa.exc.TimeoutError, ChangedMeanwhile) as error:
        db.session.rollback()
        log.error("notification not settled", extra={"alert": True, "why": type(error).__name__})
        return _fail(503, "try again later")
    faults.point("notify.after_commit")
    log.info("notification", extra={"event_id": received.event_id, "verdict": verdict.value})
    return {"code": "SUCCESS", "message": "成功"}
