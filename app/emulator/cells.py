"""Text of terminal cells made to fit the cells: what the emulator counts as two cells must be drawn as two.

Cores follow newer Unicode tables than the renderer does (or the other way round); a difference of one cell shifts
the rest of the row.
"""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len


@lru_cache(maxsize=4096)
def fit_cluster(cluster: str, width: int) -> str:
    """The grapheme cluster if the renderer agrees on its width, else its base character, else a stand-in."""
    if cell_len(cluster) == width and cluster.isprintable():
        return cluster
    base = cluster[:1]
    if base and cell_len(cluster) == 0:
        return " " * width
    if base.isprintable() and base:
        length = cell_len(base)
        if length == width:
            return base
        if 0 < length < width:
            return base + " " * (width - length)
    return "�".ljust(width)
