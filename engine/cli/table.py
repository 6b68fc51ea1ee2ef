"""Rows under headings, aligned with three spaces between, as docker's tables are; on a terminal no wider than it is."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FIRM = 20
GAP = 3
NARROW_GAP = 2
LEAST = (14, 11, 8, 5)  # a cell cut to less than the first tells little: columns are given up before that


def table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    width: int = 0,
    drop: Sequence[str] = (),
    firm: Sequence[str] = (),
) -> str:
    """The text of a table, its last line ended; columns are as wide as their widest cell.

    With a `width` they share it: the widest cells end in an ellipsis, and the columns headed as in `drop` go, one
    after the other, when that is not enough. The columns headed as in `firm` are cut when all others have been.
    """
    lines = [list(headings), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(columns_of(line[column]) for line in lines) for column in range(len(headings))]
    gap = GAP
    if width and _total(widths, gap) > width:
        gap = NARROW_GAP
        lines, widths = _fitted(lines, widths, width, drop, firm)
    text = []
    for line in lines:
        cells = [_filled(cell, width) for cell, width in zip(line[:-1], widths, strict=False)]
        text.append((" " * gap).join([*cells, *_cut_last(line, widths)]).rstrip())
    return "\n".join(text) + "\n"


def terminal_width() -> int:
    """Columns of the terminal that standard output is; 0 when it is none, and nobody's to fit into."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else 0
    except (OSError, ValueError):
        return 0


def columns_of(text: str) -> int:
    """How many columns a terminal needs for it."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def printable(text: str) -> str:
    """Text from outside without what would move the cursor or ring the bell."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _total(widths: Sequence[int], gap: int) -> int:
    return sum(widths) + gap * (len(widths) - 1)


def _fitted(
    lines: list[list[str]], widths: list[int], width: int, drop: Sequence[str], firm: Sequence[str]
) -> tuple[list[list[str]], list[int]]:
    leaving = [heading for heading in drop if heading in lines[0]]
    for most in LEAST:
        while True:
            kept = [max(most, len(heading), FIRM if heading in firm else 0) for heading in lines[0]]
            least = [min(full, enough) for full, enough in zip(widths, kept, strict=True)]
            room = width - NARROW_GAP * (len(widths) - 1)
            if sum(least) <= room or not leaving:
                break
            column = lines[0].index(leaving.pop(0))
            lines = [line[:column] + line[column + 1 :] for line in lines]
            widths = widths[:column] + widths[column + 1 :]
        if sum(least) <= room:
            break
        firm = firm if most == LEAST[0] else ()
    # the first column (an id) and the last (a name) are what people copy: they are cut last
    inner = range(1, len(widths) - 1)
    soft = [column for column in inner if lines[0][column] not in firm]
    for columns in (soft, range(len(widths) - 1, len(widths)), inner, range(len(widths))):
        widths = _shrunk(widths, least, columns, sum(widths) - room)
    return lines, widths


def _shrunk(widths: list[int], least: list[int], columns: Sequence[int], excess: int) -> list[int]:
    widths = list(widths)
    while excess > 0:
        widest = max(
            (column for column in columns if widths[column] > least[column]), key=widths.__getitem__, default=-1
        )
        if widest < 0:
            break
        widths[widest] -= 1
        excess -= 1
    return widths


def _filled(cell: str, width: int) -> str:
    cell = _cut(cell, width)
    return cell + " " * (width - columns_of(cell))


def _cut_last(line: list[str], widths: list[int]) -> list[str]:
    return [_cut(line[-1], widths[-1])] if line else []


def _cut(cell: str, width: int) -> str:
    if columns_of(cell) <= width:
        return cell
    while cell and columns_of(cell) > width - 1:
        cell = cell[:-1]
    return f"{cell}…"


def _escaped(letter: str) -> str:
    return repr(letter)[1:-1]
