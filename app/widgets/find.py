"""Searching in a pane: the one-row prompt that a pane draws over its last line, and the pattern typed into it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from ..presentation.text import plain

if TYPE_CHECKING:
    from .roles import Palette

Outcome = Literal["open", "submit", "cancel"]


def compile_pattern(text: str) -> re.Pattern[str]:
    """A regular expression, or the literal text when it is not a valid one; upper case makes it case-sensitive."""
    flags = 0 if any(letter.isupper() for letter in text) else re.IGNORECASE
    try:
        return re.compile(text, flags)
    except re.error:
        return re.compile(re.escape(text), flags)


class Prompt:
    """A line of input. Give it keys until it says submit or cancel."""

    def __init__(self, label: str, text: str = "") -> None:
        self.label = label
        self.text = text

    def key(self, key: str, character: str | None) -> Outcome:
        """Take a key by Textual's name."""
        if key == "enter":
            return "submit"
        if key in ("escape", "ctrl+c", "ctrl+g") or (key == "backspace" and not self.text):
            return "cancel"
        if key == "backspace":
            self.text = self.text[:-1]
        elif key == "ctrl+u":
            self.text = ""
        elif key == "ctrl+w":
            self.text = self.text.rstrip().rpartition(" ")[0]
        elif character and character.isprintable():
            self.text += character
        return "open"

    def paste(self, text: str) -> None:
        """Pasted text, on one line."""
        self.text += plain(text)

    def render(self, width: int, palette: Palette) -> Strip:
        """The row to draw."""
        base = palette.base + palette.line("marked")
        shown = self.text
        while shown and cell_len(self.label) + cell_len(shown) + 1 > width:
            shown = shown[1:]
        return Strip(
            [
                Segment(self.label, base + palette.text("accent") + Style(bold=True)),
                Segment(shown, base),
                Segment(" ", base + Style(reverse=True)),
            ]
        ).adjust_cell_length(width, base)


def restyle(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """The strip with cells [start, end) laid over with a style."""
    length = strip.cell_length
    start, end = max(0, start), min(end, length)
    if start >= end:
        return strip
    parts = [strip.crop(0, start), _overlay(strip.crop(start, end), style), strip.crop(end, length)]
    return Strip([segment for part in parts for segment in part], length)


def _overlay(strip: Strip, style: Style) -> Strip:
    return Strip([Segment(text, (own or Style.null()) + style, control) for text, own, control in strip])
