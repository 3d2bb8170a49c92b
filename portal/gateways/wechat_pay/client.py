"""The SDK `wechatpayv3` made safe for money.

What is replaced, and why: its transport (no pool, no deadline, follows redirects, reads proxies from the
environment), its verification (no freshness check; an unknown serial empties its keys and calls out), its
serialising (signs one text and sends another) and its clock. What stays: its operations and its RSA.
"""

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from datetime import date, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO, NamedTuple

import urllib3
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.core import Core
from wechatpayv3.type import RequestType

from portal.gateways import calls
from portal.gateways.base import GatewayUnknown
from portal.gateways.breaker import Breaker
from portal.gateways.key_wishes import KeyWishes
from portal.gateways.wechat_pay.keys import PlatformKeys
from portal.gateways.wechat_pay.signatures import NotVerified, verify
from portal.gateways.wechat_pay.transport import BUSY, Answer, Transport
from portal.kit import clock, ids
from portal.kit.db import forbid_open_transaction

log = logging.getLogger(__name__)
_CLOSE_ENOUGH = timedelta(seconds=60)


class _Body(NamedTuple):
    """What is sent, and what of it is signed: all of it but for a file."""

    content: bytes
    signed: bytes
    content_type: str
    fields: Mapping[str, Any] | None = None


class SafeCore(Core):  # type: ignore[misc]
    """Signs, sends and verifies one call. Never given the SDK's logger, which prints secrets."""

    def __init__(
        self,
        *,
        mchid: str,
        cert_serial_no: str,
        private_key: str,
        apiv3_key: str,
        public_key_id: str | None,
        transport: Transport,
        keys: PlatformKeys,
        breaker: Breaker,
        wishes: KeyWishes,
    ) -> None:
        # The SDK's constructor would fetch certificates; it is told of no key and given none to fetch.
        self._transport, self._keys, self._breaker, self._wishes = transport, keys, breaker, wishes
        self.clock_skew: timedelta | None = None
        super().__init__(mchid, cert_serial_no, private_key, apiv3_key)
        self._public_key_id = public_key_id

    def _init_certificates(self) -> None:
        """Starting needs no gateway."""

    def _update_certificates(self) -> None:
        """A message never causes a fetch; a scheduled job does."""
        raise NotVerified("unknown_serial")

    def request(
        self,
        path: str,
        method: RequestType = RequestType.GET,
        data: Mapping[str, Any] | None = None,
        skip_verify: bool = False,
        sign_data: object = None,
        files: object = None,
        cipher_data: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one call and return its verified answer, or an error answer as it came.

        Raises:
            GatewayUnknown: no answer, a 2xx answer that is not proven WeChat's, or nothing sent because the
                breaker is open.
        """
        body = (
            json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() if data is not None else b""
        )
        return self._exchange(method.value, path, _Body(body, body, "application/json", data), skip_verify)

    def upload(self, path: str, filename: str, content: bytes, media_type: str) -> Answer:
        """Upload a file; what is signed is its name and hash (merchant/4012365342).

        Raises:
            GatewayUnknown: as for `request`.
        """
        meta = json.dumps({"filename": filename, "sha256": hashlib.sha256(content).hexdigest()}).encode()
        body, content_type = urllib3.encode_multipart_formdata(
            {
                "meta": meta,
                "file": (filename, content, media_type),
            }
        )
        return self._exchange("POST", path, _Body(body, meta, content_type))

    def _exchange(self, method: str, path: str, body: _Body, skip_verify: bool = False) -> Answer:
        self._breaker.admit()
        # The connection goes back before the wait for the network.
        forbid_open_transaction()
        started = time.monotonic()
        answer: Answer | None = None
        verdict = "ok"
        try:
            headers = self._headers(method, path, body.signed)
            if body.content:
                headers["Content-Type"] = body.content_type
            answer = self._transport.send(method, path, headers, body.content or None)
            self._compare_clocks(answer)
            if 200 <= answer.status < 300 and not skip_verify:
                verify(answer.headers, answer.body, self._keys.current())
        except NotVerified as error:
            verdict = error.reason
            raise GatewayUnknown(f"unverified answer: {error.reason}") from None
        except GatewayUnknown as error:
            verdict = error.reason
            raise
        finally:
            self._write_down(method, path, body.fields, answer, verdict, started)
            self._note(answer, verdict)
        return answer

    def _write_down(
        self,
        method: str,
        path: str,
        fields: Mapping[str, Any] | None,
        answer: Answer | None,
        verdict: str,
        started: float,
    ) -> None:
        """Log a call and, when it is about an attempt or a refund, keep it for whoever looks at the order."""
        route, number = calls.about(path, fields)
        facts = {
            "gateway": "wechat_pay",
            "method": method,
            "route": route,
            "status": answer.status if answer else None,
            "verdict": verdict[:64],
            "ms": round((time.monotonic() - started) * 1000),
        }
        request_id = answer.headers.get("Request-ID") if answer else None
        log.info("gateway call", extra={**facts, "gateway_request_id": request_id})
        if number is not None:
            calls.note_call(number=number, request_id=_ascii(request_id), **facts)

    def _note(self, answer: Answer | None, verdict: str) -> None:
        """Tell the breaker what the call says of the gateway; "busy" and 429 say nothing of it."""
        if verdict != "ok":
            if verdict == "unknown_serial":
                self._wishes.note()
            if verdict != BUSY:
                self._breaker.failed(verdict)
        elif answer is not None and answer.status != 429:
            if 200 <= answer.status < 300 or _is_refusal(answer):
                self._breaker.succeeded()
            else:
                self._breaker.failed(str(answer.status))

    def _compare_clocks(self, answer: Answer) -> None:
        """Note how far apart the clocks are; beyond five minutes neither side believes the other (F37)."""
        try:
            theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
            self.clock_skew = theirs - clock.now()
        except (TypeError, ValueError):
            return
        if abs(self.clock_skew) > _CLOSE_ENOUGH:
            seconds = int(self.clock_skew.total_seconds())
            log.error("clock", extra={"alert": True, "gateway": "wechat_pay", "ahead_of_ours_s": seconds})

    def download(self, target: str, file: BinaryIO, largest: int) -> None:
        """Fetch a file that is not signed into `file`; whoever reads it knows its hash.

        Raises:
            GatewayUnknown: no whole file, or one above `largest` bytes.
        """
        started = time.monotonic()
        outcome = "ok"
        try:
            status = self._transport.download(target, self._headers("GET", target, b""), file, largest)
            if status != 200:
                raise GatewayUnknown(f"{status} for a file")
        except GatewayUnknown as error:
            outcome = error.reason
            raise
        finally:
            log.info(
                "gateway file",
                extra={
                    "gateway": "wechat_pay",
                    "route": target.split("?")[0],
                    "verdict": outcome,
                    "ms": round((time.monotonic() - started) * 1000),
                },
            )

    def _headers(self, method: str, target: str, signed: bytes) -> dict[str, str]:
        timestamp, nonce = str(int(clock.now().timestamp())), ids.new_uuid().replace("-", "").upper()
        signature = self.sign([method, target, timestamp, nonce, signed.decode()])
        headers = {
            "Authorization": (
                f'WECHATPAY2-SHA256-RSA2048 mchid="{self._mchid}",nonce_str="{nonce}",signature="{signature}",'
                f'timestamp="{timestamp}",serial_no="{self._cert_serial_no}"'
            ),
            "Accept": "application/json",
            "User-Agent": "learning-buddy-portal",
        }
        if self._public_key_id:
            # Without it WeChat may sign the answer with the other key while a merchant switches.
            headers["Wechatpay-Serial"] = self._public_key_id
        return headers


def _ascii(text: str | None) -> str | None:
    """Return a stranger's id as far as it can be kept."""
    return text if text is None else text.encode("ascii", "replace").decode()[:128]


def _is_refusal(answer: Answer) -> bool:
    """Tell whether WeChat refuses this very call, as it does when all is well with it: not our signature (401),
    and in JSON, which a proxy's page is not."""
    is_json = answer.headers.get("Content-Type", "").startswith("application/json")
    return 400 <= answer.status < 500 and answer.status != 401 and is_json


class SafeWeChatPay(WeChatPay):  # type: ignore[misc]
    """The SDK's operations over `SafeCore`; its own constructor would build an unsafe core."""

    def __init__(self, core: SafeCore, *, mchid: str, appid: str) -> None:
        self._core, self._type = core, WeChatPayType.NATIVE
        self._mchid, self._appid = mchid, appid
        self._notify_url, self._partner_mode = None, False

    def order_native(self, fields: Mapping[str, Any]) -> Answer:
        """Order with the stored `fields`, unchanged: the SDK's `pay` would build them anew."""
        return self._core.request("/v3/pay/transactions/native", RequestType.POST, data=fields)

    def order_refund(self, fields: Mapping[str, Any]) -> Answer:
        """Ask for a refund with the stored `fields`, unchanged: the SDK's `refund` would add an address of its own."""
        return self._core.request("/v3/refund/domestic/refunds", RequestType.POST, data=fields)

    def bill_link(self, day: date) -> Answer:
        """Ask where the bill of a day is; the SDK's `trade_bill` names no day rightly and follows any link."""
        query = f"bill_date={day.isoformat()}&bill_type=ALL&tar_type=GZIP"
        return self._core.request(f"/v3/bill/tradebill?{query}")

    def download(self, target: str, file: BinaryIO, largest: int) -> None:
        """Fetch a file, as `SafeCore.download`."""
        self._core.download(target, file, largest)

    def certificates(self) -> Answer:
        """Fetch the platform's certificates; whoever reads them verifies the answer with them."""
        return self._core.request("/v3/certificates", skip_verify=True)
