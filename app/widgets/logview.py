"""Log lines: follow, search, keep-matching filter, wrap, timestamps, selection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from engine.models import LogLine


class LogView(ScrollView, can_focus=True):
    """Ring of lines. Keys: f follow, / search, n N, & filter, t timestamps, w wrap, m marker, C clear."""

    follow: reactive[bool] = reactive(True)
    wrap: reactive[bool] = reactive(False)
    timestamps: reactive[bool] = reactive(False)

    class StateChanged(Message):
        """Follow, search, filter, wrap or timestamps changed; `summary` is for a border subtitle."""

        def __init__(self, view: LogView, summary: str) -> None:
            super().__init__()
            self.view = view
            self.summary = summary

    def __init__(
        self,
        *,
        capacity: int = 10_000,
        load_older: Callable[[int, int], Awaitable[Sequence[LogLine]]] | None = None,
        empty: str = "no output yet",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`load_older(before_ns, count)` is awaited when the top is reached."""
        super().__init__(id=id, classes=classes)

    def append(self, lines: Sequence[LogLine]) -> None:
        """Add lines at the end, in batches."""

    def clear(self) -> None:
        """Forget every line."""

    def marker(self, text: str = "") -> None:
        """Insert a divider line."""

    def search(self, pattern: str) -> int:
        """Highlight a regular expression (literal when it is not one); how many lines match."""
        return 0

    def keep_matching(self, pattern: str) -> None:
        """Show only lines that match; "" ends it."""

    @property
    def summary(self) -> str:
        """State for a border subtitle."""
        return ""
