"""The functions that a `--format` template can call, and how a value becomes text there."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class TemplateError(Exception):
    """The template, or what it asks of its data, makes no sense."""


def shown(value: object) -> str:
    """Text of a value as Go prints it: `[a b]`, `map[k:v]`, `<no value>`."""
    if value is None:
        return "<no value>"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{shown(item)}" for key, item in sorted(value.items())) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(shown(item) for item in value) + "]"
    return str(value)


def truth(value: object) -> bool:
    """Go's truth: false, 0, nil, and anything empty are false."""
    return bool(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, (list, tuple, str)) and isinstance(key, int):
            if not 0 <= key < len(value):
                raise TemplateError(f"error calling index: index out of range: {key}")
            value = value[key]
        else:
            raise TemplateError(f"error calling index: can't index {shown(value)} with {shown(key)}")
    return value


def _slice(value: Any, *bounds: int) -> Any:
    start = bounds[0] if bounds else 0
    end = bounds[1] if len(bounds) > 1 else len(value)
    if not 0 <= start <= end <= len(value):
        raise TemplateError(f"error calling slice: index out of range: {start}:{end}")
    return value[start:end]


def _truncate(text: str, width: int) -> str:
    return text[:width]


def _pad(text: str, before: int, after: int) -> str:
    return " " * before + text + " " * after if text else text


def _printf(format: str, *values: Any) -> str:
    text, values_left = "", list(values)
    index = 0
    while index < len(format):
        letter = format[index]
        index += 1
        if letter != "%":
            text += letter
            continue
        end = index
        while end < len(format) and format[end] in "+-# 0123456789.":
            end += 1
        verb = format[end : end + 1]
        width, index = format[index:end], end + 1
        if verb == "%":
            text += "%"
            continue
        if not values_left:
            text += f"%!{verb}(MISSING)"
            continue
        value = values_left.pop(0)
        if verb == "q":
            value, verb = json.dumps(shown(value)), "s"
        if verb in "sv":
            text += f"%{width}s" % shown(value)
        elif verb in "dxXobfgec":
            text += f"%{width}{verb}" % value
        elif verb == "t":
            text += shown(bool(value))
        else:
            text += f"%!{verb}({shown(value)})"
    return text


def _join(values: Any, separator: str = "") -> str:
    return separator.join(shown(value) for value in values or ())


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _equal(first: object, *others: object) -> bool:
    return any(first == other for other in others)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": _json,
    "index": _index,
    "slice": _slice,
    "join": _join,
    "split": lambda text, separator: text.split(separator),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "title": lambda text: text.title(),
    "pad": _pad,
    "padlen": lambda text, width: text.ljust(width),
    "truncate": _truncate,
    "len": len,
    "not": lambda value: not truth(value),
    "print": lambda *values: "".join(shown(value) for value in values),
    "println": lambda *values: " ".join(shown(value) for value in values) + "\n",
    "printf": _printf,
    "eq": _equal,
    "ne": lambda first, second: first != second,
    "lt": lambda first, second: first < second,
    "le": lambda first, second: first <= second,
    "gt": lambda first, second: first > second,
    "ge": lambda first, second: first >= second,
}
