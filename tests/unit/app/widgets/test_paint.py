"""Columns, sparklines, braille and log lines: the pure parts of the widgets."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.presentation.cells import Column
from app.presentation.rows import CONTAINER_COLUMNS
from app.widgets.chart_paint import Run, area_rows, nice_ceiling, overlay, role_spans, to_columns
from app.widgets.find import Prompt, compile_pattern
from app.widgets.logline import Entry
from app.widgets.sparkline import sparkline
from app.widgets.table_layout import place_columns


@given(st.integers(4, 300))
def test_columns_never_leave_the_row(width: int) -> None:
    placed = place_columns(CONTAINER_COLUMNS, {"name": 40, "image": 60, "ports": 12}, width)
    assert placed[-1].x + placed[-1].width <= width
    for left, right in itertools.pairwise(placed):
        assert left.x + left.width < right.x


def test_columns_drop_in_order_of_priority() -> None:
    names = [{place.column.key for place in place_columns(CONTAINER_COLUMNS, {}, width)} for width in (160, 78, 42)]
    assert names[0] == {column.key for column in CONTAINER_COLUMNS}
    assert "image" not in names[1]
    assert {"cpu", "memory", "state", "name"} <= names[1]
    assert {"glyph", "name", "trend", "cpu"} <= names[2]
    assert not names[2] & {"net", "ports", "image", "block"}


def test_a_flexible_column_grows_to_its_content_and_not_further() -> None:
    columns = (Column("a", "a", 5, flex=1), Column("b", "b", 5))
    placed = place_columns(columns, {"a": 9}, 100)
    assert [place.width for place in placed] == [9, 5]


def test_sparkline_scales_and_keeps_gaps() -> None:
    assert sparkline((0.0, 50.0, 100.0), 3, 100.0) == "▁▅█"
    assert sparkline((math.nan, 1.0), 4, 1.0) == "   █"
    assert sparkline((), 3) == "   "


@pytest.mark.parametrize(("value", "top"), [(0, 1), (3, 5), (7, 10), (10, 10), (1200, 2000)])
def test_the_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert nice_ceiling(value) == top


def test_peaks_survive_when_a_series_is_squeezed() -> None:
    series = [0.0] * 900
    series[450] = 100.0
    assert max(to_columns(series, 40)) == 100.0


def test_an_area_stands_on_the_ground_and_hangs_from_the_middle() -> None:
    up = area_rows([4.0, 4.0, 0.0, -1.0], 2, 8.0, "primary", limit=None)
    assert ["".join(run.text for run in row) for row in up] == ["  ", "⣿⡀"]
    down = area_rows([4.0, 8.0], 2, 8.0, "primary", limit=None, down=True)
    assert ["".join(run.text for run in row) for row in down] == ["⣿", "⢸"]


def test_columns_near_the_limit_change_their_role() -> None:
    spans = role_spans([10, 10, 75, 10, 95, 10], "primary", 100.0)
    assert spans == [(0, 1, "primary"), (1, 2, "warning"), (2, 3, "error")]


def test_unknown_values_are_no_values() -> None:
    assert to_columns([math.nan, 1.0, math.nan, 2.0], 2) == [1.0, 2.0]
    assert to_columns([math.nan, math.nan, 1.0, 2.0], 2) == [-1.0, 2.0]


def test_overlay_writes_behind_what_is_drawn() -> None:
    assert overlay([Run("⣿  ", "primary")], "abc", 0, "muted") == [Run("⣿", "primary"), Run("bc", "muted")]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain\n", "plain"),
        ("\x1b[1;31mred\x1b[0m end\n", "red end"),
        ("10%\r50%\r100%\n", "100%"),
        ("a\x1b[2Jb\x1b[10;10Hc\n", "abc"),
        ("\x1b]0;title\x07shown\n", "shown"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\\n", "link"),
        ("\x1bPq#0sixel\x1b\\after\n", "after"),
        ("tab\tstop\n", "tab     stop"),
        ("\x1b[?25l\x1b(Bx\n", "x"),
        ("[bold]markup[/bold]\n", "[bold]markup[/bold]"),
        ("rtl\u202eevil\n", "rtlevil"),
    ],
)
def test_a_log_line_keeps_its_text_and_only_its_colours(raw: str, shown: str) -> None:
    entry = Entry(0, 0, "stdout", raw)
    assert entry.plain == shown
    assert all(span.style.link is None for span in entry.spans if not isinstance(span.style, str))


@given(st.text())
def test_no_log_line_reaches_the_terminal_with_control_characters(raw: str) -> None:
    entry = Entry(0, 0, "stdout", raw)
    assert not any(ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0 for sign in entry.plain)


@given(st.text(st.characters(categories=["L", "N"]), max_size=80), st.integers(2, 20))
def test_wrapped_pieces_make_the_line(text: str, width: int) -> None:
    entry = Entry(0, 0, "stdout", text + "\n")
    assert "".join(entry.plain[start:end] for start, end in entry.pieces(width)) == entry.plain


def test_a_pattern_is_literal_when_it_is_no_expression() -> None:
    assert compile_pattern("a[").search("xA[y")
    assert compile_pattern("err(or)?").search("ERROR")
    assert not compile_pattern("Err").search("error")


def test_prompt_takes_letters_and_ends() -> None:
    prompt = Prompt("/")
    assert [prompt.key(letter, letter) for letter in "ab"] == ["open", "open"]
    assert prompt.key("backspace", None) == "open"
    assert prompt.text == "a"
    assert prompt.key("enter", "\r") == "submit"
    assert prompt.key("escape", "\x1b") == "cancel"
