"""The life of a container: its phases as bars on one axis with their durations, and what happened when.

Phases last from microseconds to minutes; on a linear axis all but the longest would vanish. Bars therefore stand
where they come in the sequence of the start, and lengths follow the share of the whole with at least a mark each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from ..presentation.life import Stretch, stretches
from ..presentation.text import elide_end, plain
from ..presentation.units import clock, precise_duration
from .lineview import LineView
from .roles import role_css

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.models import Event, Phase

    from ..presentation.cells import Role

_EVENT_ROLES: dict[str, Role] = {
    "start": "success",
    "unpause": "success",
    "die": "warning",
    "oom": "error",
    "kill": "warning",
    "destroy": "error",
    "pause": "warning",
    "create": "secondary",
    "restart": "accent",
}
_SHOWN_ATTRIBUTES = ("exitCode", "signal", "execID", "image")


class Timeline(LineView):
    """Start-up phases as a Gantt chart, then states as one bar, then events, newest first."""

    DEFAULT_CSS = role_css("Timeline") + "\nTimeline { background: $background; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "down", show=False, id="timeline.down"),
        Binding("up,k", "scroll_up", "up", show=False, id="timeline.up"),
        Binding("pagedown", "page_down", "page down", show=False, id="timeline.page-down"),
        Binding("pageup", "page_up", "page up", show=False, id="timeline.page-up"),
        Binding("home,g", "scroll_home", "top", show=False, id="timeline.top"),
        Binding("end,G", "scroll_end", "bottom", show=False, id="timeline.bottom"),
    ]

    def __init__(self, *, empty: str = "no phases recorded", id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._empty = empty
        self._phases: tuple[Phase, ...] = ()
        self._events: tuple[Event, ...] = ()
        self._state = ""
        self._life: tuple[int, int, int, int] = (0, 0, 0, 0)
        self._strips: list[Strip] | None = None

    def set_life(
        self,
        phases: Sequence[Phase],
        events: Sequence[Event] = (),
        *,
        state: str = "",
        created_ns: int = 0,
        started_ns: int = 0,
        finished_ns: int = 0,
        now_ns: int = 0,
    ) -> None:
        """What to draw: the phases of the last start, the events of the container in any order, and the times of
        its record. Nothing is painted when nothing changed; `now_ns` counts by the second."""
        second = now_ns // 1_000_000_000 * 1_000_000_000
        life = (created_ns, started_ns, finished_ns, second)
        values = (tuple(phases), tuple(sorted(events, key=lambda event: event.id)), state, life)
        if values != (self._phases, self._events, self._state, self._life):
            self._phases, self._events, self._state, self._life = values
            self._strips = None
            self._resize()
            self.refresh()

    def lines_reflow(self) -> None:
        self._strips = None
        self._resize()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips = None

    def render_line(self, y: int) -> Strip:
        strips = self._painted()
        row = y + self.scroll_offset.y
        return strips[row] if row < len(strips) else Strip.blank(self.line_width, self.palette.base)

    def _resize(self) -> None:
        count = 1 if not self._phases and not self._events else 0
        count += len(self._phases) + 2 if self._phases else 0
        count += 4 if self._bar_stretches() else 0
        count += len(self._events) + 1 if self._events else 0
        self.virtual_size = Size(self.line_width, count)

    def _painted(self) -> list[Strip]:
        if self._strips is None:
            width = self.line_width
            lines: list[list[Segment]] = []
            if self._phases:
                lines += self._phase_lines(width)
            if self._bar_stretches():
                lines += self._life_lines(width)
            if self._events:
                lines += self._event_lines(width)
            if not lines:
                pad = max(0, (width - len(self._empty)) // 2)
                lines = [[Segment(" " * pad + self._empty, self.palette.base + self.palette.text("muted"))]]
            base = self.palette.base
            self._strips = [Strip(line).adjust_cell_length(width, base) for line in lines]
        return self._strips

    def _heading(self, text: str, note: str, width: int) -> list[Segment]:
        base = self.palette.base
        gap = max(1, width - len(text) - len(note) - 2)
        return [
            Segment(" " + text, base + self.palette.text("accent") + Style(bold=True)),
            Segment(" " * gap, base),
            Segment(note, base + self.palette.text("muted")),
        ]

    def _phase_lines(self, width: int) -> list[list[Segment]]:
        base, muted = self.palette.base, self.palette.base + self.palette.text("muted")
        first = min(phase.start_ns for phase in self._phases)
        last = max(phase.start_ns + phase.duration_ns for phase in self._phases)
        span = max(1, last - first)
        longest = max(phase.duration_ns for phase in self._phases)
        names = [plain(phase.name) for phase in self._phases]
        label = min(max(map(len, names)), max(8, width // 3))
        room = max(4, width - label - 13)
        lines = [self._heading("start", precise_duration(span), width)]
        for phase, name in zip(self._phases, names, strict=True):
            left = min(room - 1, (phase.start_ns - first) * room // span)
            length = max(1, min(room - left, round(phase.duration_ns * room / span)))
            slow = phase.duration_ns == longest and len(self._phases) > 1
            thin = phase.duration_ns * room < span
            bar = base + self.palette.paint("warning" if slow else "primary")
            lines.append(
                [
                    Segment(f" {elide_end(name, label):<{label}} ", base),
                    Segment("·" * left, base + self.palette.line("rule")),
                    Segment("▏" if thin else "▇" * length, bar),
                    Segment(" " * (room - left - (1 if thin else length)), base),
                    Segment(f"{precise_duration(phase.duration_ns):>10}", muted if not slow else bar),
                ]
            )
        return [*lines, []]

    def _bar_stretches(self) -> list[Stretch]:
        created, started, finished, now = self._life
        return stretches(
            self._events, state=self._state, created_ns=created, started_ns=started, finished_ns=finished, now_ns=now
        )

    def _life_lines(self, width: int) -> list[list[Segment]]:
        base = self.palette.base
        parts = self._bar_stretches()
        span = max(1, parts[-1].end_ns - parts[0].start_ns)
        room = max(4, width - 2)
        bar: list[Segment] = [Segment(" ", base)]
        legend: list[Segment] = [Segment(" ", base)]
        position = 0
        for number, part in enumerate(parts):
            # Every stretch is seen, however short; the last takes what is left.
            end = (part.end_ns - parts[0].start_ns) * room // span
            end = max(position + 1, min(end, room - (len(parts) - 1 - number)))
            length = end - position if number < len(parts) - 1 else room - position
            if length <= 0:
                break
            style = base + self.palette.paint(part.role)
            bar.append(Segment(part.glyph * length, style))
            word = f"{part.word} {precise_duration(part.end_ns - part.start_ns)}"
            text = word if len(word) < length else ""
            legend.append(Segment(text.ljust(length), base + self.palette.text(part.role)))
            position = end
        total = precise_duration(parts[-1].end_ns - parts[0].start_ns)
        return [self._heading("life", total, width), bar, legend, []]

    def _event_lines(self, width: int) -> list[list[Segment]]:
        base, muted = self.palette.base, self.palette.base + self.palette.text("muted")
        lines = [self._heading("events", str(len(self._events)), width)]
        for event in reversed(self._events):
            details = " ".join(
                f"{name}={plain(event.attributes[name])}" for name in _SHOWN_ATTRIBUTES if name in event.attributes
            )
            action = plain(event.action)
            lines.append(
                [
                    Segment(f" {clock(event.time_ns)}  ", muted),
                    Segment(f"{action:<12} ", base + self.palette.text(_EVENT_ROLES.get(action, ""))),
                    Segment(elide_end(details, max(1, width - 24)), muted),
                ]
            )
        return lines
