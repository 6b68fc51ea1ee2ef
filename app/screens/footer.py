"""The footer: the few keys that matter here and now, with labels that follow the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events


class Hint(NamedTuple):
    """A key as people read it, its label, and the action that a click runs."""

    key: str
    label: str
    action: str


class KeyFooter(Widget):
    """At most eight hints; those that do not fit are left out from the end, the last one always stays."""

    LIMIT = 8

    class Pressed(Message):
        """A hint was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self) -> None:
        super().__init__(id="footer")
        self._hints: tuple[Hint, ...] = ()
        self._spans: list[tuple[int, int, str]] = []

    def show(self, hints: Sequence[Hint]) -> None:
        """Draw these; equal ones cost nothing."""
        if tuple(hints) != self._hints:
            self._hints = tuple(hints)[: self.LIMIT]
            self.refresh()

    def render(self) -> Content:
        hints = list(self._hints)
        while len(hints) > 1 and sum(map(_width, hints)) > self.size.width - 1:
            del hints[-2]
        parts: list[tuple[str, str]] = [(" ", "")]
        self._spans = []
        x = 1
        for hint in hints:
            parts += [(hint.key, "bold $text-accent"), (f" {hint.label}  ", "$foreground 60%")]
            self._spans.append((x, x + _width(hint) - 2, hint.action))
            x += _width(hint)
        return Content.assemble(*parts)

    def on_click(self, event: events.Click) -> None:
        for start, end, action in self._spans:
            if start <= event.x < end:
                self.post_message(self.Pressed(action))


def _width(hint: Hint) -> int:
    return cell_len(hint.key) + cell_len(hint.label) + 3
