"""A merchant for the sandbox's tests: signs and verifies with its own code, to judge the sandbox's."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

NATIVE = "/v3/pay/transactions/native"
REFUNDS = "/v3/refund/domestic/refunds"


class SandboxMerchant:
    """Holds what a merchant holds, and calls the API with it."""

    def __init__(self, folder: Path, now: Any) -> None:
        self.settings = json.loads((folder / "settings.json").read_text())
        self.url = self.settings["WECHATPAY_BASE_URL"]
        self.mchid = self.settings["WECHATPAY_MCHID"]
        self.appid = self.settings["WECHATPAY_APPID"]
        self.serial_no = self.settings["WECHATPAY_CERT_SERIAL_NO"]
        self.apiv3_key = Path(self.settings["WECHATPAY_APIV3_KEY_FILE"]).read_text()
        self.public_key_id = self.settings["WECHATPAY_PUBLIC_KEY_ID"]
        self.public_keys: dict[str, Any] = {
            self.public_key_id: serialization.load_pem_public_key(
                Path(self.settings["WECHATPAY_PUBLIC_KEY_FILE"]).read_bytes()
            )
        }
        self._key: Any = serialization.load_pem_private_key(
            Path(self.settings["WECHATPAY_PRIVATE_KEY_FILE"]).read_bytes(), None
        )
        self._now = now
        self._http = requests.Session()
        self._http.trust_env = False

    def without_certificates(self) -> SandboxMerchant:
        """This merchant, trusting its WeChat Pay public key alone."""
        self.public_keys = {self.public_key_id: self.public_keys[self.public_key_id]}
        return self

    def order(self, out_trade_no: str | None = None, **changes: Any) -> dict[str, Any]:
        """The fields of a Native order; a change to None leaves the field out."""
        fields = {
            "appid": self.appid,
            "mchid": self.mchid,
            "description": "Python 入门课程",
            "out_trade_no": out_trade_no or f"T{secrets.token_hex(10)}",
            "notify_url": "https://shop.example.com/notify",
            "amount": {"total": 9900, "currency": "CNY"},
        } | changes
        return {name: value for name, value in fields.items() if value is not None}

    def authorization(
        self, method: str, target: str, body: bytes, *, timestamp: int | None = None, **changes: str
    ) -> str:
        """The header's value; `changes` replace pairs after signing."""
        moment = str(int(self._now()) if timestamp is None else timestamp)
        nonce = secrets.token_hex(16)
        lines = (method.encode(), target.encode("latin-1"), moment.encode(), nonce.encode(), body)
        text = b"".join(line + b"\n" for line in lines)
        signature = base64.b64encode(self._key.sign(text, PKCS1v15(), SHA256())).decode()
        pairs = {
            "mchid": self.mchid,
            "nonce_str": nonce,
            "signature": signature,
            "timestamp": moment,
            "serial_no": self.serial_no,
        } | changes
        listed = ",".join(f'{name}="{value}"' for name, value in pairs.items())
        return f"WECHATPAY2-SHA256-RSA2048 {listed}"

    def call(
        self,
        method: str,
        target: str,
        fields: Any = None,
        *,
        body: bytes | None = None,
        headers: dict[str, str | None] | None = None,
        timeout: float = 10,
    ) -> requests.Response:
        """Call the API; headers set to None are left out."""
        if body is None:
            body = b"" if fields is None else json.dumps(fields, ensure_ascii=False).encode()
        sent: dict[str, str | None] = {
            "Authorization": self.authorization(method, target, body),
            "Accept": "application/json",
            "User-Agent": "tests",
            "Wechatpay-Serial": self.public_key_id,
        }
        if body:
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        return self._http.request(method, self.url + target, data=body, headers=sent, timeout=timeout)

    def create(self, fields: dict[str, Any], **options: Any) -> requests.Response:
        """Place a Native order."""
        return self.call("POST", NATIVE, fields, **options)

    def placed(self, out_trade_no: str | None = None, **changes: Any) -> tuple[str, str]:
        """Place a Native order that must succeed; returns its number and code_url."""
        fields = self.order(out_trade_no, **changes)
        answer = self.create(fields)
        assert answer.status_code == 200, answer.text
        return fields["out_trade_no"], answer.json()["code_url"]

    def query(self, out_trade_no: str, **options: Any) -> requests.Response:
        """Query by our own number."""
        target = f"/v3/pay/transactions/out-trade-no/{out_trade_no}?mchid={self.mchid}"
        return self.call("GET", target, **options)

    def close(self, out_trade_no: str, **options: Any) -> requests.Response:
        """Close an order."""
        target = f"/v3/pay/transactions/out-trade-no/{out_trade_no}/close"
        return self.call("POST", target, {"mchid": self.mchid}, **options)

    def refund_fields(self, out_trade_no: str, refund: int = 9900, /, **changes: Any) -> dict[str, Any]:
        """The fields of a refund; a change to None leaves the field out."""
        fields = {
            "out_trade_no": out_trade_no,
            "out_refund_no": f"R{secrets.token_hex(10)}",
            "reason": "不想学了",
            "notify_url": "https://shop.example.com/notify",
            "amount": {"refund": refund, "total": 9900, "currency": "CNY"},
        } | changes
        return {name: value for name, value in fields.items() if value is not None}

    def refund(self, fields: dict[str, Any], **options: Any) -> requests.Response:
        """Ask for a refund."""
        return self.call("POST", REFUNDS, fields, **options)

    def refunded(self, out_trade_no: str, refund: int = 9900, /, **changes: Any) -> dict[str, Any]:
        """Ask for a refund that must be accepted; returns the answer."""
        answer = self.refund(self.refund_fields(out_trade_no, refund, **changes))
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def query_refund(self, out_refund_no: str, **options: Any) -> requests.Response:
        """Query a refund by our own number."""
        return self.call("GET", f"{REFUNDS}/{out_refund_no}", **options)

    def unseal(self, sealed: str) -> str:
        """A sensitive field that is for our eyes only."""
        padding = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303
        plaintext: bytes = self._key.decrypt(base64.b64decode(sealed), padding)
        return plaintext.decode()

    def encrypt(self, plaintext: str) -> str:
        """A sensitive field for the platform's eyes only."""
        padding = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303
        sealed = self.public_keys[self.public_key_id].encrypt(plaintext.encode(), padding)
        return base64.b64encode(sealed).decode()

    def trust(self, certificate_pem: str) -> str:
        """Add a platform certificate to the key table; returns its serial."""
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        serial = f"{certificate.serial_number:040X}"
        self.public_keys[serial] = certificate.public_key()
        return serial

    def verifies(self, headers: Any, body: bytes) -> bool:
        """Whether an answer or notification carries a good signature by a key we hold."""
        key = self.public_keys.get(headers.get("Wechatpay-Serial", ""))
        if key is None or headers.get("Wechatpay-Signature-Type") != "WECHATPAY2-SHA256-RSA2048":
            return False
        text = f"{headers['Wechatpay-Timestamp']}\n{headers['Wechatpay-Nonce']}\n".encode() + body + b"\n"
        try:
            key.verify(
                base64.b64decode(headers["Wechatpay-Signature"], validate=True), text, PKCS1v15(), SHA256()
            )
        except (InvalidSignature, ValueError):
            return False
        return True

    def decrypt(self, sealed: dict[str, str]) -> str:
        """The plaintext of a notification's resource or of an encrypted certificate."""
        cipher = AESGCM(self.apiv3_key.encode())
        data, extra = base64.b64decode(sealed["ciphertext"]), sealed["associated_data"].encode()
        return cipher.decrypt(sealed["nonce"].encode(), data, extra).decode()
