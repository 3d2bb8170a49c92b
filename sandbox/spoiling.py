"""What an ordered fault does to the signature and the content of an answer or a notification."""

from __future__ import annotations

import json
import secrets
from typing import Any

from .faults import Fault
from .signing import SigningKey

MANNER_OF_KIND = {"unsigned": "none", "bad_signature": "bad"}


def manner_of(faults: list[Fault]) -> str:
    """How it is signed, as `signature_headers` names it."""
    for fault in faults:
        if fault.kind == "signtest":
            return "signtest_short" if fault.arguments.get("short") else "signtest"
        if fault.kind in MANNER_OF_KIND:
            return MANNER_OF_KIND[fault.kind]
    return "good"


def key_of(faults: list[Fault], key: SigningKey) -> SigningKey:
    """The key that signs; `bad_serial` names one the merchant does not hold."""
    if any(fault.kind == "bad_serial" for fault in faults):
        return SigningKey(secrets.token_hex(20).upper(), key.private_key)
    return key


def moment_of(faults: list[Fault], now: float) -> float:
    """The moment it is signed at; `stale` makes it old, with a signature that is right."""
    return now - sum(fault.arguments.get("seconds", 600) for fault in faults if fault.kind == "stale")


def content_of(faults: list[Fault], content: dict[str, Any]) -> dict[str, Any]:
    """The content before it is signed; `mutate` sets fields, and null removes one."""
    for fault in faults:
        if fault.kind == "mutate":
            content = mutated(content, fault.arguments.get("set", {}))
    return content


def mutated(content: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of `content` with fields set; a dotted name reaches inside, None removes."""
    content = json.loads(json.dumps(content))
    for dotted, value in changes.items():
        *outer, name = dotted.split(".")
        inside = content
        for step in outer:
            if not isinstance(inside.get(step), dict):
                inside[step] = {}
            inside = inside[step]
        if value is None:
            inside.pop(name, None)
        else:
            inside[name] = value
    return content
