"""Which columns fit a width, and where: priorities drop, flexible columns share what is left. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..presentation.cells import Column

GUTTER = 1


class Placed(NamedTuple):
    """A column's place: `x` from the left edge of the row, in cells."""

    column: Column
    x: int
    width: int


def place_columns(columns: Sequence[Column], natural: Mapping[str, int], width: int) -> tuple[Placed, ...]:
    """Fit columns into `width` cells.

    `natural` is the widest content of each flexible column; none grows past it. Columns with the highest priority
    number go first when room is short; priority 0 stays and is squeezed at last.
    """
    shown = list(columns)
    gap = 1
    while len(shown) > 1 and _least(shown, gap) > width:
        droppable = max(shown, key=lambda column: column.priority)
        if droppable.priority == 0:
            break
        shown.remove(droppable)
    widths = {column.key: column.width for column in shown}
    spare = width - _least(shown, gap)
    if spare > 0:
        spare = _grow(shown, widths, natural, spare)
        if spare >= len(shown) - 1 > 0:
            gap, spare = 2, spare - (len(shown) - 1)
    elif spare < 0:
        for column in sorted(shown, key=lambda column: -column.flex):
            taken = min(-spare, max(0, widths[column.key] - 1))
            widths[column.key] -= taken
            spare += taken
    placed, x = [], GUTTER
    for column in shown:
        placed.append(Placed(column, x, widths[column.key]))
        # A glyph column sits close to its name: two cells apart they read as two things.
        x += widths[column.key] + (1 if column.width == 1 else gap)
    return tuple(placed)


def _least(columns: Sequence[Column], gap: int) -> int:
    return GUTTER + sum(column.width for column in columns) + gap * (len(columns) - 1)


def _grow(shown: Sequence[Column], widths: dict[str, int], natural: Mapping[str, int], spare: int) -> int:
    growing = [column for column in shown if column.flex]
    while spare > 0 and growing:
        total = sum(column.flex for column in growing)
        start = spare
        for column in list(growing):
            bound = natural.get(column.key, column.width)
            if column.maximum:
                bound = min(bound, column.maximum)
            more = min(max(1, start * column.flex // total), bound - widths[column.key], spare)
            if more <= 0:
                growing.remove(column)
                continue
            widths[column.key] += more
            spare -= more
    return spare
