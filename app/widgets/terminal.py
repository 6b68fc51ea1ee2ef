"""A terminal in a pane: LIVE (every key goes to the program) or VIEW (scrollback, search, copy).

The pane owns no process: it is fed with output and hands out input through two callables, so that it can be thrown
away while the session lives on. Output is parsed within a time budget per frame; what does not fit waits, and the
owner stops reading while `backlog_bytes` is high. That is what keeps the interface alive beside `yes`.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from ..emulator import keys
from ..emulator.choose import NoEmulator, new_emulator
from ..emulator.feeder import BACKLOG_HIGH, PIECE, Feeder
from ..emulator.mouse import WHEEL_DOWN, WHEEL_UP, encode_mouse
from .detach import DetachKeys
from .find import Matches, Prompt, restyle
from .roles import ROLE_CLASSES, Palette, role_css
from .terminal_title import end_text, pane_subtitle, pane_title

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.selection import Selection
    from textual.timer import Timer

    from ..emulator.emulator import Emulator
    from ..emulator.mouse import Action

_FRAME_S, _BUSY_FRAME_S = 1 / 60, 1 / 30
_BUDGET_S = 0.008
_WHEEL_LINES = 3
_LEAVE = "ctrl+right_square_bracket"


__all__ = ["BACKLOG_HIGH", "TerminalPane"]


class TerminalPane(Widget, can_focus=True):
    """Enter or a click goes LIVE, ctrl+] goes back to VIEW. Neither ends the session, nor does closing the pane."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    DEFAULT_CSS = (
        role_css("TerminalPane")
        + """
    TerminalPane {
        background: $background;
        color: $foreground;
        border: round $foreground 20%;
        border-title-color: $text-muted;
        border-subtitle-color: $text-muted;
    }
    TerminalPane:focus { border: round $accent; border-title-color: $text; }
    TerminalPane.-live { border: heavy $accent; border-title-color: $text; }
    TerminalPane.-bare { border: none; }
    """
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "live", "type", id="terminal.live"),
        Binding("up,k", "scroll_lines(-1)", "up", show=False, id="terminal.up"),
        Binding("down,j", "scroll_lines(1)", "down", show=False, id="terminal.down"),
        Binding("pageup,ctrl+u", "scroll_pages(-1)", "page up", show=False, id="terminal.page-up"),
        Binding("pagedown,ctrl+d", "scroll_pages(1)", "page down", show=False, id="terminal.page-down"),
        Binding("g,home", "scroll_edge(False)", "oldest line", show=False, id="terminal.top"),
        Binding("G,end", "scroll_edge(True)", "newest line", show=False, id="terminal.bottom"),
        Binding("slash", "search", "search", show=False, id="terminal.search"),
        Binding("n", "match(1)", "next match", show=False, id="terminal.next"),
        Binding("N", "match(-1)", "previous match", show=False, id="terminal.previous"),
        Binding("v", "select", "select lines", show=False, id="terminal.select"),
        Binding("y", "copy", "copy lines", show=False, id="terminal.copy"),
        Binding("escape", "unselect", "end selection", show=False, id="terminal.unselect"),
        Binding("q", "close_ended", "close", show=False, id="terminal.close"),
    ]

    live: reactive[bool] = reactive(False, repaint=False)
    """Whether keys go to the program. An app must not take any key while its focused pane is live."""

    class PaneMessage(Message):
        """Base: `pane` is the sender."""

        def __init__(self, pane: TerminalPane) -> None:
            super().__init__()
            self.pane = pane

        @property
        def control(self) -> TerminalPane:
            return self.pane

    class WentLive(PaneMessage):
        """Keys go to the program now."""

    class WentView(PaneMessage):
        """Keys are the app's again."""

    class DetachRequested(PaneMessage):
        """The detach keys were typed, or a pane whose program ended is to be closed."""

    class TitleChanged(PaneMessage):
        """The program set its title (untrusted text)."""

        def __init__(self, pane: TerminalPane, title: str) -> None:
            super().__init__(pane)
            self.title = title

    class Resized(PaneMessage):
        """The terminal has another size."""

        def __init__(self, pane: TerminalPane, rows: int, columns: int) -> None:
            super().__init__(pane)
            self.rows = rows
            self.columns = columns

    class Drained(PaneMessage):
        """The backlog fell below its limit: reading may go on."""

    def __init__(
        self,
        title: str,
        send: Callable[[bytes], None],
        resize: Callable[[int, int], None],
        *,
        detach_keys: str = "",
        scrollback_bytes: int = 10 << 20,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`send` gets the program's input; `resize(rows, columns)` tells its terminal the size. `detach_keys` is
        Docker's notation ("ctrl-p,ctrl-q"); "" turns them off."""
        super().__init__(id=id, classes=classes)
        self._title = title
        self._send = send
        self._tell_size = resize
        self._sequence = DetachKeys(detach_keys)
        self._scrollback_bytes = scrollback_bytes
        self._emulator: Emulator | None = None
        self._failure = ""
        self._feeder = Feeder()
        self._timer: Timer | None = None
        self._last_frame = 0.0
        self._palette = Palette(self)
        self._program_title = ""
        self._ended = ""
        self._note = ""
        self._prompt: Prompt | None = None
        self._matches = Matches()
        self._mouse_wanted = False
        self._anchor: int | None = None
        self._caret = 0
        self._pressed = 0
        self._label()

    @property
    def title(self) -> str:
        """The name given to the pane."""
        return self._title

    @title.setter
    def title(self, title: str) -> None:
        self._title = title
        self._label()

    @property
    def backlog_bytes(self) -> int:
        """Output not yet parsed."""
        return self._feeder.backlog

    @property
    def has_ended(self) -> bool:
        return bool(self._ended)

    @property
    def text(self) -> str:
        """Scrollback and screen as plain text."""
        emulator = self._emulator
        if emulator is None:
            return ""
        return "\n".join(emulator.text(0, emulator.scrollback + emulator.rows - 1)).rstrip("\n")

    def feed(self, data: bytes, *, replay: bool = False) -> None:
        """Output of the program. `replay`: it was shown before, so its questions have been answered already."""
        self._feeder.add(data, replay=replay)
        self._schedule()

    def ended(self, exit_code: int | None) -> None:
        """The program is gone (None: connection lost, code unknown). What it wrote stays readable."""
        self._ended = end_text(exit_code)
        self.go_view()
        self._label()

    def go_live(self) -> None:
        """All keys to the program; focuses the pane. Nothing happens when the program has ended."""
        if self._ended or self._failure:
            return
        if not self.has_focus:
            self.focus()
        self._prompt = None
        self._anchor = None
        self._scroll_view(None)
        self.live = True

    def go_view(self) -> None:
        """Keys to the app again."""
        self._flush_held()
        self.live = False

    def watch_live(self, live: bool) -> None:
        self.set_class(live, "-live")
        self._note = ""
        self._label()
        self._repaint()
        if self.is_attached:
            self.post_message(self.WentLive(self) if live else self.WentView(self))

    def on_mount(self) -> None:
        self._schedule()

    def on_unmount(self) -> None:
        if self._emulator is not None:
            self._emulator.close()
            self._emulator = None

    def on_resize(self) -> None:
        rows, columns = self.size.height, self.size.width
        if rows < 1 or columns < 1 or self._failure:
            return
        if self._emulator is None:
            try:
                self._emulator = new_emulator(rows, columns, scrollback_bytes=self._scrollback_bytes)
            except NoEmulator as missing:
                self._failure = str(missing)
                self.refresh()
                return
        elif (rows, columns) == (self._emulator.rows, self._emulator.columns):
            return
        else:
            self._emulator.resize(rows, columns)
        self._matches.clear()
        self._tell_size(rows, columns)
        self.post_message(self.Resized(self, rows, columns))
        self._label()
        self._show()
        self._schedule()

    def on_focus(self) -> None:
        if self.live:
            self._send_focus(True)
        self._repaint()

    def on_blur(self) -> None:
        # When the whole terminal window loses focus the pane gets it back later, and should be live as before.
        if self.live:
            self._send_focus(False)
            if self.app.app_focus:
                self.go_view()
        self._repaint()

    # A live pane takes every key, before any binding of the app sees it.
    async def _on_key(self, event: events.Key) -> None:
        if self._prompt is not None:
            event.stop()
            event.prevent_default()
            self._type_in_prompt(event.key, event.character)
        elif self.live:
            event.stop()
            event.prevent_default()
            if event.key == _LEAVE:
                self.go_view()
            else:
                self._type(event.key, event.character)
        else:
            await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        if self._prompt is not None:
            self._prompt.paste(event.text)
            self._repaint()
        elif self.live and self._emulator is not None:
            self._flush_held()
            self._send(keys.encode_paste(event.text, self._emulator.modes))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "match":
            return bool(self._matches.pattern)
        if action in ("copy", "unselect"):
            return self._anchor is not None
        if action == "close_ended":
            return bool(self._ended)
        return True

    def action_live(self) -> None:
        if self._ended:
            self.post_message(self.DetachRequested(self))
        else:
            self.go_live()

    def action_close_ended(self) -> None:
        self.post_message(self.DetachRequested(self))

    def action_scroll_lines(self, step: int) -> None:
        emulator = self._emulator
        if emulator is None:
            return
        if self._anchor is not None:
            last = emulator.scrollback + emulator.rows - 1
            self._caret = min(max(self._caret + step, 0), last)
            self._reveal(self._caret)
            self._repaint()
        else:
            self._scroll_view(emulator.first + step)

    def action_scroll_pages(self, step: int) -> None:
        if self._emulator is not None:
            self.action_scroll_lines(step * max(1, self._emulator.rows - 1))

    def action_scroll_edge(self, bottom: bool) -> None:
        if self._emulator is not None:
            total = self._emulator.scrollback + self._emulator.rows
            self.action_scroll_lines(total if bottom else -total)

    def action_search(self) -> None:
        self._prompt = Prompt("/")
        self._repaint()

    def action_match(self, step: int) -> None:
        self._find(self._matches.pattern)
        self._matches.step(step)
        self._show_match()

    def action_select(self) -> None:
        """Select whole lines: `v`, move, `y`."""
        if self._emulator is None:
            return
        if self._anchor is not None:
            self._anchor = None
        else:
            row = self._emulator.cursor.row
            self._anchor = self._caret = self._emulator.first + (row if row >= 0 else self._emulator.rows - 1)
        self._label()
        self._repaint()

    def action_unselect(self) -> None:
        self._anchor = None
        self._repaint()

    def action_copy(self) -> None:
        if self._anchor is None or self._emulator is None:
            return
        first, last = sorted((self._anchor, self._caret))
        lines = self._emulator.text(first, last)
        self.app.copy_to_clipboard("\n".join(lines))
        self._note = f"copied {len(lines)} line{'s' * (len(lines) != 1)}"
        self._anchor = None
        self._label()
        self._repaint()

    @property
    def allow_select(self) -> bool:
        """Dragging selects text, unless the program has asked for the mouse."""
        return not self._program_has_mouse

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        return selection.extract(self.text), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self._repaint()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if self._program_has_mouse and not event.shift:
            self._pressed = event.button
            self.capture_mouse()
            self._report_mouse("press", event.button, event)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._pressed:
            self._report_mouse("release", self._pressed, event)
            self._pressed = 0
            self.release_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._program_has_mouse:
            self._report_mouse("move", self._pressed, event)

    def on_click(self, event: events.Click) -> None:
        if not self.live and event.button == 1 and self.text_selection is None:
            self.go_live()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(-1, event)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(1, event)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._palette.clear()

    def render_line(self, y: int) -> Strip:
        base = self._palette.base
        width = self.size.width
        emulator = self._emulator
        if emulator is None:
            return Strip.blank(width, base) if y or not self._failure else _text(self._failure, width, base)
        if self._prompt is not None and y == self.size.height - 1:
            return self._prompt.render(width, self._palette)
        strip = emulator.line(y).apply_style(base)
        line = emulator.first + y
        if self._anchor is not None and min(self._anchor, self._caret) <= line <= max(self._anchor, self._caret):
            strip = restyle(strip, 0, width, self._selection_style)
        for number, (row, start, end) in enumerate(self._matches.spots):
            if row == line:
                style = self._palette.line("match-current" if number == self._matches.current else "match")
                strip = restyle(strip, start, end, style)
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(line)) is not None:
            start, end = span
            strip = restyle(strip, start, width if end == -1 else end, self._selection_style)
        cursor = emulator.cursor
        if cursor.row == y and cursor.visible and not self._ended:
            strip = restyle(strip, cursor.column, cursor.column + 1, self._cursor_style(cursor.shape))
        strip = strip.adjust_cell_length(width, base)
        return strip.apply_offsets(0, line) if self.allow_select else strip

    @property
    def _selection_style(self) -> Style:
        return self.screen.get_component_rich_style("screen--selection")

    def _cursor_style(self, shape: str) -> Style:
        if not (self.live and self.has_focus):
            return Style(underline=True)
        return Style(underline=True, bold=True) if shape == "underline" else Style(reverse=True)

    @property
    def _program_has_mouse(self) -> bool:
        return self.live and self._mouse_wanted

    def _type(self, key: str, character: str | None) -> None:
        ready = self._sequence.press(key, character)
        if ready is None:
            self.go_view()
            self.post_message(self.DetachRequested(self))
        else:
            for name, typed in ready:
                self._send_key(name, typed)

    def _flush_held(self) -> None:
        for key, character in self._sequence.flush():
            self._send_key(key, character)

    def _send_key(self, key: str, character: str | None) -> None:
        if self._emulator is None:
            return
        data = keys.encode_key(key, character, self._emulator.modes)
        if data:
            self._scroll_view(None)
            self._send(data)

    def _send_focus(self, focused: bool) -> None:
        if self._emulator is not None and (data := keys.encode_focus(focused, self._emulator.modes)):
            self._send(data)

    def _report_mouse(self, action: Action, button: int, event: events.MouseEvent) -> None:
        offset = event.get_content_offset_capture(self)
        row = min(max(offset.y, 0), self.size.height - 1)
        column = min(max(offset.x, 0), self.size.width - 1)
        assert self._emulator is not None
        data = encode_mouse(
            action, button, row, column, self._emulator.modes, shift=event.shift, alt=event.meta, ctrl=event.ctrl
        )
        if data:
            event.stop()
            self._send(data)

    def _wheel(self, direction: int, event: events.MouseEvent) -> None:
        event.stop()
        emulator = self._emulator
        if emulator is None:
            return
        modes = emulator.modes
        if self._program_has_mouse and not event.shift:
            self._report_mouse("press", WHEEL_DOWN if direction > 0 else WHEEL_UP, event)
        elif self.live and modes.alternate_screen:
            self._send(keys.encode_key("down" if direction > 0 else "up", None, modes) * _WHEEL_LINES)
        else:
            self._scroll_view(emulator.first + direction * _WHEEL_LINES)

    def _schedule(self) -> None:
        if self._timer is None and self.is_attached and self._emulator is not None:
            pause = _BUSY_FRAME_S if self._feeder.backlog > PIECE else _FRAME_S
            delay = max(0.001, self._last_frame + pause - perf_counter())
            self._timer = self.set_timer(delay, self._frame)

    def _frame(self) -> None:
        """Parse as much as one frame has time for, then repaint what changed."""
        self._timer = None
        emulator = self._emulator
        if emulator is None:
            return
        self._last_frame = perf_counter()
        answers = self._feeder.parse(emulator, _BUDGET_S)
        if answers and not self._ended:
            self._send(answers)
        self._mouse_wanted = bool(emulator.modes.mouse)
        self._show()
        if self._feeder.drained():
            self.post_message(self.Drained(self))
        title = emulator.title
        if title != self._program_title:
            self._program_title = title
            self._label()
            self.post_message(self.TitleChanged(self, title))
        if self._feeder.backlog:
            self._schedule()

    def _show(self) -> None:
        """Refresh the rows that differ from the last frame, and the cursor's old and new place."""
        emulator = self._emulator
        if emulator is None:
            return
        before = emulator.cursor
        rows = set(emulator.refresh())
        if emulator.cursor != before:
            rows |= {before.row, emulator.cursor.row}
        rows.discard(-1)
        if len(rows) * 2 > emulator.rows:
            self.refresh()
        elif rows:
            self.refresh(*(Region(0, row, self.size.width, 1) for row in rows))

    def _repaint(self) -> None:
        if self.is_attached:
            self.refresh()

    def _scroll_view(self, first: int | None) -> None:
        emulator = self._emulator
        if emulator is None:
            return
        before = emulator.first
        emulator.scroll_to(None if first is None else max(0, first))
        if emulator.first != before:
            self._show()
            self.refresh()
            self._label()

    def _reveal(self, line: int) -> None:
        emulator = self._emulator
        if emulator is None:
            return
        if line < emulator.first:
            self._scroll_view(line)
        elif line >= emulator.first + emulator.rows:
            self._scroll_view(line - emulator.rows + 1)

    def _type_in_prompt(self, key: str, character: str | None) -> None:
        assert self._prompt is not None
        outcome = self._prompt.key(key, character)
        if outcome != "open":
            text = self._prompt.text
            self._prompt = None
            self._matches.clear()
            if outcome == "submit" and text:
                self._find(text)
                self._matches.first_from(self._emulator.first if self._emulator is not None else 0)
                self._show_match()
            self._label()
        self._repaint()

    def _find(self, text: str) -> None:
        """Find all matches anew: lines move as output goes on."""
        emulator = self._emulator
        if emulator is not None and text:
            self._matches.find(text, emulator.text(0, emulator.scrollback + emulator.rows - 1))

    def _show_match(self) -> None:
        if self._matches.line >= 0:
            self._reveal(self._matches.line)
        self._label()
        self._repaint()

    def _label(self) -> None:
        width = self.size.width
        self.border_title = pane_title(self._title, self._program_title, live=self.live, width=width)
        below = 0
        if self._emulator is not None:
            below = self._emulator.scrollback - self._emulator.first
        note = "select: j k move, y copies" if self._anchor is not None else self._note
        self.border_subtitle = pane_subtitle(
            live=self.live, ended=self._ended, below=below, note=note, matches=self._matches.label
        )


def _text(text: str, width: int, style: Style) -> Strip:
    return Strip([Segment(text[:width], style)]).adjust_cell_length(width, style)
