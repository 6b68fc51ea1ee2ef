"""A table of live rows: sparklines in cells, marks, a cursor that stays on its row. Repaints changed rows only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message
from textual.scroll_view import ScrollView

from ..presentation.cells import Cell, CellValue, Column, Role, Row, Spark

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Cell", "CellValue", "Column", "LiveTable", "Role", "Row", "Spark"]


class LiveTable(ScrollView, can_focus=True):
    """Rows by key. Keys: j k g G pgup pgdn home end, space v * marks, enter activates."""

    class CursorMoved(Message):
        """The cursor is on another row ("" when there is none)."""

        def __init__(self, table: LiveTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

    class Activated(Message):
        """Enter or a double click on a row."""

        def __init__(self, table: LiveTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

    class SortRequested(Message):
        """A click on a column's title."""

        def __init__(self, table: LiveTable, column: str) -> None:
            super().__init__()
            self.table = table
            self.column = column

    class MarksChanged(Message):
        """Other rows are marked."""

        def __init__(self, table: LiveTable, marked: frozenset[str]) -> None:
            super().__init__()
            self.table = table
            self.marked = marked

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        empty: str | Sequence[Cell] = "nothing here",
        show_header: bool = True,
        marks: bool = True,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._columns = tuple(columns)

    cursor_key: str = ""
    marked: frozenset[str] = frozenset()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Other columns; rows stay."""

    def set_rows(self, rows: Sequence[Row]) -> None:
        """The rows in the order to show. Rows equal to what is shown cost nothing."""

    def update_row(self, row: Row) -> None:
        """Replace one row in place; unknown keys are ignored."""

    def set_empty(self, empty: str | Sequence[Cell]) -> None:
        """What to draw without rows: one line, or one Cell per line."""

    def set_sort(self, column: str, reverse: bool) -> None:
        """Show the sort mark; sorting is the caller's."""

    def highlight(self, text: str) -> None:
        """Emphasise this text (case-insensitive) in every cell; "" ends it."""

    def move_cursor_to(self, key: str) -> bool:
        """Put the cursor on a row; False when there is no such row."""
        return False

    def clear_marks(self) -> None:
        """Unmark everything."""
