"""The payer's side of complaints, and their books."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from ..complaint import PROBLEM_TYPES, Complaint, entry_of
from ..complaints import CannotComplain
from ..errors import ApiError
from ..world import World, the_world
from .arguments import Arguments
from .blueprint import ControlError, bp
from .books import merchant_asked_about

PAYER_ACTIONS = ("go_on", "answer_back", "be_satisfied")


@bp.post("/complaints")
def complain() -> tuple[dict[str, Any], int]:
    """Complain about a paid order, as its payer."""
    return complained(Arguments.of_request()), 201


def complained(arguments: Arguments) -> dict[str, Any]:
    """Make the complaint that `arguments` describe."""
    world = the_world()
    mchid = merchant_asked_about(world).mchid
    order = world.orders.find(mchid, arguments.text("out_trade_no"))
    detail = arguments.raw_text("detail") or "课程与描述不符，申请退款"
    problem_type = arguments.text("problem_type", "REFUND", choices=PROBLEM_TYPES)
    wanted = order.total if order and problem_type == "REFUND" else None
    if "apply_refund_amount" in arguments:
        wanted = arguments.integer("apply_refund_amount", least=1)
    images = _images(world, mchid, arguments)
    arguments.done()
    if order is None:
        raise ControlError(404, "no such order")
    try:
        return entry(world, world.complaints.complain(order, detail, problem_type, images, wanted))
    except CannotComplain as trouble:
        raise ControlError(409, "cannot_complain", message=str(trouble)) from None


@bp.post("/complaints/<complaint_id>/<action>")
def act(complaint_id: str, action: str) -> dict[str, Any]:
    """Go on complaining, answer the merchant, or be satisfied."""
    return acted(complaint_id, action, Arguments.of_request())


def acted(complaint_id: str, action: str, arguments: Arguments) -> dict[str, Any]:
    """Do what the payer does."""
    world = the_world()
    mchid = merchant_asked_about(world).mchid
    found = world.complaints.find(mchid, complaint_id)
    if found is None or action not in PAYER_ACTIONS:
        raise ControlError(404, "no such complaint, or no such action")
    detail = arguments.raw_text("detail") or {"be_satisfied": "满意"}.get(action, "问题仍未解决")
    images = [] if action == "be_satisfied" else _images(world, mchid, arguments)
    arguments.done()
    if action == "go_on":
        return entry(world, world.complaints.go_on(found, detail, images))
    if action == "answer_back":
        return entry(world, world.complaints.answer_back(found, detail, images))
    return entry(world, world.complaints.be_satisfied(found, detail))


@bp.get("/complaints")
def complaints() -> dict[str, Any]:
    """Every complaint against a merchant, oldest first."""
    world = the_world()
    found = world.complaints.all(merchant_asked_about(world).mchid)
    return {"complaints": [entry(world, complaint) for complaint in found]}


@bp.get("/complaints/<complaint_id>")
def one_complaint(complaint_id: str) -> dict[str, Any]:
    """One complaint with its history."""
    world = the_world()
    found = world.complaints.find(merchant_asked_about(world).mchid, complaint_id)
    if found is None:
        raise ControlError(404, "no such complaint")
    return entry(world, found)


def entry(world: World, complaint: Complaint) -> dict[str, Any]:
    """A complaint as the books have it, its deadlines and its history, newest step first."""
    return dict(vars(complaint)) | {
        "reply_by": complaint.reply_by,
        "complete_by": complaint.complete_by,
        "history": [entry_of(step, "") for step in world.complaints.history(complaint)],
    }


def _images(world: World, mchid: str, arguments: Arguments) -> list[str]:
    """Keep the pictures in `images`, each base64 of a jpg, png or bmp."""
    try:
        contents = [base64.b64decode(text, validate=True) for text in arguments.texts("images", ())]
        return [world.images.keep(mchid, content) for content in contents]
    except (binascii.Error, ValueError):
        raise ControlError(400, "images must be base64") from None
    except ApiError as refusal:
        raise ControlError(400, refusal.message) from None
