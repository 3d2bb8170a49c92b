"""WeChat Pay as a `Gateway`: order, query and close a Native payment, refund it, and read notifications."""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import date, timedelta, timezone
from typing import Any, BinaryIO
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from portal.config import Settings
from portal.gateways.base import (
    BillNotReady,
    GatewayError,
    GatewayUnknown,
    Headers,
    NoBill,
    NotificationRefused,
    NotificationSealed,
    PaymentNotice,
    PaymentRequest,
    PaymentState,
    RefundNotice,
    RefundRequest,
    RefundState,
    TradeBill,
    VerifiedNotification,
)
from portal.gateways.breaker import Breaker
from portal.gateways.key_wishes import KeyWishes
from portal.gateways.wechat_pay import bills, codes, keys, notifications
from portal.gateways.wechat_pay.answers import error_in, object_in
from portal.gateways.wechat_pay.client import SafeCore, SafeWeChatPay
from portal.gateways.wechat_pay.complaints import WeChatPayComplaints
from portal.gateways.wechat_pay.signatures import NotVerified, verify
from portal.gateways.wechat_pay.transport import Answer, Transport
from portal.kit.db import forbid_open_transaction

_BEIJING = timezone(timedelta(hours=8))
_CODE_URL = re.compile(r"weixin://wxpay/[\x21-\x7e]{1,100}")
_OUT_TRADE_NO = re.compile(r"[0-9A-Za-z_-]{6,32}", re.ASCII)
_OUT_REFUND_NO = re.compile(r"[0-9A-Za-z_\-|*@]{6,64}", re.ASCII)
# "Characters", says the documentation, whose gateway was seen to count such fields in bytes of UTF-8: bytes always fit.
_LONGEST_DESCRIPTION = 127
_LONGEST_REASON = 80
# Shorter than any that is made (`kit/ids.py`), so it never becomes an order.
_NOBODYS_NUMBER = "LBPING000000"


class WeChatPayGateway:
    """One merchant at WeChat Pay. Built once per process; safe between threads."""

    name = notifications.GATEWAY

    def __init__(self, settings: Settings) -> None:
        self.mchid = settings.WECHATPAY_MCHID
        self.appid = settings.WECHATPAY_APPID
        self._origin = settings.WECHATPAY_BASE_URL
        self._apiv3_key = settings.WECHATPAY_APIV3_KEY.get_secret_value().encode()
        self._keys = keys.PlatformKeys(
            self.mchid, settings.WECHATPAY_PUBLIC_KEY_ID, settings.WECHATPAY_PUBLIC_KEY
        )
        self._breaker = Breaker(self.name)
        self._wishes = KeyWishes(self.name)
        self._core = SafeCore(
            mchid=self.mchid,
            cert_serial_no=settings.WECHATPAY_CERT_SERIAL_NO,
            private_key=settings.WECHATPAY_PRIVATE_KEY.get_secret_value(),
            apiv3_key=settings.WECHATPAY_APIV3_KEY.get_secret_value(),
            public_key_id=settings.WECHATPAY_PUBLIC_KEY_ID,
            transport=Transport(settings.WECHATPAY_BASE_URL),
            keys=self._keys,
            breaker=self._breaker,
            wishes=self._wishes,
        )
        self._sdk = SafeWeChatPay(self._core, mchid=self.mchid, appid=self.appid)
        self.complaints = WeChatPayComplaints(self._core, self.mchid, self._origin)

    @property
    def clock_skew(self) -> timedelta | None:
        """How far WeChat's clock was ahead of ours in its latest answer to this process."""
        return self._core.clock_skew

    def request_fields(self, request: PaymentRequest) -> dict[str, Any]:
        """Return the body of a Native order (merchant/4012791877), to be stored and sent unchanged."""
        return {
            "appid": self.appid,
            "mchid": self.mchid,
            "description": _description(request.title, request.tag),
            "out_trade_no": request.out_trade_no,
            "time_expire": request.expires_at.astimezone(_BEIJING).isoformat(timespec="seconds"),
            "notify_url": request.notify_url,
            "amount": {"total": request.amount_fen, "currency": request.currency},
        }

    def create_payment(self, fields: Mapping[str, Any]) -> str:
        """Order, or order again with the same fields; return the `code_url` that is alive now.

        Raises:
            GatewayRejected, GatewayUnknown, NumberSpent.
        """
        forbid_open_transaction()
        answer = self._sdk.order_native(fields)
        if answer.status != 200:
            self._refuse("create", answer)
        code_url = object_in(answer).get("code_url")
        if not isinstance(code_url, str) or not _CODE_URL.fullmatch(code_url):
            raise GatewayUnknown("no code_url in the answer")
        return code_url

    def query_payment(self, out_trade_no: str) -> PaymentNotice:
        """Ask what became of an order (merchant/4012791859).

        Raises:
            GatewayRejected, GatewayUnknown.
        """
        forbid_open_transaction()
        answer: Answer = self._sdk.query(out_trade_no=_checked(out_trade_no, _OUT_TRADE_NO))
        if answer.status == 404 and codes.plain(error_in(answer).get("code")) == codes.NOT_FOUND:
            return PaymentNotice(self.name, self.mchid, self.appid, out_trade_no, PaymentState.NOT_FOUND)
        if answer.status != 200:
            self._refuse("query", answer)
        try:
            notice = notifications.read_payment(object_in(answer), self._apiv3_key)
        except notifications.UnexpectedShape as error:
            raise GatewayUnknown(f"unexpected answer: {error}") from None
        if notice.out_trade_no != out_trade_no:
            raise GatewayUnknown("an answer about another order")
        return notice

    def close_payment(self, out_trade_no: str) -> None:
        """Close an order (merchant/4012791881); returning means that WeChat signed its closing.

        Raises:
            GatewayRejected, GatewayUnknown, NumberSpent.
        """
        forbid_open_transaction()
        answer: Answer = self._sdk.close(out_trade_no=_checked(out_trade_no, _OUT_TRADE_NO))
        if answer.status != 204:
            self._refuse("close", answer)

    def refund_fields(self, request: RefundRequest) -> dict[str, Any]:
        """Return the body of a refund (merchant/4013071036), to be stored and sent unchanged.

        The address is always given: without it WeChat would tell of the refund in the old XML, or not at all.
        """
        reason = _plain(request.reason, _LONGEST_REASON)
        return {
            "transaction_id": request.transaction_id,
            "out_refund_no": _checked(request.out_refund_no, _OUT_REFUND_NO),
            # Nothing is left of one that is all emoji, and an empty one is refused.
            **({"reason": reason} if reason else {}),
            "notify_url": request.notify_url,
            "amount": {
                "refund": request.amount_fen,
                "total": request.total_fen,
                "currency": request.currency,
            },
        }

    def create_refund(self, fields: Mapping[str, Any]) -> RefundNotice:
        """Ask for a refund, or again with the same fields; an answer means accepted, not refunded.

        Raises:
            GatewayRejected, GatewayUnknown: not signed; a query decides.
        """
        forbid_open_transaction()
        answer = self._sdk.order_refund(fields)
        if answer.status != 200:
            self._refuse("refund", answer)
        return self._refund(answer, fields["out_refund_no"])

    def query_refund(self, out_refund_no: str) -> RefundNotice:
        """Ask what became of a refund (merchant/4013071041).

        Raises:
            GatewayRejected, GatewayUnknown.
        """
        forbid_open_transaction()
        if not _OUT_REFUND_NO.fullmatch(out_refund_no):
            # A bill made by hand may say anything. WeChat has no refund under such a number.
            return RefundNotice(self.name, self.mchid, out_refund_no, RefundState.NOT_FOUND)
        answer: Answer = self._sdk.query_refund(out_refund_no=quote(out_refund_no, safe=""))
        if answer.status == 404 and codes.plain(error_in(answer).get("code")) == codes.REFUND_NOT_FOUND:
            return RefundNotice(self.name, self.mchid, out_refund_no, RefundState.NOT_FOUND)
        if answer.status != 200:
            self._refuse("query", answer)
        return self._refund(answer, out_refund_no)

    def _refund(self, answer: Answer, out_refund_no: str) -> RefundNotice:
        try:
            notice = notifications.read_refund(object_in(answer), self.mchid, "status")
        except notifications.UnexpectedShape as error:
            raise GatewayUnknown(f"unexpected answer: {error}") from None
        if notice.out_refund_no != out_refund_no:
            raise GatewayUnknown("an answer about another refund")
        return notice

    def is_away(self) -> bool:
        """Tell whether the breaker holds calls back."""
        return self._breaker.state().is_open

    def refuses_orders(self) -> int | None:
        """Return after how many seconds to come again with a new order, None when one may be placed now."""
        return self._breaker.refuses_orders()

    def probe(self) -> None:
        """Ping, if the breaker is open and it is time to."""
        if self._breaker.is_probe_due():
            # What it says is noted by the breaker.
            with suppress(GatewayError):
                self.ping()

    def refresh_wanted_keys(self) -> None:
        """Fetch the certificates, if a message named one that we do not hold.

        Raises:
            GatewayRejected, GatewayUnknown: as `refresh_keys`.
        """
        if self._wishes.take():
            self.refresh_keys()

    def ping(self) -> None:
        """Ask about an order number that is nobody's: "no such order" means that our signature was taken.

        Raises:
            GatewayRejected, GatewayUnknown.
        """
        self.query_payment(_NOBODYS_NUMBER)

    def key_problems(self) -> list[str]:
        """Name the platform's keys when there are none, or the newest certificate ends within 30 days."""
        return self._keys.problems()

    def parse_within(self, context: Callable[[], AbstractContextManager[object]]) -> None:
        """Have the keys read, and a wish for others written, inside `context`."""
        self._keys.within = self._wishes.within = context

    def parse_notification(self, headers: Headers, body: bytes) -> VerifiedNotification:
        """Verify and read a notification.

        Raises:
            NotificationRefused: not proven genuine.
            NotificationSealed: genuine, but our APIv3 key does not open it.
        """
        if not headers.get("Wechatpay-Signature-Type", ""):
            raise NotificationRefused("bad_signature_type")
        try:
            verify(headers, body, self._keys.current())
        except NotVerified as error:
            if error.reason == "unknown_serial":
                self._wishes.note()
            raise NotificationRefused(error.reason) from None
        return notifications.read_notification(body, self._apiv3_key)

    def trade_bill(self, day: date, file: BinaryIO) -> TradeBill:
        """Fetch the trade bill of a day (merchant/4013071212) into `file`, and judge it.

        Raises:
            BillNotReady, NoBill, GatewayRejected, GatewayUnknown, BadBill.
        """
        forbid_open_transaction()
        answer = self._sdk.bill_link(day)
        if answer.status != 200:
            code = codes.plain(error_in(answer).get("code"))
            if code == codes.NO_BILL:
                raise NoBill(f"{answer.status} {code}")
            if code == codes.BILL_NOT_READY:
                raise BillNotReady(f"{answer.status} {code}")
            self._refuse("bill", answer)
        target, sha1 = bills.link_in(object_in(answer), self._origin)
        self._sdk.download(target, file, bills.LARGEST_FILE)
        return bills.read_bill(self.name, self.mchid, day, file, sha1)

    def read_bill(self, day: date, file: BinaryIO) -> TradeBill:
        """Judge a bill that was not fetched here.

        Raises:
            BadBill: it is not a bill of that day.
        """
        return bills.read_bill(self.name, self.mchid, day, file)

    def refresh_keys(self) -> None:
        """Fetch the platform's certificates and replace the stored ones, all or nothing.

        A merchant who only has the public key gets 404, and that is well. The answer is verified with the
        certificates in it, which only WeChat could encrypt with our APIv3 key.

        Raises:
            GatewayUnknown: when there is no trustworthy answer; what is stored stays.
        """
        forbid_open_transaction()
        answer = self._sdk.certificates()
        if answer.status == 404 and codes.plain(error_in(answer).get("code")) == "RESOURCENOTEXISTS":
            return
        if answer.status != 200:
            self._refuse("query", answer)
        certificates = self._certificates_in(object_in(answer))
        own = {keys.serial_of(certificate): _rsa(certificate) for certificate in certificates}
        try:
            verify(answer.headers, answer.body, {**own, **self._keys.current()})
        except NotVerified as error:
            raise GatewayUnknown(f"unverified answer: {error.reason}") from None
        keys.store_certificates(self.mchid, certificates)
        self.forget_keys()

    def forget_keys(self) -> None:
        """Read the stored keys and the breaker's row again at the next use, instead of within a minute."""
        self._keys.forget()
        self._breaker.forget()
        self._wishes.forget()

    def _certificates_in(self, fields: dict[str, Any]) -> list[x509.Certificate]:
        try:
            return [
                x509.load_pem_x509_certificate(
                    notifications.decrypt(entry["encrypt_certificate"], self._apiv3_key)
                )
                for entry in fields["data"]
            ]
        except (KeyError, TypeError, AttributeError, ValueError, NotificationSealed) as error:
            raise GatewayUnknown(f"unreadable certificates: {type(error).__name__}") from None

    def _refuse(self, call: str, answer: Answer) -> None:
        codes.raise_for(call, answer.status, error_in(answer).get("code"), answer.headers.get("Retry-After"))


def _rsa(certificate: x509.Certificate) -> RSAPublicKey:
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise GatewayUnknown("a certificate without an RSA key")
    return key


def _checked(number: str, pattern: re.Pattern[str]) -> str:
    # The SDK pastes it into a path, unescaped.
    if not pattern.fullmatch(number):
        raise ValueError("not a number that WeChat Pay takes")
    return number


def _description(title: str, tag: str) -> str:
    """Return what the payer sees; where it is too long, the title is shortened, never the buyer's mark."""
    end = f" · {tag}"
    return _plain(title, _LONGEST_DESCRIPTION - len(end.encode())) + end


def _plain(text: str, longest: int) -> str:
    """Keep what WeChat accepts: no control characters, nothing beyond the basic plane, `longest` bytes of UTF-8."""
    kept = "".join(character for character in text if character.isprintable() and character <= "\uffff")
    return kept.encode()[:longest].decode(errors="ignore").strip()
