"""A terminal pane as its user meets it: which keys go where, what is shown, what is sent."""

import time
from collections.abc import Callable

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Input

from app.widgets.terminal import BACKLOG_HIGH, TerminalPane


class PaneApp(App[None]):
    """One pane beside another widget that can have the focus."""

    CSS = "TerminalPane { height: 12; } Input { height: 3; }"

    def __init__(self, detach_keys: str = "") -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.sizes: list[tuple[int, int]] = []
        self.seen: list[str] = []
        self.pane = TerminalPane(
            "sh", self.sent.append, lambda rows, columns: self.sizes.append((rows, columns)), detach_keys=detach_keys
        )

    def compose(self) -> ComposeResult:
        yield self.pane
        yield Input()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not (isinstance(self.focused, TerminalPane) and self.focused.live)

    def on_terminal_pane_went_live(self) -> None:
        self.seen.append("live")

    def on_terminal_pane_went_view(self) -> None:
        self.seen.append("view")

    def on_terminal_pane_detach_requested(self) -> None:
        self.seen.append("detach")

    def on_terminal_pane_title_changed(self, event: TerminalPane.TitleChanged) -> None:
        self.seen.append(f"title {event.title}")

    @property
    def typed(self) -> bytes:
        return b"".join(self.sent)


async def until(pilot: Pilot[None], condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await pilot.pause(0.01)


async def shown(pilot: Pilot[None], pane: TerminalPane, text: str) -> None:
    await until(pilot, lambda: text in rows(pane), text)


def rows(pane: TerminalPane) -> str:
    return "\n".join(pane.render_line(y).text.rstrip() for y in range(pane.size.height))


async def test_output_is_shown_and_the_program_learns_the_size() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.feed(b"hello \x1b[31mred\x1b[0m\r\n$ ")
        await shown(pilot, app.pane, "hello red")
        assert app.sizes == [(10, 78)]
        await pilot.resize_terminal(60, 24)
        await until(pilot, lambda: app.sizes[-1] == (10, 58), "the new size")


async def test_live_takes_every_key_and_one_leaves() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.focus()
        await pilot.press("x")
        assert app.typed == b""
        await pilot.press("enter")
        assert app.pane.live
        await pilot.press("l", "s", "enter", "ctrl+c", "tab", "shift+tab", "escape", "up", "q", "slash")
        await pilot.press("ctrl+p", "ctrl+q", "f1", "ctrl+backslash")
        assert app.typed == b"ls\r\x03\t\x1b[Z\x1b\x1b[Aq/\x10\x11\x1bOP\x1c"
        assert app.focused is app.pane
        await pilot.press("ctrl+right_square_bracket")
        assert not app.pane.live
        assert app.seen == ["live", "view"]
        assert app.is_running


async def test_moving_the_focus_ends_live() -> None:
    app = PaneApp()
    async with app.run_test() as pilot:
        app.pane.go_live()
        await pilot.pause()
        app.query_one(Input).focus()
        await pilot.pause()
        assert not app.pane.live


async def test_detach_keys_are_held_until_they_are_sure() -> None:
    app = PaneApp(detach_keys="ctrl-p,ctrl-q")
    async with app.run_test() as pilot:
        app.pane.go_live()
        await pilot.press("ctrl+p")
        assert app.typed == b""
        await pilot.press("x", "ctrl+p", "ctrl+p")
        assert app.typed == b"\x10x\x10"
        await pilot.press("ctrl+q")
        await until(pilot, lambda: "detach" in app.seen, "the detach message")
        assert app.typed == b"\x10x\x10"
        assert not app.pane.live


def test_bad_detach_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="shift-p"):
        TerminalPane("sh", lambda data: None, lambda rows, columns: None, detach_keys="shift-p")


async def test_questions_are_answered_but_not_those_of_old_output() -> None:
    app = PaneApp()
    async with app.run_test() as pilot:
        app.pane.feed(b"old\x1b[6n", replay=True)
        await shown(pilot, app.pane, "old")
        assert app.typed == b""
        app.pane.feed(b"\r\nnew\x1b[6n")
        await shown(pilot, app.pane, "new")
        assert app.typed == b"\x1b[2;4R"


async def test_scrollback_search_and_copy() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.feed("\r\n".join(f"line {number}" for number in range(200)).encode())
        await shown(pilot, app.pane, "line 199")
        app.pane.focus()
        await pilot.press("g")
        assert rows(app.pane).startswith("line 0\n")
        assert "190 lines below" in str(app.pane.border_subtitle)
        app.pane.feed(b"\r\nnews")
        await pilot.pause(0.1)
        assert rows(app.pane).startswith("line 0\n")
        await pilot.press("slash", *"line 15", "enter")
        assert "1/11" in str(app.pane.border_subtitle)
        assert "line 15" in rows(app.pane)
        await pilot.press("n")
        assert "2/11" in str(app.pane.border_subtitle)
        await pilot.press("G")
        assert "news" in rows(app.pane)
        await pilot.press("v", "k", "y")
        assert app.clipboard == "line 199\nnews"


async def test_typing_comes_back_to_the_newest_line() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.feed("\r\n".join(f"line {number}" for number in range(50)).encode())
        await shown(pilot, app.pane, "line 49")
        app.pane.focus()
        await pilot.press("g")
        await pilot.press("enter")
        assert "line 49" in rows(app.pane)


async def test_a_program_that_asked_gets_the_mouse() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.pane.feed(b"\x1b[?1000h\x1b[?1006hready")
        await shown(pilot, app.pane, "ready")
        await pilot.click(app.pane, offset=(3, 2))
        assert app.pane.live
        assert app.typed == b""
        await pilot.click(app.pane, offset=(3, 2))
        assert app.typed == b"\x1b[<0;3;2M\x1b[<0;3;2m"


async def test_paste_is_bracketed_when_the_program_wants_it() -> None:
    from textual.events import Paste

    app = PaneApp()
    async with app.run_test() as pilot:
        app.pane.feed(b"\x1b[?2004hready")
        await shown(pilot, app.pane, "ready")
        app.pane.go_live()
        await pilot.pause()
        app.pane.post_message(Paste("two\nlines"))
        await until(pilot, lambda: bool(app.sent), "the paste")
        assert app.typed == b"\x1b[200~two\rlines\x1b[201~"


async def test_the_end_is_told_and_enter_closes() -> None:
    app = PaneApp()
    async with app.run_test() as pilot:
        app.pane.go_live()
        await pilot.pause()
        app.pane.ended(137)
        await pilot.pause()
        assert not app.pane.live
        assert "exit 137 (SIGKILL)" in str(app.pane.border_subtitle)
        await pilot.press("enter")
        assert "detach" in app.seen
        assert app.typed == b""


async def test_titles_from_programs_are_text() -> None:
    app = PaneApp()
    async with app.run_test() as pilot:
        app.pane.feed(b"\x1b]2;[red]evil[/]\x07x")
        await until(pilot, lambda: "title [red]evil[/]" in app.seen, "the title")
        assert "[red]evil[/]" in Content.from_markup(str(app.pane.border_title)).plain


async def test_a_flood_waits_its_turn_and_the_interface_lives() -> None:
    app = PaneApp()
    async with app.run_test(size=(100, 40)) as pilot:
        app.pane.feed(b"y\r\n" * (2 * BACKLOG_HIGH // 3 + 10) + b"end of flood")
        assert app.pane.backlog_bytes > BACKLOG_HIGH
        await shown(pilot, app.pane, "end of flood")
        assert app.pane.backlog_bytes == 0


async def test_output_before_the_first_layout_is_not_lost() -> None:
    app = PaneApp()
    app.pane.feed(b"early")
    async with app.run_test() as pilot:
        await shown(pilot, app.pane, "early")
