"""WeChat Pay v3, Native orders (a QR code), for a direct merchant.

`adapter.py` is the gateway as the portal sees it; `client.py` the SDK made safe; `transport.py` one pooled
connection with a deadline; `signatures.py` verifies answers and notifications; `keys.py` holds the keys
that verify; `codes.py` says what each error code means; `notifications.py` reads what WeChat sends us.
"""

from portal.gateways.wechat_pay.adapter import WeChatPayGateway

__all__ = ["WeChatPayGateway"]
