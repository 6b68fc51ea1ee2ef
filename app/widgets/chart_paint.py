"""Values as rows of braille dots: two columns and four rows of dots in a cell. Pure.

One series is an area standing on the bottom; two are mirrored round a middle line, the first upwards, the second
hanging down, so that both are read without crossing each other.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..presentation.cells import Role

WARNING_SHARE, CRITICAL_SHARE = 0.70, 0.90
LIMIT_DASH = "┄"
_BRAILLE = 0x2800
# Bits of the braille block (Unicode chapter 21): n dots of the left and right column, from below and from above.
_UP = ((0x00, 0x40, 0x44, 0x46, 0x47), (0x00, 0x80, 0xA0, 0xB0, 0xB8))
_DOWN = ((0x00, 0x01, 0x03, 0x07, 0x47), (0x00, 0x08, 0x18, 0x38, 0xB8))


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
    """Fit a series to a number of dot columns: the maximum of each bucket (peaks never vanish), or stretched."""
    count = len(values)
    if count == columns:
        return list(values)
    if count == 0 or columns <= 0:
        return [math.nan] * max(columns, 0)
    if count < columns:
        return [values[index * count // columns] for index in range(columns)]
    result = []
    for index in range(columns):
        bucket = values[index * count // columns : (index + 1) * count // columns]
        known = [value for value in bucket if value == value]
        result.append(max(known) if known else math.nan)
    return result


def column_roles(columns: Sequence[float], role: Role, limit: float | None) -> list[Role]:
    """Role of each cell: its own, or warning and error near the limit."""
    roles: list[Role] = []
    for index in range(0, len(columns) - 1, 2):
        peak = max((value for value in columns[index : index + 2] if value == value), default=0.0)
        share = peak / limit if limit else 0.0
        roles.append("error" if share >= CRITICAL_SHARE else "warning" if share >= WARNING_SHARE else role)
    return roles


def area_rows(
    columns: Sequence[float], height: int, top: float, role: Role, *, limit: float | None, down: bool = False
) -> list[list[Run]]:
    """`height` rows from top to bottom for two values a cell; NaN draws nothing, any known value at least a dot."""
    dots = []
    full = height * 4
    for value in columns:
        dots.append(0 if value != value else min(full, max(1, round(value / top * full))))
    roles = column_roles(columns, role, limit)
    left_bits, right_bits = _DOWN if down else _UP
    rows = []
    for row in range(height):
        below = (row if down else height - 1 - row) * 4
        runs: list[Run] = []
        text, current = "", role
        for cell, cell_role in enumerate(roles):
            left, right = dots[2 * cell] - below, dots[2 * cell + 1] - below
            bits = left_bits[min(4, max(0, left))] | right_bits[min(4, max(0, right))]
            glyph = chr(_BRAILLE + bits) if bits else " "
            if bits and cell_role != current:
                if text:
                    runs.append(Run(text, current))
                text, current = "", cell_role
            text += glyph
        if text:
            runs.append(Run(text, current))
        rows.append(runs)
    return rows


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
