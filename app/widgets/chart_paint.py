"""Values as rows of braille dots: two columns and four rows of dots in a cell. Pure.

One series is an area standing on the bottom; two are mirrored round a middle line, the first upwards, the second
hanging down, so that both are read without crossing each other.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..presentation.cells import Role

WARNING_SHARE, CRITICAL_SHARE = 0.70, 0.90
LIMIT_DASH = "┄"
# Bits of the braille block (Unicode chapter 21): n dots of the left and right column, from below and from above.
_UP = ((0x00, 0x40, 0x44, 0x46, 0x47), (0x00, 0x80, 0xA0, 0xB0, 0xB8))
_DOWN = ((0x00, 0x01, 0x03, 0x07, 0x47), (0x00, 0x08, 0x18, 0x38, 0xB8))


_GLYPHS = tuple(" " if not bits else chr(0x2800 + bits) for bits in range(256))


class Run(NamedTuple):
    """Neighbouring cells of one role."""

    text: str
    role: Role


def nice_ceiling(value: float, *, binary: bool = False) -> float:
    """The next round number: 1, 2, 5 times a power of ten, or a power of two of bytes."""
    if value <= 0:
        return 1.0
    if binary:
        return float(2.0 ** math.ceil(math.log2(value)))
    power = 10.0 ** math.floor(math.log10(value))
    for step in (1.0, 2.0, 5.0, 10.0):
        if value <= step * power * 1.000001:
            return step * power
    return 10.0 * power


def to_columns(values: Sequence[float], columns: int) -> list[float]:
    """Fit a series to a number of dot columns: the maximum of each bucket (peaks never vanish), or stretched.

    What is not known comes out as -1: no value here is negative, and NaN would spoil every comparison.
    """
    count = len(values)
    known = [value if value == value else -1.0 for value in values]
    if count == columns:
        return known
    if count == 0 or columns <= 0:
        return [-1.0] * max(columns, 0)
    if count < columns:
        return [known[index * count // columns] for index in range(columns)]
    edges = [index * count // columns for index in range(columns + 1)]
    return [max(known[start:end]) for start, end in pairwise(edges)]


def role_spans(columns: Sequence[float], role: Role, limit: float | None) -> list[tuple[int, int, Role]]:
    """(first cell, end, role) along the row: the graph's own role, or warning and error near the limit."""
    cells = len(columns) // 2
    if not limit:
        return [(0, cells, role)]
    spans: list[tuple[int, int, Role]] = []
    for cell in range(cells):
        share = max(columns[2 * cell], columns[2 * cell + 1]) / limit
        here: Role = "error" if share >= CRITICAL_SHARE else "warning" if share >= WARNING_SHARE else role
        if spans and spans[-1][2] == here:
            spans[-1] = (spans[-1][0], cell + 1, here)
        else:
            spans.append((cell, cell + 1, here))
    return spans


def area_rows(
    columns: Sequence[float], height: int, top: float, role: Role, *, limit: float | None, down: bool = False
) -> list[list[Run]]:
    """`height` rows from top to bottom for two values a cell; -1 draws nothing, any known value at least a dot."""
    full = height * 4
    scale = full / top
    dots = [0 if value < 0 else min(full, int(value * scale + 0.5) or 1) for value in columns]
    left, right = dots[0::2], dots[1::2]
    spans = role_spans(columns, role, limit)
    rows = []
    for row in range(height):
        below = (row if down else height - 1 - row) * 4
        left_glyphs, right_glyphs = _glyph_bits(below, full, down)
        line = "".join(
            [_GLYPHS[left_glyphs[one] | right_glyphs[other]] for one, other in zip(left, right, strict=True)]
        )
        if line.isspace():
            rows.append([Run(line, role)])
        else:
            rows.append([Run(line[start:end], here) for start, end, here in spans])
    return rows


@lru_cache(maxsize=256)
def _glyph_bits(below: int, full: int, down: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """For each number of dots of a column: the bits that fall into the cell which starts `below` dots up (or down)."""
    left, right = _DOWN if down else _UP
    parts = [min(4, max(0, dots - below)) for dots in range(full + 1)]
    return tuple(left[part] for part in parts), tuple(right[part] for part in parts)


def overlay(runs: Sequence[Run], text: str, start: int, role: Role) -> list[Run]:
    """Write text over a row where the row is empty; what is drawn there stays in front."""
    flat: list[tuple[str, Role]] = [(glyph, run.role) for run in runs for glyph in run.text]
    for offset, glyph in enumerate(text):
        place = start + offset
        if 0 <= place < len(flat) and flat[place][0] == " ":
            flat[place] = (glyph, role)
    merged: list[Run] = []
    for glyph, glyph_role in flat:
        if merged and (merged[-1].role == glyph_role or glyph == " "):
            merged[-1] = Run(merged[-1].text + glyph, merged[-1].role)
        else:
            merged.append(Run(glyph, glyph_role))
    return merged
