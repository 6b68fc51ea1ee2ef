"""One to four panes side by side or two by two."""

from __future__ import annotations

from textual.containers import Container
from textual.message import Message
from textual.widget import Widget  # noqa: TC002


class TileArea(Container):
    """Holds tiles; zoom shows one alone."""

    LIMIT = 4

    class Changed(Message):
        """Tiles were added, removed or zoomed."""

        def __init__(self, area: TileArea) -> None:
            super().__init__()
            self.area = area

    @property
    def tiles(self) -> list[Widget]:
        """The tiles in reading order."""
        return []

    @property
    def zoomed(self) -> Widget | None:
        return None

    async def add(self, tile: Widget, *, focus: bool = True) -> bool:
        """Add a tile; False when there are already four."""
        return False

    async def remove_tile(self, tile: Widget) -> None:
        """Take a tile out and focus its neighbour."""

    def zoom(self, tile: Widget | None) -> None:
        """Show one alone, None: all again."""

    def focus_next_tile(self, step: int = 1) -> None:
        """Move the focus round the tiles."""

    def resize_tile(self, columns: int, rows: int) -> None:
        """Grow (or shrink) the focused tile's column and row by some weight steps."""
