"""Text from outside made safe to draw: one line, no control characters, cut to a width in cells."""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
# Sequences that programs write to colour or move: CSI, OSC (to BEL or ST), and two-byte escapes.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])"
)
ELLIPSIS = "…"


def plain(text: str) -> str:
    """One line without escape sequences, control, zero-width or direction-changing characters (CVE-2021-42574)."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub("", _ESCAPES.sub("", text.replace("\t", " ").replace("\n", " ")))


def elide_middle(text: str, width: int) -> str:
    """At most `width` cells, an ellipsis in the middle: both ends of a name tell things apart."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return ELLIPSIS[: max(0, width)]
    head = (width - 1 + 1) // 2
    tail = width - 1 - head
    start = set_cell_size(text, head).rstrip() if not text.isascii() else text[:head]
    end = text[-tail:] if tail else ""
    while cell_len(end) > tail:
        end = end[1:]
    return f"{start}{ELLIPSIS}{end}"


def elide_end(text: str, width: int) -> str:
    """At most `width` cells, an ellipsis at the end."""
    if cell_len(text) <= width:
        return text
    if width <= 1:
        return ELLIPSIS[: max(0, width)]
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS
