"""A pull as bars: one per layer with state, bytes and speed, and a total."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widget import Widget

if TYPE_CHECKING:
    from engine.models import PullProgress


class LayerBars(Widget):
    """Feed it every PullProgress; it repaints at most ten times a second."""

    def __init__(self, title: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)

    def advance(self, progress: PullProgress) -> None:
        """Take one progress report."""

    def finish(self, message: str = "", *, failed: bool = False) -> None:
        """The pull ended."""
