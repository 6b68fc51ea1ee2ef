"""The host bar: name, CPU and memory of this machine with their recent course, containers by state, notes."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from ..presentation.rows import level
from ..presentation.text import plain
from ..presentation.units import percent, size
from .roles import ROLE_CLASSES, Palette, role_css
from .sparkline import sparkline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..presentation.cells import Role

_HISTORY = 32
_STATES: tuple[tuple[str, str, str, Role], ...] = (
    ("running", "●", "*", "success"),
    ("paused", "◐", "=", "warning"),
    ("restarting", "↻", "@", "warning"),
    ("created", "○", "o", "secondary"),
    ("exited", "◼", "-", "muted"),
    ("failed", "✖", "x", "error"),
)


class HostBar(Widget):
    """One row at the top. Parts give way when the row is short: notes, memory, CPU, at last the states."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    DEFAULT_CSS = role_css("HostBar") + "\nHostBar { height: 1; dock: top; background: $panel; color: $foreground; }"

    def __init__(self, name: str = "pydock", *, ascii_only: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._name_shown = name
        self._ascii = ascii_only
        self._cpu: deque[float] = deque(maxlen=_HISTORY)
        self._memory: deque[float] = deque(maxlen=_HISTORY)
        self._used = self._total = 0
        self._counts: dict[str, int] = {}
        self._notes: tuple[str, ...] = ()
        self._palette = Palette(self)

    def set_host(self, cpu_percent: float, memory_used: int, memory_total: int) -> None:
        """A new reading; `cpu_percent` is of the whole machine (0 to 100). The bar keeps the history."""
        self._cpu.append(cpu_percent)
        self._memory.append(memory_used / memory_total * 100 if memory_total else 0.0)
        self._used, self._total = memory_used, memory_total
        self.refresh()

    def set_counts(self, counts: Mapping[str, int]) -> None:
        """Containers by word: running, paused, restarting, created, exited (ended well), failed."""
        if dict(counts) != self._counts:
            self._counts = dict(counts)
            self.refresh()

    def set_notes(self, notes: Sequence[str]) -> None:
        """Short words at the right end ("cgroup v1", "2 warnings")."""
        if tuple(notes) != self._notes:
            self._notes = tuple(notes)
            self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._palette.clear()

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self._palette.base
        if y:
            return Strip.blank(width, base)
        trend = 8 if width >= 100 else 4
        left = self._parts(trend)
        right = plain(" · ".join(self._notes))
        room = width - 2
        while len(left) > 1 and _length(left) + (cell_len(right) + 2 if right else 0) > room:
            if right:
                right = ""
            else:
                # The states go last: they are what the bar is for.
                left.pop(-2 if len(left) > 2 else -1)
        segments = [Segment(" ", base)]
        for number, part in enumerate(left):
            segments.extend(([Segment("   ", base)] if number else []) + part)
        used = 1 + _length(left)
        if right:
            segments.append(Segment(" " * (width - used - cell_len(right) - 1), base))
            segments.append(Segment(right, base + self._palette.text("muted")))
        return Strip(segments).adjust_cell_length(width, base)

    def _parts(self, trend: int) -> list[list[Segment]]:
        base, text = self._palette.base, self._palette.text
        muted = base + text("muted")
        parts = [[Segment(self._name_shown, base + text("accent") + Style(bold=True))]]
        if self._cpu:
            now = self._cpu[-1]
            parts.append(
                [
                    Segment("cpu ", muted),
                    Segment(sparkline(tuple(self._cpu), trend, 100.0), base + self._palette.paint("primary")),
                    Segment(f" {percent(now):>5}", base + text(level(now))),
                ]
            )
            share = self._memory[-1]
            parts.append(
                [
                    Segment("mem ", muted),
                    Segment(sparkline(tuple(self._memory), trend, 100.0), base + self._palette.paint("accent")),
                    Segment(f" {size(self._used)}/{size(self._total)}", base + text(level(share))),
                ]
            )
        states: list[Segment] = []
        for word, glyph, plain_glyph, role in _STATES:
            count = self._counts.get(word, 0)
            if count:
                states.append(Segment(plain_glyph if self._ascii else glyph, base + text(role)))
                states.append(Segment(f" {count}  ", base))
        if states:
            last = states[-1]
            states[-1] = Segment(last.text.rstrip(), last.style)
            parts.append(states)
        return parts


def _length(parts: Sequence[Sequence[Segment]]) -> int:
    return sum(segment.cell_length for part in parts for segment in part) + 3 * (len(parts) - 1)
