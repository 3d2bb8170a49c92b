"""Fields of what a merchant does about a complaint."""

from __future__ import annotations

from typing import Any

from . import errors
from .fields import Integer, List, Object, Rule, Text, missing
from .native_fields import MCHID_RULE, NOTIFY_URL, check_notify_url

MOST_IMAGES = 4
_JUMP: dict[str, Rule] = {
    "appid": Text("跳转小程序APPID", 32, is_required=True),
    "path": Text("跳转小程序页面PATH", 512, is_required=True),
    "text": Text("跳转页面名称", 10, is_required=True),
}
RESPONSE = Object(
    "回复用户请求",
    {
        "complainted_mchid": MCHID_RULE,
        "response_content": Text("回复内容", 200, has_lines=True, is_required=True),
        "response_images": List("回复图片", Text("回复图片", 512)),
        "jump_url": Text("跳转链接", 512, 1, r"https://\S+"),
        "jump_url_text": Text("跳转链接文案", 10),
        "mini_program_jump_info": Object("跳转小程序信息", _JUMP),
    },
)
COMPLETE = Object("反馈处理完成请求", {"complainted_mchid": MCHID_RULE})
PROGRESS = Object(
    "更新退款审批结果请求",
    {
        "action": Text("审批动作", 32, is_required=True),
        "launch_refund_day": Integer("预计发起退款时间", 0),
        "reject_reason": Text("拒绝退款原因", 200, has_lines=True),
        "reject_media_list": List("拒绝退款的举证图片列表", Text("图片", 512)),
        "remark": Text("备注", 200),
    },
)
URL = Object("投诉通知回调地址", {"url": Text("通知地址", 255, 1, NOTIFY_URL, is_required=True)})


def check_response(fields: dict[str, Any]) -> None:
    """Raise ApiError unless `fields` is a reply."""
    RESPONSE.check(fields, "")
    check_image_count(fields, "response_images")


def check_progress(fields: dict[str, Any]) -> None:
    """Raise ApiError unless `fields` approves or rejects, and does not mix the two."""
    PROGRESS.check(fields, "")
    action = fields["action"]
    if action not in ("APPROVE", "REJECT"):
        raise errors.param_error("枚举值不在取值范围内", "/action", "body", action)
    wanted = {"APPROVE": "launch_refund_day", "REJECT": "reject_reason"}[action]
    foreign = {"APPROVE": ("reject_reason", "reject_media_list"), "REJECT": ("launch_refund_day",)}[action]
    if wanted not in fields:
        raise errors.param_error(missing(f"/body/{wanted}", wanted), f"/{wanted}", "body")
    for name in foreign:
        if name in fields:
            raise errors.param_error(f"{action}时不能填写{name}", f"/{name}", "body")
    check_image_count(fields, "reject_media_list")


def check_image_count(fields: dict[str, Any], name: str) -> None:
    """At most four pictures."""
    if len(fields.get(name, [])) > MOST_IMAGES:
        raise errors.param_error(f"图片数量大于最大值 {MOST_IMAGES}", f"/{name}", "body", len(fields[name]))


def check_url(fields: dict[str, Any]) -> None:
    """Raise ApiError unless `fields` is an address notifications can be sent to."""
    URL.check(fields, "")
    check_notify_url(fields["url"])
