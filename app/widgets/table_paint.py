"""A table row as a Strip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from ..presentation.cells import Cell, Spark
from ..presentation.text import elide_end, elide_middle
from .sparkline import sparkline
from .table_layout import GUTTER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..presentation.cells import CellValue, Column, Row
    from .roles import Palette
    from .table_layout import Placed

CURSOR_BAR, MARK = "▌", "+"
_BOLD = Style(bold=True)


def paint_row(
    row: Row,
    placed: Sequence[Placed],
    width: int,
    palette: Palette,
    *,
    cursor: bool,
    focused: bool,
    marked: bool,
    needle: str = "",
) -> Strip:
    """The row `width` cells wide. The cursor shows by background and left bar, a mark by background and sign."""
    ground = palette.base
    if marked:
        ground += palette.line("marked")
    if cursor:
        ground += palette.line("cursor" if focused else "cursor-blurred")
    plain = ground + palette.text(row.role) if row.role else ground
    if cursor:
        bar = Segment(CURSOR_BAR, ground + palette.paint("accent" if focused else "muted"))
    elif marked:
        bar = Segment(MARK, ground + palette.paint("accent"))
    else:
        bar = Segment(" ", ground)
    segments = [bar]
    x = GUTTER
    shown = {column.key for column, _, _ in placed}
    for column, start, room in placed:
        if start + room > width:
            room = width - start
            if room <= 0:
                break
        # The gap before a cell is part of its segment: fewer segments make every later step cheaper.
        gap = " " * (start - x)
        value = row.cells.get(column.key, "")
        if not value and column.fallback and column.fallback not in shown:
            value = row.cells.get(column.fallback, "")
        if isinstance(value, Spark):
            text = sparkline(value.values, room, value.maximum)
            segments.append(Segment(gap + text, ground + palette.paint(value.role)))
        else:
            segments.extend(_text_cell(value, column, gap, room, ground, plain, palette, needle))
        x = start + room
    if x < width:
        segments.append(Segment(" " * (width - x), ground))
    return Strip(segments, width)


def _text_cell(
    value: CellValue, column: Column, gap: str, room: int, ground: Style, plain: Style, palette: Palette, needle: str
) -> list[Segment]:
    if isinstance(value, Cell):
        text, role, bold = value
        style = ground + palette.text(role) if role else plain
        if bold:
            style += _BOLD
    else:
        text, style = str(value), plain
    length = cell_len(text)
    if length > room:
        text = elide_middle(text, room) if column.elide == "middle" else elide_end(text, room)
        length = cell_len(text)
    pad = " " * (room - length)
    before, after = (gap + pad, "") if column.align == "right" else (gap, pad)
    if needle and (found := text.lower().find(needle)) >= 0 and len(text.lower()) == len(text):
        end = found + len(needle)
        pieces = [
            Segment(before + text[:found], style),
            Segment(text[found:end], style + palette.line("match")),
            Segment(text[end:] + after, style),
        ]
        return [piece for piece in pieces if piece.text]
    return [Segment(before + text + after, style)]


def paint_header(placed: Sequence[Placed], width: int, palette: Palette, *, sort_column: str, reverse: bool) -> Strip:
    """Column titles; the sorted one carries its direction."""
    muted, active = palette.base + palette.text("muted"), palette.base + palette.text("accent") + _BOLD
    segments, x = [Segment(" " * GUTTER, muted)], GUTTER
    for column, start, room in placed:
        room = min(room, width - start)
        if room <= 0:
            break
        sorted_here = column.key == sort_column
        title = column.title
        if sorted_here and title:
            arrow = "▴" if reverse else "▾"
            title = elide_end(title, room - 1) + arrow if room > 1 else arrow
        title = elide_end(title, room)
        pad = room - len(title) if column.align == "right" else 0
        segments.append(Segment(" " * (start - x + pad), muted))
        segments.append(Segment(title, active if sorted_here else muted))
        x = start + pad + len(title)
    if x < width:
        segments.append(Segment(" " * (width - x), muted))
    return Strip(segments, width)
