"""What the scrolling line-API widgets share: a palette, the width beside the scrollbar, a scrollbar that keeps up."""

from __future__ import annotations

from typing import ClassVar

from textual.scroll_view import ScrollView

from .roles import ROLE_CLASSES, Palette


class LineView(ScrollView, can_focus=True):
    """Base of widgets that draw their own rows."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    DEFAULT_CSS = "LineView { overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.palette = Palette(self)

    @property
    def line_width(self) -> int:
        """Cells that a row has; `size` counts the scrollbar's as well."""
        return max(0, self.size.width - self.scrollbar_size_vertical)

    def scroll_rows(self, row: int) -> None:
        """Put a row on top, at once."""
        self.scroll_to(y=max(0, row), animate=False, force=True)
        self._place_thumb()

    def reveal(self, row: int, *, above: int = 0) -> None:
        """Scroll as little as needed to have a row in sight; `above` rows of the view are covered by a header."""
        top, rows = self.scroll_offset.y, max(1, self.size.height - above)
        if row < top:
            self.scroll_rows(row)
        elif row >= top + rows:
            self.scroll_rows(row - rows + 1)

    def lines_reflow(self) -> None:
        """The width of rows changed (a resize, or the scrollbar came or went)."""

    def on_resize(self) -> None:
        self.lines_reflow()

    def watch_show_vertical_scrollbar(self) -> None:
        self._place_thumb()
        if self.is_attached:
            self.lines_reflow()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.palette.clear()

    def _place_thumb(self) -> None:
        # A bar that has just appeared has missed the moves before.
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = self.scroll_y
