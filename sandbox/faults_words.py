"""What the page of faults says, in Chinese and in English."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "title": ("沙箱故障台", "Sandbox faults"),
    "tagline": ("让沙箱按需出错，用于测试", "Makes the sandbox misbehave on demand, for tests."),
    "other_language": ("English", "中文"),
    "phone": ("手机", "Phone"),
    "done": ("已执行", "Done"),
    "unknown_action": ("没有这个操作", "There is no such action"),
    "more_is_no_json": ("更多参数必须是 JSON 对象", "The further arguments must be a JSON object"),
    "order": ("安排故障", "Order a fault"),
    "route": ("接口", "Route"),
    "kind": ("故障", "Kind"),
    "order_number": ("商户订单号（留空为全部）", "Order number (empty: every order)"),
    "times": ("次数（留空为不限）", "Times (empty: for ever)"),
    "seconds": ("秒数", "Seconds"),
    "more": ("更多参数（JSON）", "Further arguments (JSON)"),
    "order_it": ("安排", "Order it"),
    "ordered": ("已安排的故障", "Faults ordered"),
    "none_ordered": ("没有故障，一切正常", "None: everything works"),
    "hits": ("命中 {n} 次", "struck {n} times"),
    "left": ("剩余 {n} 次", "{n} left"),
    "take_back": ("撤销", "Take back"),
    "take_all_back": ("全部撤销", "Take all back"),
    "chaos": ("随机混合故障", "Random mix"),
    "rate": ("每种故障的概率（0–1）", "Probability of each kind (0–1)"),
    "seed": ("种子", "Seed"),
    "kinds": ("故障种类（逗号分隔，留空为全部）", "Kinds (comma-separated, empty: all)"),
    "set": ("设置", "Set"),
    "stop": ("停止", "Stop"),
    "clock": ("时钟", "Clock"),
    "offset": ("相对真实时间的偏移（秒）", "Offset from real time (seconds)"),
    "now": ("沙箱现在的时间", "Time in the sandbox"),
    "switches": ("开关与密钥", "Switches and keys"),
    "notifications": ("通知", "Notifications"),
    "no_notifications": ("还没有通知", "No notifications yet"),
    "redeliver": ("重复发送", "Deliver again"),
    "release": ("放行", "Release"),
    "attempts": ("已发送 {n} 次", "delivered {n} times"),
    "pending": ("等待发送", "pending"),
    "delivered": ("已送达", "delivered"),
    "given_up": ("已放弃", "given up"),
    "withheld": ("已扣留", "kept back"),
    "refunds": ("退款", "Refunds"),
    "no_refunds": ("还没有退款", "No refunds yet"),
    "console_refund": ("在商户平台手工退款", "Refund by hand in the merchant platform"),
    "number": ("商户订单号", "Order number"),
    "amount": ("金额（分，留空为全额）", "Amount (fen, empty: all)"),
    "notify": ("通知商户", "Tell the shop"),
    "refund_it": ("退款", "Refund"),
    "SUCCESS": ("退款成功", "succeeds"),
    "ABNORMAL": ("退款异常", "abnormal"),
    "CLOSED": ("退款关闭", "closed"),
    "PROCESSING": ("退款处理中", "under way"),
}


def words(language: str) -> dict[str, str]:
    """Every text in one language: `en`, or else Chinese."""
    column = 1 if language == "en" else 0
    return {name: texts[column] for name, texts in WORDS.items()}
