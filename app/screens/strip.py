"""The one-row list of panels at the top of a narrow screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.message import Message
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual import events


class PanelStrip(Widget):
    """Numbers, names and counts; the panel in sight is emphasised. A click chooses."""

    class Chosen(Message):
        """A panel was clicked."""

        def __init__(self, kind: str) -> None:
            super().__init__()
            self.kind = kind

    def __init__(self, panels: Sequence[tuple[str, str]]) -> None:
        super().__init__(id="strip")
        self._panels = tuple(panels)
        self._counts: Mapping[str, int] = {}
        self._current = ""
        self._spans: list[tuple[int, int, str]] = []

    def show(self, current: str, counts: Mapping[str, int]) -> None:
        """Draw; equal values cost nothing."""
        if (current, counts) != (self._current, self._counts):
            self._current, self._counts = current, dict(counts)
            self.refresh()

    def render(self) -> Content:
        texts = self._texts(self._panels)
        if sum(map(len, texts)) > self.size.width:
            texts = self._texts([(kind, name) for kind, name in self._panels if kind in ("images", "volumes")])
        parts: list[tuple[str, str]] = []
        self._spans = []
        x = 0
        for (kind, _), text in zip(self._panels, texts, strict=True):
            parts.append((text, "bold $text-accent on $accent 18%" if kind == self._current else "$foreground 60%"))
            self._spans.append((x, x + len(text), kind))
            x += len(text)
        return Content.assemble(*parts)

    def _texts(self, counted: Sequence[tuple[str, str]]) -> list[str]:
        """The entries, some of them with their counts: a strip too long would hide its end."""
        kinds = {kind for kind, _ in counted}
        return [
            f" {number} {name} " + (f"{count} " if kind in kinds and (count := self._counts.get(kind, 0)) else "")
            for number, (kind, name) in enumerate(self._panels, 1)
        ]

    def on_click(self, event: events.Click) -> None:
        for start, end, kind in self._spans:
            if start <= event.x < end:
                self.post_message(self.Chosen(kind))
