"""A JSON document as the rows of a pretty-printed text, with folding. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
Kind = Literal["open", "close", "folded", "string", "number", "word", "empty"]


class JsonRow(NamedTuple):
    """One row: `key` is "" in lists and at the top; `text` the scalar, bracket, or what a fold hides."""

    path: Path
    depth: int
    key: str
    text: str
    kind: Kind
    comma: bool


def json_rows(document: Any, folded: frozenset[Path] | set[Path]) -> list[JsonRow]:
    """All rows; what lies under a folded path is one row."""
    return list(_rows(document, (), "", False, folded))


def _rows(value: Any, path: Path, key: str, comma: bool, folded: frozenset[Path] | set[Path]) -> Iterator[JsonRow]:
    depth = len(path)
    if not isinstance(value, (dict, list, tuple)):
        yield JsonRow(path, depth, key, _scalar(value), _kind(value), comma)
        return
    brackets = "{}" if isinstance(value, dict) else "[]"
    if not value:
        yield JsonRow(path, depth, key, brackets, "empty", comma)
        return
    if path in folded:
        unit = "key" if isinstance(value, dict) else "item"
        count = f"{len(value)} {unit}{'s' * (len(value) != 1)}"
        yield JsonRow(path, depth, key, f"{brackets[0]} {count} {brackets[1]}", "folded", comma)
        return
    yield JsonRow(path, depth, key, brackets[0], "open", False)
    last = len(value) - 1
    children = value.items() if isinstance(value, dict) else enumerate(value)
    for number, (name, child) in enumerate(children):
        label = json.dumps(plain(str(name)), ensure_ascii=False) if isinstance(value, dict) else ""
        yield from _rows(child, (*path, name), label, number < last, folded)
    yield JsonRow(path, depth, "", brackets[1], "close", comma)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        # json escapes what would break the row; format characters that it leaves are dropped.
        return plain(json.dumps(value, ensure_ascii=False))
    return json.dumps(value, default=str)


def _kind(value: Any) -> Kind:
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool) or value is None:
        return "word"
    return "number"


def default_folds(document: Any, *, depth: int = 2, longest: int = 12) -> set[Path]:
    """Long containers below a depth start folded, so that the first look shows the outline."""
    folds: set[Path] = set()

    def walk(value: Any, path: Path) -> None:
        if not isinstance(value, (dict, list, tuple)) or not value:
            return
        if len(path) >= depth and len(value) > longest:
            folds.add(path)
        for name, child in value.items() if isinstance(value, dict) else enumerate(value):
            walk(child, (*path, name))

    walk(document, ())
    return folds


def all_folds(document: Any) -> set[Path]:
    """Every container but the outermost."""
    return default_folds(document, depth=1, longest=0)


def at_path(document: Any, path: Path) -> Any:
    """The value under a path of `JsonRow`; raises KeyError or IndexError when it is gone."""
    for step in path:
        document = document[step]
    return document


def path_text(path: Path) -> str:
    """ "HostConfig.Mounts[0].Source" for a path."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{plain(step)}" if text else plain(step)
    return text
