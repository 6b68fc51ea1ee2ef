"""The terminal core on libghostty-vt: native parsing (which releases the GIL), scrollback, reflow.

The scrollback is bounded by bytes: bounding it by lines makes the library twenty times slower. It parses hostile
output, so it belongs in the process of the person who looks, never in one that supervises containers.
"""

from __future__ import annotations

import ctypes
from ctypes import byref, c_bool, c_int, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any

from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from . import ghostty_abi as abi
from .cells import fit_cluster
from .emulator import DEFAULT_SCROLLBACK_BYTES, Cursor, Modes

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHAPES = ("bar", "block", "underline", "hollow")
_NULL_STYLE = Style.null()
_MOUSE_MODES = (1003, 1002, 1000, 9)
_styles: dict[bytes, Style] = {}


class GhosttyEmulator:
    """See `Emulator`. Raises `abi.Unavailable` where the library is missing or another one."""

    def __init__(self, rows: int, columns: int, *, scrollback_bytes: int = DEFAULT_SCROLLBACK_BYTES) -> None:
        self._lib = abi.load()
        self._rows, self._columns = max(1, rows), max(1, columns)
        self._replies = bytearray()
        self._terminal, self._state = c_void_p(), c_void_p()
        self._iterator, self._cells = c_void_p(), c_void_p()
        self._check(self._lib.ghostty_terminal_new(None, byref(self._terminal), self._columns, self._rows))
        self._check(self._lib.ghostty_render_state_new(None, byref(self._state)))
        self._check(self._lib.ghostty_render_state_row_iterator_new(None, byref(self._iterator)))
        self._check(self._lib.ghostty_render_state_row_cells_new(None, byref(self._cells)))
        self._set(abi.OPT_SCROLLBACK_MAX_LINES, c_size_t(1 << 40))
        self._set(abi.OPT_SCROLLBACK_MAX_BYTES, c_size_t(scrollback_bytes))
        # Pictures cannot be shown in cells; without this a program could make the process hold 320 MB of them.
        self._set(abi.OPT_KITTY_IMAGE_STORAGE_LIMIT, c_uint64(0))
        # The library keeps the pointer: the callback must live as long as the terminal.
        self._on_reply = abi.WRITE_PTY(self._keep_reply)
        self._check(
            self._lib.ghostty_terminal_set(self._terminal, abi.OPT_WRITE_PTY, ctypes.cast(self._on_reply, c_void_p))
        )
        self._lines: list[Strip] = []
        self._blank = Strip.blank(self._columns)
        self._cursor = Cursor(0, 0, True)

    @property
    def rows(self) -> int:
        return self._rows

    @property
    def columns(self) -> int:
        return self._columns

    def feed(self, data: bytes) -> None:
        self._lib.ghostty_terminal_vt_write(self._terminal, data, len(data))

    def take_replies(self) -> bytes:
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def resize(self, rows: int, columns: int) -> None:
        self._rows, self._columns = max(1, rows), max(1, columns)
        self._check(self._lib.ghostty_terminal_resize(self._terminal, self._columns, self._rows, 8, 16))
        self._blank = Strip.blank(self._columns)
        self._lines = []

    def refresh(self) -> Sequence[int]:
        lib, state = self._lib, self._state
        self._check(lib.ghostty_render_state_update(state, self._terminal))
        self._read_cursor()
        full = len(self._lines) != self._rows
        if full:
            self._lines = [self._blank] * self._rows
        dirty = c_int()
        self._check(lib.ghostty_render_state_get(state, abi.RENDER_DIRTY, byref(dirty)))
        if not dirty.value:
            return range(self._rows) if full else ()
        self._check(lib.ghostty_render_state_get(state, abi.RENDER_ROW_ITERATOR, byref(self._iterator)))
        row, changed = c_uint16(), []
        while lib.ghostty_render_state_row_iterator_next_dirty(self._iterator, byref(row)):
            if row.value < self._rows:
                strip = self._read_row()
                if full or strip != self._lines[row.value]:
                    self._lines[row.value] = strip
                    changed.append(row.value)
        self._check(lib.ghostty_render_state_clean(state))
        return range(self._rows) if full else changed

    def line(self, row: int) -> Strip:
        return self._lines[row] if 0 <= row < len(self._lines) else self._blank

    def scroll_to(self, first: int | None) -> None:
        if first is None or first >= self.scrollback:
            target = abi.ScrollViewport(tag=abi.SCROLL_BOTTOM)
        else:
            target = abi.ScrollViewport(tag=abi.SCROLL_ROW, row=max(0, first))
        self._lib.ghostty_terminal_scroll_viewport(self._terminal, target)

    @property
    def first(self) -> int:
        bar = abi.Scrollbar()
        self._get(abi.DATA_SCROLLBAR, bar)
        return int(bar.offset)

    @property
    def scrollback(self) -> int:
        return int(self._get(abi.DATA_SCROLLBACK_ROWS, c_size_t()).value)

    @property
    def cursor(self) -> Cursor:
        return self._cursor

    @property
    def title(self) -> str:
        text = self._get(abi.DATA_TITLE, abi.String())
        return ctypes.string_at(text.text, text.length).decode(errors="replace") if text.length else ""

    @property
    def modes(self) -> Modes:
        mouse = 0
        if self._get(abi.DATA_MOUSE_TRACKING, c_bool()).value:
            mouse = next((mode for mode in _MOUSE_MODES if self._mode(mode)), 0)
        return Modes(
            alternate_screen=self._get(abi.DATA_ACTIVE_SCREEN, c_int()).value == 1,
            application_cursor=self._mode(1),
            application_keypad=self._mode(66),
            bracketed_paste=self._mode(2004),
            focus_events=self._mode(1004),
            alternate_scroll=self._mode(1007),
            mouse=mouse,
            mouse_sgr=bool(mouse) and self._mode(1006),
            kitty_flags=self._get(abi.DATA_KITTY_KEYBOARD_FLAGS, c_uint8()).value,
        )

    def text(self, first: int, last: int) -> list[str]:
        last = min(last, self.scrollback + self._rows - 1)
        count = last - first + 1
        if first < 0 or count <= 0:
            return []
        selection = abi.Selection(size=ctypes.sizeof(abi.Selection))
        selection.start, selection.end = self._ref(first, 0), self._ref(last, self._columns - 1)
        options = abi.FormatOptions(
            size=ctypes.sizeof(abi.FormatOptions), emit=0, unwrap=False, trim=True, selection=ctypes.pointer(selection)
        )
        needed = c_size_t()
        lib = self._lib
        # The first call only asks for the size; it answers "out of space" by design.
        lib.ghostty_terminal_selection_format_buf(self._terminal, options, None, 0, byref(needed))
        buffer = ctypes.create_string_buffer(max(1, needed.value))
        self._check(
            lib.ghostty_terminal_selection_format_buf(self._terminal, options, buffer, len(buffer), byref(needed))
        )
        lines = [line.rstrip() for line in buffer.raw[: needed.value].decode(errors="replace").split("\n")]
        return (lines + [""] * count)[:count]

    def close(self) -> None:
        if self._terminal:
            self._lib.ghostty_render_state_row_cells_free(self._cells)
            self._lib.ghostty_render_state_row_iterator_free(self._iterator)
            self._lib.ghostty_render_state_free(self._state)
            self._lib.ghostty_terminal_free(self._terminal)
            self._terminal = c_void_p()

    def __del__(self) -> None:
        if getattr(self, "_terminal", None):
            self.close()

    def _keep_reply(self, _terminal: int, _userdata: int, data: int, length: int) -> None:
        self._replies += ctypes.string_at(data, length)

    def _read_cursor(self) -> None:
        cursor = abi.RenderCursor(size=ctypes.sizeof(abi.RenderCursor))
        self._check(self._lib.ghostty_render_state_get(self._state, abi.RENDER_CURSOR, byref(cursor)))
        if not cursor.viewport_has_value:
            self._cursor = Cursor(-1, -1, False)
            return
        column = cursor.viewport_x - bool(cursor.wide_tail)
        shape = _SHAPES[cursor.visual_style] if 0 <= cursor.visual_style < len(_SHAPES) else "block"
        self._cursor = Cursor(cursor.viewport_y, column, bool(cursor.visible), shape)  # type: ignore[arg-type]

    def _read_row(self) -> Strip:
        raw = abi.RawCells()
        self._check(self._lib.ghostty_render_state_row_get(self._iterator, abi.ROW_CELLS_RAW, byref(raw)))
        cells = memoryview(ctypes.string_at(raw.cells, raw.count * 8)).cast("Q")
        segments: list[Segment] = []
        styles: dict[int, Style] = {0: _NULL_STYLE}
        text: list[str] = []
        current, selected = 0, False
        for column, cell in enumerate(cells):
            # A style id and a background-only cell together decide the look of a run.
            look = cell >> abi.STYLE_SHIFT & abi.STYLE_MASK
            tag = cell & abi.TAG_MASK
            if tag >= abi.TAG_BG_PALETTE:
                look |= cell << 20 & ~0xFFFFF
            if look != current:
                if look not in styles:
                    if not selected:
                        self._select_cells()
                        selected = True
                    styles[look] = self._style_of(column, cell, tag)
                if text and styles[look] is not styles[current]:
                    segments.append(Segment("".join(text), styles[current]))
                    text = []
                current = look
            wide = cell >> abi.WIDE_SHIFT & 3
            if wide == abi.WIDE_TAIL:
                continue
            code = cell >> abi.CONTENT_SHIFT & abi.CONTENT_MASK
            if tag >= abi.TAG_BG_PALETTE or code == 0:
                text.append(" ")
            elif tag == abi.TAG_GRAPHEME:
                if not selected:
                    self._select_cells()
                    selected = True
                text.append(fit_cluster(self._cluster(column), 2 if wide == abi.WIDE_WIDE else 1))
            elif code < 0x300 and not 0x7F <= code <= 0xAD:
                text.append(chr(code))
            else:
                text.append(fit_cluster(chr(code), 2 if wide == abi.WIDE_WIDE else 1))
        if text:
            segments.append(Segment("".join(text), styles[current]))
        return Strip(segments, len(cells))

    def _select_cells(self) -> None:
        self._check(self._lib.ghostty_render_state_row_get(self._iterator, abi.ROW_CELLS, byref(self._cells)))

    def _style_of(self, column: int, cell: int, tag: int) -> Style:
        style = abi.CellStyle(size=ctypes.sizeof(abi.CellStyle))
        self._check(self._lib.ghostty_render_state_row_cells_select(self._cells, column))
        self._check(self._lib.ghostty_render_state_row_cells_get(self._cells, abi.CELLS_STYLE, byref(style)))
        if tag >= abi.TAG_BG_PALETTE:
            style.bg_color.tag = tag - 1
            style.bg_color.value = cell >> abi.CONTENT_SHIFT & abi.CONTENT_MASK
        key = bytes(style)
        known = _styles.get(key)
        if known is None:
            if len(_styles) > 20_000:
                _styles.clear()
            known = _styles[key] = _to_rich(style)
        return known

    def _cluster(self, column: int) -> str:
        lib = self._lib
        self._check(lib.ghostty_render_state_row_cells_select(self._cells, column))
        length = c_uint32()
        self._check(lib.ghostty_render_state_row_cells_get(self._cells, abi.CELLS_GRAPHEMES_LEN, byref(length)))
        codes = (c_uint32 * max(1, length.value))()
        self._check(lib.ghostty_render_state_row_cells_get(self._cells, abi.CELLS_GRAPHEMES_BUF, codes))
        return "".join(map(chr, codes[: length.value]))

    def _ref(self, line: int, column: int) -> abi.GridRef:
        reference = abi.GridRef(size=ctypes.sizeof(abi.GridRef))
        point = abi.Point(tag=abi.POINT_SCREEN, x=column, y=line)
        self._check(self._lib.ghostty_terminal_grid_ref(self._terminal, point, byref(reference)))
        return reference

    def _mode(self, number: int) -> bool:
        config = abi.ModeConfig(mode=number)
        self._get(abi.DATA_MODE, config)
        return bool(config.value)

    def _get(self, key: int, out: Any) -> Any:
        self._check(self._lib.ghostty_terminal_get(self._terminal, key, byref(out)))
        return out

    def _set(self, option: int, value: c_size_t | c_uint64 | c_bool) -> None:
        self._check(self._lib.ghostty_terminal_set(self._terminal, option, byref(value)))

    @staticmethod
    def _check(result: int) -> None:
        if result:
            raise RuntimeError(f"libghostty-vt returned {result}")


def _to_rich(style: abi.CellStyle) -> Style:
    return Style(
        color=_color(style.fg_color),
        bgcolor=_color(style.bg_color),
        bold=style.bold or None,
        italic=style.italic or None,
        dim=style.faint or None,
        reverse=style.inverse or None,
        conceal=style.invisible or None,
        strike=style.strikethrough or None,
        overline=style.overline or None,
        underline=style.underline == 1 or style.underline > 2 or None,
        underline2=style.underline == 2 or None,
    )


def _color(color: abi.StyleColor) -> Color | None:
    if color.tag == 1:
        return Color.from_ansi(color.value & 0xFF)
    if color.tag == 2:
        value = color.value
        return Color.from_triplet(ColorTriplet(value & 0xFF, value >> 8 & 0xFF, value >> 16 & 0xFF))
    return None
