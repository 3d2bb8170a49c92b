"""What the phone's pages say, in Chinese and in English."""

from __future__ import annotations

WORDS: dict[str, tuple[str, str]] = {
    "title": ("沙箱手机", "Sandbox phone"),
    "tagline": ("模拟微信扫码支付，不会产生真实扣款", "Plays the payer's WeChat. No real money moves."),
    "other_language": ("English", "中文"),
    "faults": ("故障台", "Faults"),
    "payer": ("当前用户", "This phone belongs to"),
    "switch_payer": ("换成{name}", "Switch to {name}"),
    "scan": ("扫一扫", "Scan"),
    "paste": ("粘贴二维码内容（code_url）", "Paste the text of a QR code (code_url)"),
    "paste_first": ("请先粘贴二维码内容", "Paste the text of a code first"),
    "pending": ("待支付订单", "Waiting to be paid"),
    "nothing_pending": ("没有待支付的订单", "Nothing is waiting to be paid"),
    "nothing_pending_hint": (
        "在商户网站下单后，订单会出现在这里。",
        "Orders appear here once the shop has placed them.",
    ),
    "finished": ("最近的订单", "Recent orders"),
    "pay_until": ("支付截止", "Pay by"),
    "code_dead": ("二维码已失效", "Code no longer valid"),
    "expired": ("已过支付截止时间", "Deadline has passed"),
    "order_number": ("商户订单号", "Order number"),
    "transaction_id": ("微信支付单号", "Transaction"),
    "merchant": ("商户", "Merchant"),
    "description": ("商品", "Item"),
    "time_paid": ("支付时间", "Paid at"),
    "paid_by": ("付款人", "Paid by"),
    "pay": ("支付", "Pay"),
    "insufficient": ("余额不足", "Insufficient balance"),
    "leave": ("离开", "Walk away"),
    "insufficient_told": (
        "零钱余额不足，支付失败。订单仍待支付，商户不会收到通知。",
        "Balance insufficient, payment failed. The order stays unpaid and the merchant hears nothing.",
    ),
    "left_told": (
        "已离开收银台，订单仍待支付，商户不会收到通知。",
        "You walked away. The order stays unpaid and the merchant hears nothing.",
    ),
    "cannot_pay": ("无法支付", "Payment not possible"),
    "back": ("返回", "Back"),
    "see_order": ("查看订单", "See the order"),
    "SUCCESS": ("支付成功", "Paid"),
    "REFUND": ("转入退款", "In refund"),
    "NOTPAY": ("待支付", "Unpaid"),
    "CLOSED": ("已关闭", "Closed"),
    "refund": ("退款", "Refund"),
    "refund_number": ("商户退款单号", "Refund number"),
    "refund_state": ("退款状态", "State of the refund"),
    "refund_PROCESSING": ("退款处理中", "Under way"),
    "refund_SUCCESS": ("退款成功", "Refunded"),
    "refund_ABNORMAL": ("退款异常", "Abnormal: the account does not take it"),
    "refund_CLOSED": ("退款关闭", "Closed"),
    "deliveries": ("商户的回应", "What the merchant answered"),
    "no_delivery": ("尚未发送通知", "No notification has been delivered yet"),
    "withheld": (
        "按测试设置，此订单不发送通知，商户需主动查询。",
        "Notifications are withheld by a test switch: the merchant has to ask.",
    ),
    "attempt": ("第 {n} 次", "No. {n}"),
    "accepted": ("已接收", "accepted"),
    "refused": ("未接收", "not accepted"),
    "no_answer": ("无应答", "no answer"),
    "next_try": ("下次发送", "Next delivery"),
    "under_way": ("正在发送", "Under way"),
    "given_up": ("已停止重发", "Given up: no more deliveries"),
    "delivered": ("通知已送达", "Notification delivered"),
    "refresh": ("刷新", "Refresh"),
    "not_found": ("没有这个订单", "There is no such order"),
    "beijing": ("北京时间", "Beijing time"),
}


def words(language: str) -> dict[str, str]:
    """Every text in one language: `en`, or else Chinese."""
    column = 1 if language == "en" else 0
    return {name: texts[column] for name, texts in WORDS.items()}
