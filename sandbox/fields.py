"""Rules for request fields, and the texts in which the gateway says that one is broken.

Texts as merchants report them: 「映射到字段…必填性规则校验失败」, 「映射到值字段…字符串规则校验失败」,
「映射到数值字段…规则校验失败」, 「无法将 JSON 输入源…映射到目标字段」.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from . import errors

INT64 = 2**63


@dataclass(frozen=True)
class Rule:
    """What every field has: the name the documentation gives it, and whether it must be there."""

    label: str
    is_required: bool = field(default=False, kw_only=True)

    def check(self, value: Any, pointer: str) -> None:
        """Raise ApiError unless `value`, found at the JSON pointer `pointer`, obeys."""
        raise NotImplementedError

    def wrong_type(self, value: Any, pointer: str, wanted: str) -> errors.ApiError:
        """The error for a JSON value of another type."""
        message = f"无法将 JSON 输入源“/body{pointer}”映射到目标字段“{self.label}”中，此字段需要{wanted}"
        return errors.param_error(message, pointer, "body", value)


@dataclass(frozen=True)
class Text(Rule):
    """A string; lengths count characters, or UTF-8 bytes where the gateway says 字节数. `has_lines`: line breaks are text."""

    longest: int
    shortest: int = 1
    pattern: str = ""
    in_bytes: bool = field(default=False, kw_only=True)
    has_lines: bool = field(default=False, kw_only=True)

    def check(self, value: Any, pointer: str) -> None:
        if not isinstance(value, str):
            raise self.wrong_type(value, pointer, "一个合法的字符串")
        if not _is_clean(value.replace("\n", "") if self.has_lines else value):
            raise self._broken(value, pointer, "字符串中含有非法字符")
        unit = "字节数" if self.in_bytes else "字符数"
        length = len(value.encode()) if self.in_bytes else len(value)
        if length > self.longest:
            raise self._broken(length, pointer, f"{unit} {length}，大于最大值 {self.longest}")
        if length < self.shortest:
            raise self._broken(length, pointer, f"{unit} {length}，小于最小值 {self.shortest}")
        if self.pattern and not re.fullmatch(self.pattern, value, re.ASCII):
            raise self._broken(value, pointer, f"字符串必须匹配正则表达式“^{self.pattern}$”")

    def _broken(self, value: Any, pointer: str, how: str) -> errors.ApiError:
        message = f"输入源“/body{pointer}”映射到值字段“{self.label}”字符串规则校验失败，{how}"
        return errors.param_error(message, pointer, "body", value)


@dataclass(frozen=True)
class Integer(Rule):
    """A whole number of 64 bits."""

    least: int = -INT64

    def check(self, value: Any, pointer: str) -> None:
        is_integer = isinstance(value, int) and not isinstance(value, bool)
        if not is_integer or not -INT64 <= value < INT64:
            raise self.wrong_type(value, pointer, "一个合法的 64 位有符号整数")
        if value < self.least:
            message = (
                f"输入源“/body{pointer}”映射到数值字段“{self.label}”规则校验失败，值低于最小值 {self.least}"
            )
            raise errors.param_error(message, pointer, "body", value)


@dataclass(frozen=True)
class Flag(Rule):
    """true or false."""

    def check(self, value: Any, pointer: str) -> None:
        if not isinstance(value, bool):
            raise self.wrong_type(value, pointer, "一个合法的布尔值")


@dataclass(frozen=True)
class Object(Rule):
    """A JSON object with these fields and no others."""

    fields: dict[str, Rule]

    def check(self, value: Any, pointer: str) -> None:
        if not isinstance(value, dict):
            raise self.wrong_type(value, pointer, "一个合法的对象")
        if unknown := [f"/body{pointer}/{name}" for name in value if name not in self.fields]:
            raise errors.unknown_fields(unknown)
        for name, rule in self.fields.items():
            inner = f"{pointer}/{name}"
            if name in value:
                rule.check(value[name], inner)
            elif rule.is_required:
                raise errors.param_error(missing(f"/body{inner}", rule.label), inner, "body", "")


@dataclass(frozen=True)
class List(Rule):
    """A JSON array of at least one item."""

    item: Rule

    def check(self, value: Any, pointer: str) -> None:
        if not isinstance(value, list):
            raise self.wrong_type(value, pointer, "一个合法的数组")
        if not value:
            message = (
                f"输入源“/body{pointer}”映射到数组字段“{self.label}”规则校验失败，元素个数 0，小于最小值 1"
            )
            raise errors.param_error(message, pointer, "body", 0)
        for position, item in enumerate(value):
            self.item.check(item, f"{pointer}/{position}")


def missing(source: str, label: str) -> str:
    """The text for a required field that is not there."""
    return f"输入源“{source}”映射到字段“{label}”必填性规则校验失败，此字段为必填项"


def _is_clean(text: str) -> bool:
    """Free of control characters and of halves of surrogate pairs."""
    return not any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in text)
