"""Tables, logs, charts, JSON, tiles and lines under a real app with real keys."""

import math
from collections.abc import Callable, Sequence

from textual.app import App, ComposeResult
from textual.content import Content
from textual.widget import Widget

from app.presentation.cells import Cell, Column, Row, Spark
from app.widgets.chart import BrailleChart
from app.widgets.header import HostBar
from app.widgets.inspect import JsonView
from app.widgets.lineview import LineView
from app.widgets.logview import LogView
from app.widgets.progress import LayerBars
from app.widgets.statusline import StatusLine
from app.widgets.table import LiveTable
from app.widgets.tiles import TileArea
from app.widgets.timeline import Timeline
from engine.models import Event, LogLine, Phase, PullProgress

COLUMNS = (Column("name", "name", 8, flex=1), Column("cpu", "cpu", 6, priority=1, align="right"))


class OneApp(App[None]):
    """An app of one widget, which notes the messages it gets."""

    def __init__(self, *made: Widget) -> None:
        super().__init__()
        self.made = made
        self.seen: list[str] = []

    def compose(self) -> ComposeResult:
        yield from self.made

    def on_live_table_cursor_moved(self, event: LiveTable.CursorMoved) -> None:
        self.seen.append(f"cursor {event.key}")

    def on_live_table_activated(self, event: LiveTable.Activated) -> None:
        self.seen.append(f"open {event.key}")

    def on_live_table_sort_requested(self, event: LiveTable.SortRequested) -> None:
        self.seen.append(f"sort {event.column}")

    def on_live_table_marks_changed(self, event: LiveTable.MarksChanged) -> None:
        self.seen.append(f"marks {','.join(sorted(event.marked))}")

    def on_status_line_filter_changed(self, event: StatusLine.FilterChanged) -> None:
        self.seen.append(f"filter {event.value}")

    def on_status_line_filter_submitted(self, event: StatusLine.FilterSubmitted) -> None:
        self.seen.append(f"keep {event.value}")

    def on_status_line_filter_cancelled(self) -> None:
        self.seen.append("no filter")


def rows(widget: Widget) -> list[str]:
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def make_rows(names: Sequence[str], **cpu: str) -> list[Row]:
    return [Row(name, {"name": name, "cpu": cpu.get(name, "1.0%")}) for name in names]


async def test_the_cursor_stays_on_its_row_when_rows_move() -> None:
    table = LiveTable(COLUMNS)
    app = OneApp(table)
    async with app.run_test(size=(40, 10)) as pilot:
        table.set_rows(make_rows("abcd"))
        table.focus()
        await pilot.press("j", "j")
        assert table.cursor_key == "c"
        table.set_rows(make_rows("cadb"))
        assert (table.cursor_key, table.cursor_row) == ("c", 0)
        table.set_rows(make_rows("adb"))
        assert table.cursor_key == "a"
        await pilot.press("G", "enter")
        await pilot.pause()
        assert app.seen[-2:] == ["cursor b", "open b"]


async def test_marks_by_key_range_and_all() -> None:
    table = LiveTable(COLUMNS)
    async with OneApp(table).run_test(size=(40, 10)) as pilot:
        table.set_rows(make_rows("abcdef"))
        table.focus()
        await pilot.press("space", "j", "v", "j", "v", "j")
        assert table.marked == {"a", "c", "d"}
        table.set_rows(make_rows("abd"))
        assert table.marked == {"a", "d"}
        await pilot.press("asterisk")
        assert table.marked == {"a", "b", "d"}
        await pilot.press("asterisk")
        assert table.marked == set()


async def test_clicks_choose_rows_and_sort_by_titles() -> None:
    table = LiveTable(COLUMNS)
    app = OneApp(table)
    async with app.run_test(size=(40, 10)) as pilot:
        table.set_rows(make_rows("abc"))
        await pilot.click(table, offset=(3, 2))
        assert table.cursor_key == "b"
        await pilot.click(table, offset=(2, 0))
        await pilot.pause()
        assert app.seen[-1] == "sort name"
        await pilot.click(table, offset=(3, 3), times=2)
        await pilot.pause()
        assert "open c" in app.seen


async def test_clicks_count_from_inside_the_border() -> None:
    table = LiveTable(COLUMNS)
    app = OneApp(table)
    async with app.run_test(size=(40, 10)) as pilot:
        table.styles.border = ("round", "red")
        await pilot.pause()
        table.set_rows(make_rows("abc"))
        await pilot.click(table, offset=(4, 3))
        assert table.cursor_key == "b"
        await pilot.click(table, offset=(4, 1))
        await pilot.pause()
        assert app.seen[-1] == "sort name"
        assert table.visible_keys == ["a", "b", "c"]


async def test_keys_without_a_search_belong_to_the_app() -> None:
    view = LogView()
    pressed: list[str] = []

    class BoundApp(OneApp):
        BINDINGS = [("n", "new", "new")]

        def action_new(self) -> None:
            pressed.append("n")

    app = BoundApp(view)
    async with app.run_test(size=(60, 6)) as pilot:
        view.append([line(0, "text\n")])
        view.focus()
        await pilot.press("n")
        assert pressed == ["n"]
        await pilot.press("slash", "t", "enter", "n")
        assert pressed == ["n"]


async def test_dragging_selects_the_text_and_not_the_timestamps() -> None:
    view = LogView()
    app = OneApp(view)
    async with app.run_test(size=(60, 6)) as pilot:
        view.append([line(0, "first line\n"), line(1, "second \x1b[31mline\x1b[0m\n")])
        view.timestamps = True
        await pilot.pause()
        await pilot.mouse_down(view, offset=(9 + 6, 0))
        await pilot.hover(view, offset=(9 + 6, 1))
        await pilot.mouse_up(view, offset=(9 + 6, 1))
        await pilot.pause()
        assert app.screen.get_selected_text() == "line\nsecond "


async def test_a_thousand_rows_scroll_with_the_cursor() -> None:
    table = LiveTable(COLUMNS)
    async with OneApp(table).run_test(size=(40, 10)) as pilot:
        table.set_rows(make_rows([f"row{number}" for number in range(2000)]))
        table.focus()
        await pilot.press("G")
        await pilot.pause()
        assert "row1999" in rows(table)[-1]
        assert rows(table)[0].strip().startswith("name")
        await pilot.press("g", "pagedown")
        await pilot.pause()
        assert "row8" in "".join(rows(table))


async def test_only_changed_rows_are_painted() -> None:
    table = LiveTable(COLUMNS)
    async with OneApp(table).run_test(size=(40, 10)) as pilot:
        table.set_rows(make_rows("abcd"))
        await pilot.pause()
        before = [table.render_line(y) for y in range(5)]
        table.set_rows(make_rows("abcd", c="9.0%"))
        after = [table.render_line(y) for y in range(5)]
        assert [one is other for one, other in zip(before, after, strict=True)][1:] == [True, True, False, True]


async def test_an_empty_table_says_what_to_do() -> None:
    table = LiveTable(COLUMNS, empty=[Cell("no container yet"), Cell("n makes one", "accent")])
    async with OneApp(table).run_test(size=(40, 10)):
        assert "no container yet" in "\n".join(rows(table))
        assert "n makes one" in "\n".join(rows(table))


async def test_cells_keep_their_columns_with_wide_text_and_sparks() -> None:
    table = LiveTable(COLUMNS)
    async with OneApp(table).run_test(size=(30, 6)):
        table.set_rows([Row("a", {"name": "中文名字很长很长很长很长很长", "cpu": Spark((1.0, 2.0))})])
        assert all(table.render_line(y).cell_length == 30 for y in range(6))


def line(number: int, text: str, stream: str = "stdout") -> LogLine:
    return LogLine(time_ns=number * 1_000_000_000, stream=stream, text=text)


async def test_logs_follow_until_the_reader_scrolls_up() -> None:
    view = LogView()
    async with OneApp(view).run_test(size=(60, 10)) as pilot:
        view.append([line(number, f"line {number}\n") for number in range(100)])
        await pilot.pause()
        assert rows(view)[-1] == "line 99"
        view.focus()
        await pilot.press("pageup")
        assert not view.follow
        top = rows(view)[0]
        view.append([line(number, f"line {number}\n") for number in range(100, 150)])
        await pilot.pause()
        assert rows(view)[0] == top
        await pilot.press("G")
        assert view.follow
        assert rows(view)[-1] == "line 149"


async def test_logs_keep_a_bounded_window() -> None:
    view = LogView(capacity=100)
    async with OneApp(view).run_test(size=(60, 10)) as pilot:
        for start in range(0, 1000, 50):
            view.append([line(number, f"line {number}\n") for number in range(start, start + 50)])
        await pilot.pause()
        assert view.line_count == 100
        assert rows(view)[-1] == "line 999"


async def test_search_highlights_and_moves() -> None:
    view = LogView()
    async with OneApp(view).run_test(size=(60, 10)) as pilot:
        view.append([line(number, f"{'ERR' if number % 10 == 0 else 'ok'} {number}\n") for number in range(100)])
        view.focus()
        await pilot.press("slash", *"err", "enter")
        assert view.summary.startswith("follow · /err")
        assert "/10" in view.summary
        await pilot.press("n")
        assert "ERR 0" in "\n".join(rows(view))
        await pilot.press("escape")
        assert view.summary == "paused"


async def test_the_filter_keeps_following() -> None:
    view = LogView()
    async with OneApp(view).run_test(size=(60, 6)) as pilot:
        view.append([line(number, f"{'GET' if number % 2 else 'POST'} {number}\n") for number in range(20)])
        view.focus()
        await pilot.press("ampersand", *"GET", "enter")
        view.append([line(20, "POST 20\n"), line(21, "GET 21\n")])
        await pilot.pause()
        assert all(row.startswith("GET") for row in rows(view))
        assert rows(view)[-1] == "GET 21"
        view.keep_matching("!GET")
        assert rows(view)[-1] == "POST 20"
        view.keep_matching("nothing has this")
        assert "esc shows all" in "\n".join(rows(view))


async def test_parts_of_a_line_are_joined_and_streams_stay_apart() -> None:
    view = LogView()
    async with OneApp(view).run_test(size=(60, 6)) as pilot:
        view.append([line(0, "loading")])
        view.append([line(1, "... done\n"), line(2, "x"), line(3, "problem\n", "stderr")])
        await pilot.pause()
        assert rows(view)[:3] == ["loading... done", "x", "problem"]


async def test_older_lines_come_when_the_top_is_reached() -> None:
    asked: list[int] = []

    async def older(before_ns: int, count: int) -> list[LogLine]:
        asked.append(before_ns)
        return [line(number, f"old {number}\n") for number in range(5)] if len(asked) == 1 else []

    view = LogView(load_older=older)
    async with OneApp(view).run_test(size=(60, 6)) as pilot:
        view.append([line(number, f"new {number}\n") for number in range(10, 30)])
        view.focus()
        await pilot.pause()
        await pilot.press("g")
        await pilot.pause()
        assert asked == [10_000_000_000]
        assert rows(view)[0] == "new 10"
        await pilot.press("k")
        assert rows(view)[0] == "old 4"


async def test_wrap_timestamps_and_markers() -> None:
    view = LogView()
    async with OneApp(view).run_test(size=(40, 8)) as pilot:
        view.append([line(0, "word " * 20 + "\n")])
        view.marker("restarted")
        view.focus()
        await pilot.press("w", "t")
        text = rows(view)
        assert sum("word" in row for row in text) > 2
        assert text[0][2] == ":"
        assert any("restarted" in row for row in text)


async def test_a_chart_shows_value_limit_and_gaps() -> None:
    chart = BrailleChart("cpu", unit=lambda value: f"{value:.0f}%")
    async with OneApp(chart).run_test(size=(40, 10)) as pilot:
        assert "no samples yet" in "\n".join(rows(chart))
        chart.set_series([[math.nan] * 10 + [50.0] * 10], limit=100.0)
        await pilot.pause()
        assert Content.from_markup(str(chart.border_title)).plain == "cpu 50% / 100%"
        text = rows(chart)
        assert "100%" in text[0]
        assert "┄" in text[0]
        assert text[3][:15].strip() == ""
        assert "⣿" in text[3]
        assert text[-1].startswith("-15m")
        assert text[-1].endswith("now")


async def test_json_folds_searches_and_copies() -> None:
    view = JsonView()
    app = OneApp(view)
    async with app.run_test(size=(60, 20)) as pilot:
        view.set_document({"Name": "/web", "Env": {"list": [f"V{number}=[b]x[/b]" for number in range(30)]}})
        view.focus()
        assert "▸" in "\n".join(rows(view))
        await pilot.press("slash", *"V25", "enter")
        assert '"V25=[b]x[/b]"' in "\n".join(rows(view))
        assert "Env.list[25]" in str(view.border_subtitle)
        await pilot.press("y")
        assert app.clipboard == "V25=[b]x[/b]"
        await pilot.press("minus")
        assert sum(bool(row) for row in rows(view)) == 4


async def test_tiles_are_added_zoomed_and_removed() -> None:
    area = TileArea()
    async with OneApp(area).run_test(size=(120, 30)) as pilot:
        tiles = [LineView() for _ in range(5)]
        assert [await area.add(tile) for tile in tiles] == [True, True, True, True, False]
        await pilot.pause()
        assert {tile.size.width for tile in area.tiles} == {60}
        assert area.focused_tile is tiles[3]
        area.toggle_zoom()
        await pilot.pause()
        assert tiles[3].size == area.size
        assert [tile.display for tile in tiles[:4]] == [False, False, False, True]
        area.toggle_zoom()
        await area.remove_tile(tiles[3])
        await pilot.pause()
        assert area.focused_tile is tiles[2]
        assert tiles[2].size.width == 120
        await area.remove_tile(tiles[0])
        area.resize_tile(4, 0)
        await pilot.pause()
        assert sorted(tile.size.width for tile in area.tiles) == [36, 84]


async def test_two_tiles_stack_where_it_is_narrow() -> None:
    area = TileArea()
    async with OneApp(area).run_test(size=(80, 20)) as pilot:
        await area.add(LineView())
        await area.add(LineView())
        await pilot.pause()
        assert [tile.size.width for tile in area.tiles] == [80, 80]


async def test_the_status_line_is_a_filter_and_back() -> None:
    line_widget = StatusLine()
    app = OneApp(line_widget)
    async with app.run_test(size=(60, 4)) as pilot:
        line_widget.flash("[b]web[/b] stopped")
        assert "✔ [b]web[/b] stopped" in rows(line_widget)[0]
        line_widget.busy("x", "starting db")
        assert "starting db" in rows(line_widget)[0]
        line_widget.ask("/")
        await pilot.press(*"we")
        assert rows(line_widget)[0].startswith("/we")
        await pilot.press("enter")
        assert app.seen == ["filter w", "filter we", "keep we"]
        assert not line_widget.asking
        line_widget.ask("/", "we")
        await pilot.press("escape")
        await pilot.pause()
        assert app.seen[-1] == "no filter"


async def test_layers_of_a_pull() -> None:
    bars = LayerBars("alpine:latest")
    async with OneApp(bars).run_test(size=(80, 10)) as pilot:
        bars.advance(PullProgress(layer="4abcf2066143", status="downloading", current=512, total=1024))
        bars.advance(PullProgress(layer="e79ec19e1ab0", status="exists"))
        bars.advance(PullProgress(message="from 127.0.0.1:5000"))
        await pilot.pause()
        text = "\n".join(rows(bars))
        assert "4abcf2066143" in text
        assert "downloading" in text
        assert "1/2 layers" in text
        bars.finish("no such image", failed=True)
        assert "no such image" in rows(bars)[0]


async def test_the_host_bar_keeps_the_states_when_it_is_narrow() -> None:
    bar = HostBar()
    app = OneApp(bar)
    async with app.run_test(size=(100, 4)) as pilot:
        bar.set_host(12.0, 3 << 30, 16 << 30)
        bar.set_counts({"running": 4, "failed": 1})
        bar.set_notes(["cgroup v1"])
        assert all(word in rows(bar)[0] for word in ("pydock", "12.0%", "3.0G/16G", "● 4", "✖ 1", "cgroup v1"))
        await pilot.resize_terminal(30, 4)
        await pilot.pause()
        assert "● 4" in rows(bar)[0]


async def test_the_timeline_shows_phases_states_and_events() -> None:
    view = Timeline()
    second = 1_000_000_000
    async with OneApp(view).run_test(size=(80, 16)) as pilot:
        view.set_life(
            [
                Phase(name="bundle", start_ns=0, duration_ns=2_000_000),
                Phase(name="mounts", start_ns=2_000_000, duration_ns=6_000_000),
            ],
            [
                Event(id=1, time_ns=second, type="container", action="start", actor="x"),
                Event(id=2, time_ns=5 * second, type="container", action="pause", actor="x"),
            ],
            state="paused",
            created_ns=1,
            now_ns=9 * second,
        )
        await pilot.pause()
        text = "\n".join(rows(view))
        assert "8.00 ms" in text
        assert "mounts" in text
        assert "paused 4.00 s" in text
        assert "running 4.00 s" in text


async def test_every_widget_draws_at_any_size() -> None:
    """From one cell to a wall, and in every theme: no exception, and every row exactly as wide as the widget."""
    fill: dict[type[Widget], Callable[[Widget], None]] = {
        LiveTable: lambda widget: widget.set_rows(make_rows("abc")),  # type: ignore[attr-defined]
        LogView: lambda widget: widget.append([line(0, "text \x1b[31mred\n")]),  # type: ignore[attr-defined]
        BrailleChart: lambda widget: widget.set_series([[1.0, 2.0], [2.0, 1.0]]),  # type: ignore[attr-defined]
        JsonView: lambda widget: widget.set_document({"a": [1, 2]}),  # type: ignore[attr-defined]
        HostBar: lambda widget: widget.set_host(50, 1, 2),  # type: ignore[attr-defined]
        LayerBars: lambda widget: widget.advance(PullProgress(layer="a", total=5)),  # type: ignore[attr-defined]
        Timeline: lambda widget: widget.set_life([Phase(name="x", start_ns=0, duration_ns=5)], now_ns=5, created_ns=1),  # type: ignore[attr-defined]
        StatusLine: lambda widget: widget.flash("text"),  # type: ignore[attr-defined]
    }
    for kind, put in fill.items():
        widget = kind(COLUMNS) if kind is LiveTable else kind()
        app = OneApp(widget)
        async with app.run_test(size=(200, 60)) as pilot:
            put(widget)
            for theme in ("textual-light", "ansi-dark" if "ansi-dark" in app.available_themes else "textual-ansi"):
                app.theme = theme
                for size in ((1, 1), (2, 2), (5, 3), (20, 5), (80, 24), (200, 60)):
                    await pilot.resize_terminal(*size)
                    await pilot.pause()
                    room = widget.line_width if isinstance(widget, LineView) else widget.size.width
                    for y in range(widget.size.height):
                        assert widget.render_line(y).cell_length == room, (kind, size, y)
