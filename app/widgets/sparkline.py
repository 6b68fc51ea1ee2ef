"""One-row graphs of eighth blocks."""

from __future__ import annotations

from functools import lru_cache

BLOCKS = "▁▂▃▄▅▆▇█"


@lru_cache(maxsize=2048)
def sparkline(values: tuple[float, ...], width: int, maximum: float | None = None) -> str:
    """The newest `width` values, right-aligned; zero is the lowest block and NaN a space.

    Without a maximum the largest value shown fills the cell, but never less than 1.
    """
    shown = values[-width:]
    top = maximum if maximum else max((value for value in shown if value == value), default=0.0)
    top = max(top, 1.0) if not maximum else top
    marks = []
    for value in shown:
        if value != value:
            marks.append(" ")
        else:
            marks.append(BLOCKS[min(7, max(0, round(value / top * 7)))] if value > 0 else BLOCKS[0])
    return "".join(marks).rjust(width)
