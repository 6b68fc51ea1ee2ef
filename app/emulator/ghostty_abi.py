"""libghostty-vt by ctypes: the calls and constants that `ghostty` uses, nothing more.

The library comes in the `pyghostty` wheel. Importing that package parses 80 KB of C declarations (a quarter of a
second); declaring the twenty calls by hand costs five milliseconds. Out-parameters are untyped pointers, so the
layout is checked against the library's own description before the first call. Names and numbers are those of
ghostty/vt/*.h as pinned by pyghostty 0.1.3.
"""

from __future__ import annotations

import ctypes
import json
from ctypes import POINTER, Structure, c_bool, c_char_p, c_int, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OPT_WRITE_PTY = 1
OPT_KITTY_IMAGE_STORAGE_LIMIT = 15
OPT_SCROLLBACK_MAX_BYTES = 27
OPT_SCROLLBACK_MAX_LINES = 28

DATA_ACTIVE_SCREEN = 6
DATA_KITTY_KEYBOARD_FLAGS = 8
DATA_SCROLLBAR = 9
DATA_MOUSE_TRACKING = 11
DATA_TITLE = 12
DATA_SCROLLBACK_ROWS = 15
DATA_MODE = 37

RENDER_DIRTY = 3
RENDER_ROW_ITERATOR = 4
RENDER_CURSOR = 18
ROW_CELLS = 3
ROW_CELLS_RAW = 5
CELLS_STYLE = 2
CELLS_GRAPHEMES_LEN = 3
CELLS_GRAPHEMES_BUF = 4

POINT_SCREEN = 2
SCROLL_BOTTOM = 1
SCROLL_ROW = 3

# Bits of a cell, as `ghostty_type_json` publishes them.
TAG_MASK, CONTENT_SHIFT, CONTENT_MASK = 3, 2, 0xFFFFFF
STYLE_SHIFT, STYLE_MASK, WIDE_SHIFT = 26, 0xFFFF, 42
TAG_GRAPHEME, TAG_BG_PALETTE, TAG_BG_RGB = 1, 2, 3
WIDE_WIDE, WIDE_TAIL = 1, 2


class Point(Structure):
    """GhosttyPoint; its union is written out as its only arm, since ctypes cannot pass unions by value."""

    _fields_ = [("tag", c_int), ("_gap", c_int), ("x", c_uint16), ("y", c_uint32), ("_padding", c_uint64)]


class ScrollViewport(Structure):
    """GhosttyTerminalScrollViewport, by the arm `row`."""

    _fields_ = [("tag", c_int), ("row", c_size_t), ("_padding", c_uint64)]


class GridRef(Structure):
    _fields_ = [("size", c_size_t), ("node", c_void_p), ("x", c_uint16), ("y", c_uint16)]


class Selection(Structure):
    _fields_ = [("size", c_size_t), ("start", GridRef), ("end", GridRef), ("rectangle", c_bool)]


class FormatOptions(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("emit", c_int),
        ("unwrap", c_bool),
        ("trim", c_bool),
        ("selection", POINTER(Selection)),
    ]


class RenderCursor(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("viewport_has_value", c_bool),
        ("viewport_x", c_uint16),
        ("viewport_y", c_uint16),
        ("wide_tail", c_bool),
        ("visible", c_bool),
        ("blinking", c_bool),
        ("password_input", c_bool),
        ("visual_style", c_int),
    ]


class StyleColor(Structure):
    """`value`: palette index in the lowest byte, or r, g, b in the lowest three."""

    _fields_ = [("tag", c_int), ("value", c_uint64)]


class CellStyle(Structure):
    _fields_ = [
        ("size", c_size_t),
        ("fg_color", StyleColor),
        ("bg_color", StyleColor),
        ("underline_color", StyleColor),
        ("bold", c_bool),
        ("italic", c_bool),
        ("faint", c_bool),
        ("blink", c_bool),
        ("inverse", c_bool),
        ("invisible", c_bool),
        ("strikethrough", c_bool),
        ("overline", c_bool),
        ("underline", c_int),
    ]


class RawCells(Structure):
    _fields_ = [("cells", c_void_p), ("count", c_size_t)]


class String(Structure):
    _fields_ = [("text", c_void_p), ("length", c_size_t)]


class Scrollbar(Structure):
    _fields_ = [("total", c_uint64), ("offset", c_uint64), ("length", c_uint64)]


class ModeConfig(Structure):
    _fields_ = [("mode", c_uint16), ("value", c_bool)]


WRITE_PTY = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_void_p, c_size_t)

_PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "ghostty_type_json": (c_char_p, ()),
    "ghostty_terminal_new": (c_int, (c_void_p, POINTER(c_void_p), c_uint16, c_uint16)),
    "ghostty_terminal_free": (None, (c_void_p,)),
    "ghostty_terminal_resize": (c_int, (c_void_p, c_uint16, c_uint16, c_uint32, c_uint32)),
    "ghostty_terminal_set": (c_int, (c_void_p, c_int, c_void_p)),
    "ghostty_terminal_get": (c_int, (c_void_p, c_int, c_void_p)),
    "ghostty_terminal_vt_write": (None, (c_void_p, c_char_p, c_size_t)),
    "ghostty_terminal_scroll_viewport": (None, (c_void_p, ScrollViewport)),
    "ghostty_terminal_grid_ref": (c_int, (c_void_p, Point, POINTER(GridRef))),
    "ghostty_terminal_selection_format_buf": (
        c_int,
        (c_void_p, FormatOptions, c_void_p, c_size_t, POINTER(c_size_t)),
    ),
    "ghostty_render_state_new": (c_int, (c_void_p, POINTER(c_void_p))),
    "ghostty_render_state_free": (None, (c_void_p,)),
    "ghostty_render_state_update": (c_int, (c_void_p, c_void_p)),
    "ghostty_render_state_clean": (c_int, (c_void_p,)),
    "ghostty_render_state_get": (c_int, (c_void_p, c_int, c_void_p)),
    "ghostty_render_state_row_iterator_new": (c_int, (c_void_p, POINTER(c_void_p))),
    "ghostty_render_state_row_iterator_free": (None, (c_void_p,)),
    "ghostty_render_state_row_iterator_next_dirty": (c_bool, (c_void_p, POINTER(c_uint16))),
    "ghostty_render_state_row_get": (c_int, (c_void_p, c_int, c_void_p)),
    "ghostty_render_state_row_cells_new": (c_int, (c_void_p, POINTER(c_void_p))),
    "ghostty_render_state_row_cells_free": (None, (c_void_p,)),
    "ghostty_render_state_row_cells_select": (c_int, (c_void_p, c_uint16)),
    "ghostty_render_state_row_cells_get": (c_int, (c_void_p, c_int, c_void_p)),
}

_SIZES = {
    "GhosttyPoint": Point,
    "GhosttyTerminalScrollViewport": ScrollViewport,
    "GhosttyGridRef": GridRef,
    "GhosttySelection": Selection,
    "GhosttyTerminalSelectionFormatOptions": FormatOptions,
    "GhosttyRenderStateCursor": RenderCursor,
    "GhosttyStyle": CellStyle,
    "GhosttyStyleColor": StyleColor,
}
_CELL_BITS = {"content_tag": (0, 2), "content": (2, 24), "style_id": (26, 16), "wide": (42, 2)}

_library: ctypes.CDLL | None = None


class Unavailable(Exception):
    """libghostty-vt is not here, or not the one that this code was written for."""


def load() -> ctypes.CDLL:
    """The library with prototypes set, checked; loaded once. Raises Unavailable."""
    global _library
    if _library is None:
        library = _open()
        for name, (result, arguments) in _PROTOTYPES.items():
            try:
                function = getattr(library, name)
            except AttributeError as error:
                raise Unavailable(f"libghostty-vt has no {name}") from error
            function.restype, function.argtypes = result, arguments
        _check_layout(library)
        _library = library
    return _library


def _open() -> ctypes.CDLL:
    # find_spec does not run the package, which is the expensive part.
    spec = find_spec("pyghostty")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("pyghostty is not installed")
    path = Path(spec.submodule_search_locations[0]) / "_lib" / "libghostty-vt.so"
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise Unavailable(f"cannot load {path}: {error}") from error


def _check_layout(library: ctypes.CDLL) -> None:
    types = json.loads(library.ghostty_type_json())["types"]
    bits = types["GhosttyCell"]["bits"]
    for name, (lsb, width) in _CELL_BITS.items():
        if (bits[name]["lsb"], bits[name]["width"]) != (lsb, width):
            raise Unavailable(f"libghostty-vt lays out cells differently: {name}")
    for name, kind in _SIZES.items():
        described = types.get(name, {}).get("size")
        if described is not None and described != ctypes.sizeof(kind):
            raise Unavailable(f"libghostty-vt has another {name}: {described} bytes")
        for field, details in types.get(name, {}).get("fields", {}).items():
            ours = getattr(kind, field, None)
            if ours is not None and "offset" in details and details["offset"] != ours.offset:
                raise Unavailable(f"libghostty-vt has {name}.{field} elsewhere")
