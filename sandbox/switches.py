"""Settings of the sandbox that tests may turn, and what they may be turned to. Kept in the store."""

from __future__ import annotations

from typing import Any

from .store import Store

CHOICES: dict[str, tuple[Any, ...]] = {
    "mode": ("public_key", "certificate", "switching"),
    "certificates": (1, 2),
    "signing_certificate": (1, 2),
    "reorder_error": ("403", "400"),
    "order_paid_code": ("ORDERPAID", "ORDER_PAID"),
    "merchant_certificate": ("valid", "expired", "revoked"),
    "never_notify": (False, True),
}
"""Each switch with its values, the first being the usual one."""

MODE_SWITCHES = ("mode", "certificates", "signing_certificate")


class Switches:
    """The switches as they stand; reading one costs nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._values: dict[str, Any] = {}
        self.reload()

    def reload(self) -> None:
        """Read all from the store again, after a start or a reset."""
        usual = {name: choices[0] for name, choices in CHOICES.items()} | {"signtest_rate": 0.0}
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
