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
    from collections.abc import Sequence

    from .roles import Palette

Outcome = Literal["open", "submit", "cancel"]


def compile_pattern(text: str) -> re.Pattern[str]:
    """A regular expression, or the literal text when it is not a valid one; upper case makes it case-sensitive."""
    flags = 0 if any(letter.isupper() for letter in text) else re.IGNORECASE
    try:
        return re.compile(text, flags)
    except re.error:
        return re.compile(re.escape(text), flags)


class Matches:
    """Where a pattern stands in numbered lines, and which of the places is the current one."""

    def __init__(self) -> None:
        self.pattern = ""
        self.spots: list[tuple[int, int, int]] = []
        """(line, start, end) in characters, in order."""
        self.current = -1

    def clear(self) -> None:
        """No search."""
        self.pattern, self.spots, self.current = "", [], -1

    def find(self, pattern: str, lines: Sequence[str]) -> None:
        """Search all lines; the current place stays by its number, as far as there are that many."""
        self.pattern = pattern
        compiled = compile_pattern(pattern)
        self.spots = [
            (number, found.start(), found.end())
            for number, line in enumerate(lines)
            for found in compiled.finditer(line)
            if found.end() > found.start()
        ]
        self.current = min(self.current, len(self.spots) - 1)

    def first_from(self, line: int) -> None:
        """Make the first place at or below a line current, else the last one above it."""
        self.current = next((number for number, spot in enumerate(self.spots) if spot[0] >= line), len(self.spots) - 1)

    def step(self, by: int) -> None:
        """Move on, round the end."""
        if self.spots:
            self.current = (self.current + by) % len(self.spots)

    @property
    def line(self) -> int:
        """Line of the current place; -1 without one."""
        return self.spots[self.current][0] if 0 <= self.current < len(self.spots) else -1

    @property
    def label(self) -> str:
        """ "/pattern 3/17"; "" without a search."""
        return f"/{self.pattern} {self.current + 1}/{len(self.spots)}" if self.pattern else ""


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
