"""Screens as pictures: SVG from Textual, PNG by rsvg-convert, with every cell where a terminal puts it.

rsvg-convert honours neither `textLength` nor leading spaces, and takes glyphs that the font lacks from fonts of
another width; so each text is cut into pieces that are placed one by one.
"""

from __future__ import annotations

import html
import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TEXT = re.compile(r'<text class="([^"]+)" x="([\d.]+)" y="([\d.]+)" textLength="([\d.]+)"([^>]*)>([^<]*)</text>')
_CELL = 12.2
_FONT_SIZE = 20.25
"""DejaVu Sans Mono is 0.602 em wide: at this size a cell is as wide as in the SVG."""


def place_cells(svg: str) -> str:
    """The SVG with text in pieces that need neither `textLength` nor preserved spaces."""
    svg = svg.replace("Fira Code, monospace", "DejaVu Sans Mono, monospace")
    svg = svg.replace("font-size: 20px", f"font-size: {_FONT_SIZE}px")
    return _TEXT.sub(_pieces, svg)


def write_pictures(svg: str, path: Path) -> None:
    """Write `path`.svg and `path`.png."""
    svg_path = path.with_suffix(".svg")
    svg_path.write_text(svg, encoding="utf-8")
    placed = place_cells(svg)
    subprocess.run(
        ["rsvg-convert", "--output", str(path.with_suffix(".png"))], input=placed.encode(), check=True, timeout=60
    )


def _pieces(match: re.Match[str]) -> str:
    css, x, y, length, rest, text = match.groups()
    content = html.unescape(text)
    if not content.strip():
        return ""
    width = float(length) / max(1, len(content))
    wide = abs(width - _CELL) > 0.1
    result = []
    for piece in re.finditer(r"[!-~]+|[^\x00-\x20\xa0!-~]", content) if not wide else re.finditer(r"\S+", content):
        start = float(x) + piece.start() * width
        escaped = html.escape(piece.group(), quote=False)
        result.append(f'<text class="{css}" x="{start:.1f}" y="{y}"{rest}>{escaped}</text>')
    return "".join(result)
