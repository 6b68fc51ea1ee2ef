"""JSON for a cold start: the interpreter's own scanner without the package around it.

`import json` brings re, enum and collections along, 6 ms of a start that takes 25. The scanner and the escaping of
strings are C functions that stand alone (`_json`, as in every CPython so far); where they do not, or when a document
is wrong and somebody has to say where, the package does the work.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_scan: Callable[[str, int], tuple[Any, int]] | None
_quote: Callable[[str], str]
_BLANKS = " \t\n\r"
_NO_NUMBERS = {"inf": "Infinity", "-inf": "-Infinity"}

try:
    from _json import encode_basestring_ascii as _quote
    from _json import make_scanner as _make_scanner
except ImportError:
    from json.encoder import py_encode_basestring_ascii as _quote

    _scan = None
else:
    _CONSTANTS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": -float("inf")}

    class _Decoder:
        strict = True
        object_hook = None
        object_pairs_hook = None
        array_hook = None
        parse_float = float
        parse_int = int
        parse_constant = _CONSTANTS.__getitem__
        memo: dict[str, str] = {}

    # mypy knows the package's own caller alone
    _scan = _make_scanner(_Decoder)  # type: ignore[arg-type]


def loads(text: bytes | str) -> Any:
    """The value of a document. Raises ValueError or RecursionError as json.loads."""
    if _scan is not None:
        try:
            document = text if isinstance(text, str) else text.decode()
            start = len(document) - len(document.lstrip(_BLANKS))
            value, end = _scan(document, start)
            if not document[end:].strip(_BLANKS):
                return value
        except (ValueError, StopIteration, SystemError):
            # SystemError: the scanner looks for the package's exception, and it is not loaded.
            pass
    import json

    return json.loads(text)


def dumps(value: Any) -> str:
    """A document on one line, as json.dumps: dictionaries with keys that are strings, lists, strings, numbers,
    booleans, None."""
    if isinstance(value, str):
        return _quote(value)
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return repr(value)
    if isinstance(value, float):
        return repr(value) if value - value == 0 else _NO_NUMBERS.get(repr(value), "NaN")
    if isinstance(value, dict):
        return "{" + ", ".join([f"{_quote(key)}: {dumps(item)}" for key, item in value.items()]) + "}"
    return "[" + ", ".join([dumps(item) for item in value]) + "]"


def pretty(value: Any, indent: int = 2, margin: str = "\n") -> str:
    """The same over several lines, as json.dumps(value, indent=…)."""
    inner = margin + " " * indent
    if isinstance(value, dict) and value:
        parts = [f"{_quote(key)}: {pretty(item, indent, inner)}" for key, item in value.items()]
        return "{" + inner + f",{inner}".join(parts) + margin + "}"
    if isinstance(value, (list, tuple)) and value:
        return "[" + inner + f",{inner}".join([pretty(item, indent, inner) for item in value]) + margin + "]"
    return dumps(value)
