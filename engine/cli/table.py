"""Rows under headings, aligned with three spaces between, as docker's tables are."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The text of a table, its last line ended; columns are as wide as their widest cell."""
    lines = [list(headings), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    text = []
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line[:-1], widths, strict=False)]
        text.append("   ".join([*cells, line[-1]]).rstrip())
    return "\n".join(text) + "\n"


def printable(text: str) -> str:
    """Text from outside without what would move the cursor or ring the bell."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return repr(letter)[1:-1]
