"""A table of live rows: sparklines in cells, marks, a cursor that stays on its row.

Only rows that changed and are in sight are painted again, which is what makes a table of hundreds of rows at 4 Hz
cost a few milliseconds. Sorting and filtering belong to the caller: rows are shown in the order given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import var
from textual.strip import Strip

from ..presentation.cells import Cell, CellValue, Column, Role, Row, Spark
from .lineview import LineView
from .roles import role_css
from .table_layout import Placed, place_columns
from .table_paint import paint_header, paint_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

__all__ = ["Cell", "CellValue", "Column", "LiveTable", "Role", "Row", "Spark"]


class LiveTable(LineView):
    """Rows by key. The cursor and the marks follow keys, not positions."""

    ALLOW_SELECT = False
    DEFAULT_CSS = role_css("LiveTable")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "cursor(1)", "down", show=False, id="table.down"),
        Binding("up,k", "cursor(-1)", "up", show=False, id="table.up"),
        Binding("pagedown,ctrl+d", "page(1)", "page down", show=False, id="table.page-down"),
        Binding("pageup,ctrl+u", "page(-1)", "page up", show=False, id="table.page-up"),
        Binding("home,g", "edge(False)", "top", show=False, id="table.top"),
        Binding("end,G", "edge(True)", "bottom", show=False, id="table.bottom"),
        Binding("enter", "activate", "open", show=False, id="table.open"),
        Binding("space", "mark", "mark", show=False, id="table.mark"),
        Binding("v", "mark_range", "mark range", show=False, id="table.mark-range"),
        Binding("asterisk", "mark_all", "mark all", show=False, id="table.mark-all"),
    ]

    cursor_key: var[str] = var("")
    """Key of the row under the cursor; "" without rows."""
    marked: var[frozenset[str]] = var(frozenset())
    """Keys of the marked rows; they leave when their row does."""

    class CursorMoved(Message):
        """The cursor is on another row ("" when there is none)."""

        def __init__(self, table: LiveTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> LiveTable:
            return self.table

    class Activated(CursorMoved):
        """Enter, or a double click, on a row."""

    class SortRequested(Message):
        """A click on a column's title."""

        def __init__(self, table: LiveTable, column: str) -> None:
            super().__init__()
            self.table = table
            self.column = column

        @property
        def control(self) -> LiveTable:
            return self.table

    class MarksChanged(Message):
        """Other rows are marked."""

        def __init__(self, table: LiveTable, marked: frozenset[str]) -> None:
            super().__init__()
            self.table = table
            self.marked = marked

        @property
        def control(self) -> LiveTable:
            return self.table

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
        self._rows: list[Row] = []
        self._index: dict[str, int] = {}
        self._natural: dict[str, int] = {}
        self._placed: tuple[Placed, ...] = ()
        self._placed_for = -1
        self._painted: dict[str, tuple[Row, tuple[bool, bool, bool], Strip]] = {}
        self._empty: tuple[Cell, ...] = ()
        self._needle = ""
        self._sort: tuple[str, bool] = ("", False)
        self._anchor: str | None = None
        self._show_header = show_header
        self._marks = marks
        self.set_empty(empty)

    @property
    def rows(self) -> Sequence[Row]:
        """What is shown, in order."""
        return self._rows

    @property
    def visible_keys(self) -> list[str]:
        """Keys of the rows in sight: what a caller with costly rows needs to keep fresh."""
        top = self.scroll_offset.y
        return [row.key for row in self._rows[top : top + self._page_rows]]

    @property
    def cursor_row(self) -> int:
        """Position of the cursor; -1 without rows."""
        return self._index.get(self.cursor_key, -1)

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Other columns; rows stay."""
        self._columns = tuple(columns)
        self._measure()
        self._relayout()

    def set_rows(self, rows: Sequence[Row]) -> None:
        """The rows in the order to show. A row equal to what stands in its place costs nothing."""
        before, position = self._rows, self.cursor_row
        self._rows = list(rows)
        self._index = {row.key: number for number, row in enumerate(self._rows)}
        self._painted = {key: entry for key, entry in self._painted.items() if key in self._index}
        if self.marked and (left := self.marked & self._index.keys()) != self.marked:
            self._set_marks(frozenset(left))
        if self._measure():
            self._relayout()
        elif len(before) != len(self._rows):
            self.refresh()
        else:
            self._refresh_changed(before)
        if len(before) != len(self._rows):
            self._resize_content()
        if self.cursor_key not in self._index:
            nearest = min(max(position, 0), len(self._rows) - 1)
            self._move_to(nearest, follow=position >= 0)
        elif position >= 0 and self.cursor_row != position:
            self._keep_cursor_in_sight(position)

    def update_row(self, row: Row) -> None:
        """Replace one row in place; an unknown key is ignored."""
        number = self._index.get(row.key)
        if number is not None and self._rows[number] != row:
            self._rows[number] = row
            self._refresh_row(number)

    def set_empty(self, empty: str | Sequence[Cell]) -> None:
        """What to draw without rows: one line of text, or one Cell per line."""
        self._empty = (Cell(empty, "muted"),) if isinstance(empty, str) else tuple(empty)
        if not self._rows and self.is_attached:
            self.refresh()

    def set_sort(self, column: str, reverse: bool = False) -> None:
        """Show the sort mark on a column; sorting is the caller's."""
        if self._sort != (column, reverse):
            self._sort = (column, reverse)
            self.refresh(Region(0, 0, self.line_width, 1))

    def highlight(self, text: str) -> None:
        """Emphasise this text (case-insensitive) wherever it stands; "" ends it."""
        if self._needle != text.lower():
            self._needle = text.lower()
            self._repaint()

    def move_cursor_to(self, key: str) -> bool:
        """Put the cursor on a row and bring it into sight; False when there is no such row."""
        number = self._index.get(key)
        if number is None:
            return False
        self._move_to(number)
        return True

    def clear_marks(self) -> None:
        """Unmark everything."""
        self._anchor = None
        self._set_marks(frozenset())

    def action_cursor(self, step: int) -> None:
        self._move_to(self.cursor_row + step)

    def action_page(self, direction: int) -> None:
        self._move_to(self.cursor_row + direction * max(1, self._page_rows - 1))

    def action_edge(self, bottom: bool) -> None:
        self._move_to(len(self._rows) - 1 if bottom else 0)

    def action_activate(self) -> None:
        if self.cursor_key:
            self.post_message(self.Activated(self, self.cursor_key))

    def action_mark(self) -> None:
        if self._marks and self.cursor_key:
            self._anchor = None
            self._set_marks(self.marked ^ {self.cursor_key})
            self._move_to(self.cursor_row + 1)

    def action_mark_range(self) -> None:
        """The first `v` sets one end, moving marks what lies between, the second `v` ends it."""
        if not self._marks or not self.cursor_key:
            return
        if self._anchor is None:
            self._anchor = self.cursor_key
            self._set_marks(self.marked | {self.cursor_key})
        else:
            self._anchor = None

    def action_mark_all(self) -> None:
        if self._marks:
            everything = frozenset(self._index)
            self._anchor = None
            self._set_marks(frozenset() if self.marked == everything else everything)

    def render_line(self, y: int) -> Strip:
        width = self.line_width
        if self._placed_for != width:
            self._placed = place_columns(self._columns, self._natural, width)
            self._placed_for = width
            self._painted.clear()
        if not self._rows:
            return self._render_empty(y, width)
        if self._show_header and y == 0:
            column, reverse = self._sort
            return paint_header(self._placed, width, self.palette, sort_column=column, reverse=reverse)
        number = self.scroll_offset.y + y - self._show_header
        if not 0 <= number < len(self._rows):
            return Strip.blank(width, self.palette.base)
        row = self._rows[number]
        variant = (row.key == self.cursor_key, self.has_focus, row.key in self.marked)
        painted = self._painted.get(row.key)
        # Rows are compared by identity first: a caller that passes the same objects pays nothing.
        if painted is not None and painted[1] == variant and (painted[0] is row or painted[0] == row):
            return painted[2]
        cursor, focused, marked = variant
        strip = paint_row(
            row,
            self._placed,
            width,
            self.palette,
            cursor=cursor,
            focused=focused,
            marked=marked,
            needle=self._needle,
        )
        self._painted[row.key] = (row, variant, strip)
        return strip

    def _render_empty(self, y: int, width: int) -> Strip:
        base = self.palette.base
        top = max(0, (self.size.height - len(self._empty)) // 2)
        if not 0 <= y - top < len(self._empty):
            return Strip.blank(width, base)
        text, role, bold = self._empty[y - top]
        room = max(0, width - cell_len(text)) // 2
        style = base + self.palette.text(role)
        if bold:
            style += Style(bold=True)
        return Strip([Segment(" " * room, base), Segment(text, style)]).adjust_cell_length(width, base)

    def lines_reflow(self) -> None:
        self._resize_content()
        self._relayout()

    def on_focus(self) -> None:
        self._refresh_row(self.cursor_row)

    def on_blur(self) -> None:
        self._refresh_row(self.cursor_row)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._painted.clear()

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or not self._rows:
            return
        if self._show_header and offset.y == 0:
            for column, x, width in self._placed:
                if x <= offset.x <= x + width and column.sortable:
                    self.post_message(self.SortRequested(self, column.key))
                    break
            return
        number = self.scroll_offset.y + offset.y - self._show_header
        if 0 <= number < len(self._rows):
            self._move_to(number)
            if event.ctrl:
                if self._marks:
                    self._set_marks(self.marked ^ {self.cursor_key})
            elif event.chain == 2:
                self.action_activate()

    @property
    def _page_rows(self) -> int:
        return max(1, self.size.height - self._show_header)

    def _move_to(self, number: int, *, follow: bool = True) -> None:
        if not self._rows:
            if self.cursor_key:
                self.cursor_key = ""
                self.post_message(self.CursorMoved(self, ""))
            return
        number = min(max(number, 0), len(self._rows) - 1)
        before, key = self.cursor_row, self._rows[number].key
        if key != self.cursor_key:
            self.cursor_key = key
            self._refresh_row(before)
            self._refresh_row(number)
            if self._anchor is not None and self._anchor in self._index:
                low, high = sorted((self._index[self._anchor], number))
                self._set_marks(self.marked | {row.key for row in self._rows[low : high + 1]})
            self.post_message(self.CursorMoved(self, key))
        if follow:
            self._reveal(number)

    def _reveal(self, number: int) -> None:
        self.reveal(number, above=int(self._show_header))

    def _keep_cursor_in_sight(self, position: int) -> None:
        """After a re-sort: only when the cursor was in sight before, so that a reader who scrolled away stays."""
        top = self.scroll_offset.y
        if top <= position < top + self._page_rows:
            self._reveal(self.cursor_row)

    def _set_marks(self, marked: frozenset[str]) -> None:
        if marked != self.marked:
            changed = marked ^ self.marked
            self.marked = marked
            for key in changed:
                self._refresh_row(self._index.get(key, -1))
            self.post_message(self.MarksChanged(self, marked))

    def _measure(self) -> bool:
        """Natural widths of the flexible columns; whether any changed."""
        natural = {}
        for column in self._columns:
            if column.flex:
                widest = len(column.title) + 1
                for row in self._rows:
                    value = row.cells.get(column.key, "")
                    text = value if isinstance(value, str) else value.text if isinstance(value, Cell) else ""
                    if len(text) * 2 > widest:
                        widest = max(widest, cell_len(text))
                natural[column.key] = max(column.width, widest)
        changed, self._natural = natural != self._natural, natural
        return changed

    def _relayout(self) -> None:
        self._placed_for = -1
        self._repaint()

    def _repaint(self) -> None:
        self._painted.clear()
        self.refresh()

    def _resize_content(self) -> None:
        height = len(self._rows) + self._show_header if self._rows else 0
        self.virtual_size = Size(self.line_width, height)

    def _refresh_changed(self, before: Sequence[Row]) -> None:
        top = self.scroll_offset.y
        for number in range(top, min(top + self._page_rows, len(self._rows))):
            old, new = before[number], self._rows[number]
            if old is not new and old != new:
                self._refresh_row(number)

    def _refresh_row(self, number: int) -> None:
        y = number - self.scroll_offset.y + self._show_header
        if number >= 0 and self._show_header <= y < self.size.height:
            self.refresh(Region(0, y, self.line_width, 1))
