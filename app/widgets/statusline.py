"""The status line: flash messages and work under way; the same row becomes the filter's input."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from ..presentation.text import elide_end, plain
from .find import Prompt
from .roles import ROLE_CLASSES, Palette, role_css

if TYPE_CHECKING:
    from textual import events
    from textual.timer import Timer

    from ..presentation.cells import Role

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_SPIN_S = 0.1
_MARKS: dict[str, str] = {"success": "✔ ", "warning": "! ", "error": "✖ "}


class StatusLine(Widget, can_focus=False):
    """One row. `ask` makes it an input with the focus; Filter* messages tell what is typed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    DEFAULT_CSS = role_css("StatusLine") + "\nStatusLine { height: 1; background: $surface; color: $foreground; }"

    class FilterMessage(Message):
        """Base: the line, and what stands in it."""

        def __init__(self, line: StatusLine, value: str) -> None:
            super().__init__()
            self.line = line
            self.value = value

        @property
        def control(self) -> StatusLine:
            return self.line

    class FilterChanged(FilterMessage):
        """Another letter."""

    class FilterSubmitted(FilterMessage):
        """Enter: keep the filter."""

    class FilterCancelled(FilterMessage):
        """Escape: take the filter away; `value` is what was typed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._flash: tuple[str, Role] = ("", "")
        self._flash_until = 0.0
        self._busy: dict[str, str] = {}
        self._prompt: Prompt | None = None
        self._idle = ""
        self._timer: Timer | None = None
        self._palette = Palette(self)

    @property
    def asking(self) -> bool:
        """Whether the row is an input now."""
        return self._prompt is not None

    def flash(self, text: str, role: Role = "success", *, seconds: float = 5.0) -> None:
        """Show a message for a while; a newer one replaces it. The text is data, never markup."""
        self._flash = (plain(text), role)
        self._flash_until = monotonic() + seconds
        self._wake()

    def busy(self, key: str, text: str) -> None:
        """Show work under way, with a spinner, until `done(key)`; the same key replaces its text."""
        self._busy[key] = plain(text)
        self._wake()

    def done(self, key: str) -> None:
        """That work is over."""
        if self._busy.pop(key, None) is not None:
            self._wake()

    def set_idle(self, text: str) -> None:
        """What stands there when nothing happens (the filter in force, marks, …)."""
        if text != self._idle:
            self._idle = plain(text)
            self.refresh()

    def ask(self, prompt: str = "/", value: str = "") -> None:
        """Turn the row into an input and take the focus."""
        self._prompt = Prompt(prompt, value)
        self.can_focus = True
        self.focus()
        self.refresh()

    def close_input(self) -> None:
        """Back to messages; the caller decides where the focus goes."""
        self._prompt = None
        self.can_focus = False
        self.refresh()

    def on_blur(self) -> None:
        # A click elsewhere ends the input as enter does: what is typed is in force already.
        if self._prompt is not None:
            value = self._prompt.text
            self.close_input()
            self.post_message(self.FilterSubmitted(self, value))

    async def _on_key(self, event: events.Key) -> None:
        if self._prompt is None or event.key in ("up", "down", "tab", "shift+tab"):
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        before = self._prompt.text
        outcome = self._prompt.key(event.key, event.character)
        value = self._prompt.text
        if outcome == "open":
            if value != before:
                self.post_message(self.FilterChanged(self, value))
            self.refresh()
            return
        self.close_input()
        self.post_message((self.FilterSubmitted if outcome == "submit" else self.FilterCancelled)(self, value))

    async def _on_paste(self, event: events.Paste) -> None:
        if self._prompt is not None:
            event.stop()
            self._prompt.paste(event.text)
            self.post_message(self.FilterChanged(self, self._prompt.text))
            self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._palette.clear()

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self._palette.base
        if y:
            return Strip.blank(width, base)
        if self._prompt is not None:
            return self._prompt.render(width, self._palette)
        segments = [Segment(" ", base)]
        room = width - 2
        if self._busy:
            frame = _SPINNER[int(monotonic() / _SPIN_S) % len(_SPINNER)]
            if self.app.animation_level == "none":
                frame = "…"
            text = elide_end(" · ".join(self._busy.values()), max(1, room - 2))
            segments += [Segment(f"{frame} ", base + self._palette.paint("accent")), Segment(text + "   ", base)]
            room -= len(text) + 5
        text, role = self._flash
        if text and monotonic() < self._flash_until and room > 4:
            mark = _MARKS.get(role, "")
            style = base + self._palette.text(role)
            segments += [Segment(mark, style + Style(bold=True)), Segment(elide_end(text, room - len(mark)), style)]
        elif not self._busy and self._idle:
            segments.append(Segment(elide_end(self._idle, room), base + self._palette.text("muted")))
        return Strip(segments).adjust_cell_length(width, base)

    def _wake(self) -> None:
        """Repaint, and again when the spinner turns or the message runs out."""
        if not self.is_attached:
            return
        self.refresh()
        left = self._flash_until - monotonic()
        if self._timer is None and (self._busy or left > 0):
            pause = _SPIN_S if self._busy and self.app.animation_level != "none" else max(0.05, left + 0.01)
            self._timer = self.set_timer(pause, self._turn)

    def _turn(self) -> None:
        self._timer = None
        self._wake()
