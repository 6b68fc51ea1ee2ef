"""The terminal core on bittty, in pure Python: for machines that have no build of libghostty-vt (musl).

bittty hands out the rows that scroll off; they are kept here. Lines of the scrollback keep the width they had. A
program can make the parser raise; the rest of that chunk is then dropped, the terminal lives on.
"""

from __future__ import annotations

import logging
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from .cells import fit_cluster
from .emulator import DEFAULT_SCROLLBACK_BYTES, Cursor, Modes

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger(__name__)
_BYTES_PER_CELL = 8
_MOUSE_MODES = (1003, 1002, 1000, 9)


class BittEmulator:
    """See `Emulator`. Raises ImportError without bittty."""

    keeps_scrollback = True
    """Asked by the core: whether rows that scroll off are wanted."""

    def __init__(self, rows: int, columns: int, *, scrollback_bytes: int = DEFAULT_SCROLLBACK_BYTES) -> None:
        from bittty import Board  # type: ignore[import-untyped]

        self._board: Any = Board(width=max(1, columns), height=max(1, rows))
        self._cable = _Cable()
        self._board.host.attach(self._cable)
        self._board.title.title = ""
        self._board.attach_display(self)
        # A core in Python pays a tuple per cell; the bound in bytes is kept in spirit, at the width of the start.
        self._history: deque[tuple[Any, ...]] = deque(
            maxlen=max(100, scrollback_bytes // (_BYTES_PER_CELL * max(1, columns)))
        )
        self._dropped = 0
        self._pinned: int | None = None
        self._seen = 0
        self._page: Any = None
        self._shown: list[Strip] = []
        self._cursor = Cursor(0, 0, True)

    @property
    def rows(self) -> int:
        return int(self._board.height)

    @property
    def columns(self) -> int:
        return int(self._board.width)

    def feed(self, data: bytes) -> None:
        try:
            self._board.feed_host_data(data)
        except Exception:
            # The parser's own failures on odd input; nothing outside it runs in this call.
            _log.debug("terminal core failed on output", exc_info=True)

    def take_replies(self) -> bytes:
        replies = bytes(self._cable.sent)
        self._cable.sent.clear()
        return replies

    def resize(self, rows: int, columns: int) -> None:
        self._board.resize(max(1, columns), max(1, rows))
        self._shown = []

    def refresh(self) -> Sequence[int]:
        first, above = self.first, self.scrollback
        shown = [self._strip(number, above) for number in range(first, first + self.rows)]
        full = len(self._shown) != len(shown)
        changed = [row for row, strip in enumerate(shown) if full or strip != self._shown[row]]
        self._shown = shown
        cursor = self._board.cursor
        row = cursor.y + above - first
        if 0 <= row < self.rows:
            shape: Any = cursor.shape if cursor.shape in ("block", "bar", "underline") else "block"
            visible = bool(self._board.modes.cursor_visible)
            self._cursor = Cursor(row, min(cursor.x, self.columns - 1), visible, shape)
        else:
            self._cursor = Cursor(-1, -1, False)
        return changed

    def line(self, row: int) -> Strip:
        return self._shown[row] if 0 <= row < len(self._shown) else Strip.blank(self.columns)

    def scroll_to(self, first: int | None) -> None:
        above = self.scrollback
        self._pinned = None if first is None or first >= above else max(0, first) + self._dropped

    @property
    def first(self) -> int:
        above = self.scrollback
        return above if self._pinned is None else min(above, max(0, self._pinned - self._dropped))

    @property
    def scrollback(self) -> int:
        return 0 if self._board.blitter.in_alt_screen else len(self._history)

    @property
    def cursor(self) -> Cursor:
        return self._cursor

    @property
    def title(self) -> str:
        return str(self._board.title.title or "")

    @property
    def modes(self) -> Modes:
        mouse = next((mode for mode in _MOUSE_MODES if self._mode(mode)), 0)
        return Modes(
            alternate_screen=bool(self._board.blitter.in_alt_screen),
            application_cursor=self._mode(1),
            application_keypad=bool(self._board.modes.application_keypad),
            bracketed_paste=self._mode(2004),
            focus_events=self._mode(1004),
            alternate_scroll=self._mode(1007),
            mouse=mouse,
            mouse_sgr=bool(mouse) and self._mode(1006),
            kitty_flags=int(self._board.keyboard.kitty_flags),
        )

    def text(self, first: int, last: int) -> list[str]:
        above = self.scrollback
        last = min(last, above + self.rows - 1)
        return ["".join(text for _, text in self._row(number, above)).rstrip() for number in range(first, last + 1)]

    def close(self) -> None:
        self._history.clear()

    def present(self, event: Any) -> None:
        """Called by the core: rows that leave the screen at its top, and the program's wish to forget them."""
        name = type(event).__name__
        if name == "RowsScrolledOff":
            for line in event.lines:
                if len(self._history) == self._history.maxlen:
                    self._dropped += 1
                self._history.append(line.cells)
        elif name == "ScrollbackCleared":
            self._history.clear()
            self._pinned = None

    def _mode(self, number: int) -> bool:
        return self._board.modes.mode_status(True, number) in (1, 3)

    def _row(self, number: int, above: int) -> Sequence[Any]:
        if number < above:
            return self._history[number]
        row: Sequence[Any] = self._board.blitter.current_page.grid[number - above]
        return row

    def _strip(self, number: int, above: int) -> Strip:
        segments: list[Segment] = []
        text: list[str] = []
        current: Any = None
        row = self._row(number, above)
        for column, (style, glyph) in enumerate(row):
            if style is not current and style != current:
                if text:
                    segments.append(Segment("".join(text), _to_rich(current)))
                    text = []
                current = style
            if glyph == " " or (len(glyph) == 1 and "!" <= glyph <= "~"):
                text.append(glyph)
            elif glyph:
                wide = column + 1 < len(row) and row[column + 1][1] == ""
                text.append(fit_cluster(str(glyph), 2 if wide else 1))
        if text:
            segments.append(Segment("".join(text), _to_rich(current)))
        return Strip(segments).adjust_cell_length(self.columns)


class _Cable:
    """What the core wants to tell the program."""

    closed = False

    def __init__(self) -> None:
        self.sent = bytearray()

    def write(self, data: str) -> int:
        self.sent += data.encode()
        return len(data)

    def write_bytes(self, data: bytes) -> int:
        self.sent += data
        return len(data)

    def flush(self) -> None: ...

    def configure_line(self, line: object) -> None: ...

    def resize(self, rows: int, cols: int) -> None: ...

    def close(self) -> None: ...


@lru_cache(maxsize=4096)
def _to_rich(style: Any) -> Style:
    return Style(
        color=_color(style.fg),
        bgcolor=_color(style.bg),
        bold=style.bold or None,
        italic=style.italic or None,
        dim=style.dim or None,
        reverse=style.reverse or None,
        conceal=style.conceal or None,
        strike=style.strike or None,
        overline=style.overline or None,
        underline=(style.underline and style.underline_style != "double") or None,
        underline2=(style.underline and style.underline_style == "double") or None,
    )


def _color(color: Any) -> Color | None:
    if color is None or color.mode == "default":
        return None
    if color.mode == "indexed":
        return Color.from_ansi(color.value)
    return Color.from_triplet(ColorTriplet(*color.value))
