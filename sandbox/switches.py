"""Settings of the sandbox that tests may turn, and what they may be turned to. Kept in the store."""

from __future__ import annotations

from typing import Any

from .store import Store

CHOICES: dict[str, tuple[Any, ...]] = {
    "mode": ("public_key", "certificate", "switching"),
    "certificates": (1, 2),
    "signing_certificate": (1, 2),
    "public_key": ("elder", "both", "successor"),
    "apiv3_key": ("elder", "successor"),
    "reorder_error": ("403", "400"),
    "order_paid_code": ("ORDERPAID", "ORDER_PAID"),
    "merchant_certificate": ("valid", "expired", "revoked"),
    "never_notify": (False, True),
    "refund_mode": ("automatic", "manual", "abnormal", "closed", "not_enough", "user_account_abnormal"),
    "refund_interval_error": ("429", "400"),
    "refund_failing_limit": (False, True),
    "bill_bom": (True, False),
    "bill_line_ends": ("crlf", "lf"),
    "no_statement_status": ("400", "404"),
}
"""Each switch with its values, the first being the usual one."""

NUMBERS: dict[str, tuple[float, float, float]] = {
    "signtest_rate": (0.0, 0.0, 1.0),
    "refund_seconds": (2.0, 0.0, 30 * 86400.0),
}
"""Each switch that is a number: the usual one, the least, the most."""

MODE_SWITCHES = ("mode", "certificates", "signing_certificate", "public_key", "apiv3_key")


class Switches:
    """The switches as they stand; reading one costs nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._values: dict[str, Any] = {}
        self.reload()

    def reload(self) -> None:
        """Read all from the store again, after a start or a reset."""
        usual: dict[str, Any] = {name: choices[0] for name, choices in CHOICES.items()}
        usual |= {name: numbers[0] for name, numbers in NUMBERS.items()}
        self._values = {name: self._store.setting(name, value) for name, value in usual.items()}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def all(self) -> dict[str, Any]:
        """Every switch and its value."""
        return dict(self._values)

    def turn(self, **values: Any) -> None:
        """Set switches; the caller has checked names and values."""
        with self._store.transaction():
            for name, value in values.items():
                self._store.set_setting(name, value)
        self._values = self._values | values
