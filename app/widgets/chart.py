"""A braille graph of one or two series over time: fixed axis when there is a limit, current value in the title."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from ..presentation.units import count, short_duration
from .chart_paint import LIMIT_DASH, Run, area_rows, nice_ceiling, overlay, to_columns
from .roles import ROLE_CLASSES, Palette, role_css

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..presentation.cells import Role

_AXIS_FROM_HEIGHT = 4


class BrailleChart(Widget):
    """Values are evenly spaced over the window that ends now; NaN is a gap (the container was not running).

    With a limit the axis ends there, a dashed line marks it, and the graph turns to warning at 70 % and to error at
    90 % of it. Without one the axis ends at the next round number, which is written at its top.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    DEFAULT_CSS = (
        role_css("BrailleChart")
        + """
    BrailleChart {
        height: 7;
        border: round $foreground 20%;
        border-title-color: $text;
        border-subtitle-color: $text-muted;
    }
    """
    )

    def __init__(
        self,
        title: str = "",
        *,
        roles: Sequence[Role] = ("primary",),
        labels: Sequence[str] = (),
        unit: Callable[[float], str] | None = None,
        window_s: float = 900,
        floor: float = 0.0,
        binary: bool = False,
        empty: str = "no samples yet",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`labels` go before each series' current value ("↓", "↑"); `floor` is the least end of a free axis;
        `binary`: the axis ends at powers of two (bytes)."""
        super().__init__(id=id, classes=classes)
        self._title = title
        self._roles = tuple(roles)
        self._labels = tuple(labels)
        self._unit = unit or count
        self._window_s = window_s
        self._floor = floor
        self._binary = binary
        self._empty = empty
        self._series: tuple[Sequence[float], ...] = ()
        self._limit: float | None = None
        self._current = ""
        self._palette = Palette(self)
        self._strips: list[Strip] | None = None
        self.border_title = Content.styled(title, "bold")

    def set_series(
        self,
        series: Sequence[Sequence[float]],
        *,
        limit: float | None = None,
        window_s: float | None = None,
        current: str | None = None,
    ) -> None:
        """New values, oldest first; the sequences are kept, not copied.

        `current` replaces the title's text for the newest values."""
        window = self._window_s if window_s is None else window_s
        self._series, self._limit, self._window_s = tuple(series), limit, window
        self._retitle(current)
        before = self._strips
        if before is None or not self.is_attached:
            self.refresh()
            return
        # Painted at once, so that only the rows that differ go through the compositor again.
        self._strips = self._paint()
        if len(before) != len(self._strips):
            self.refresh()
            return
        changed = [row for row, (old, new) in enumerate(zip(before, self._strips, strict=True)) if old != new]
        if changed:
            self.refresh(*(Region(0, row, self.size.width, 1) for row in changed))

    def _retitle(self, current: str | None) -> None:
        if current is None:
            parts = []
            for number, values in enumerate(self._series):
                newest = next((value for value in reversed(values[-4:]) if value == value), None)
                if newest is not None:
                    label = self._labels[number] if number < len(self._labels) else ""
                    parts.append(f"{label}{self._unit(newest)}")
            current = " ".join(parts)
            if current and self._limit and len(self._series) == 1:
                current += f" / {self._unit(self._limit)}"
        if current != self._current:
            self._current = current
            self.border_title = Content.assemble((self._title, "bold"), f" {current}" if current else "")

    def on_resize(self) -> None:
        self._strips = None

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._palette.clear()
        self._strips = None

    def render_line(self, y: int) -> Strip:
        if self._strips is None:
            self._strips = self._paint()
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self._palette.base)

    def _paint(self) -> list[Strip]:
        width, height = self.size
        columns = [to_columns(values, width * 2) for values in self._series]
        peak = max((max(values, default=-1.0) for values in columns), default=-1.0)
        if peak < 0:
            return self._paint_empty(width, height)
        axis = height >= _AXIS_FROM_HEIGHT
        rows = height - axis
        if self._limit:
            top = max(self._limit, peak)
        else:
            top = nice_ceiling(max(peak, self._floor), binary=self._binary)
        if len(columns) == 1 or rows < 2:
            painted = self._area(columns, 0, rows, top)
        else:
            upper = (rows + 1) // 2
            painted = self._area(columns, 0, upper, top) + self._area(columns, 1, rows - upper, top, down=True)
        if rows >= 2:
            self._mark_top(painted, width, top, rows)
        strips = [self._strip(runs, width) for runs in painted]
        if axis:
            strips.append(self._axis(width))
        return strips

    def _area(
        self, columns: Sequence[Sequence[float]], number: int, rows: int, top: float, *, down: bool = False
    ) -> list[list[Run]]:
        role = self._roles[min(number, len(self._roles) - 1)]
        return area_rows(columns[number], rows, top, role, limit=self._limit, down=down)

    def _mark_top(self, painted: list[list[Run]], width: int, top: float, rows: int) -> None:
        label = self._unit(top if not self._limit else self._limit)
        if self._limit:
            span = rows if len(self._series) == 1 else (rows + 1) // 2
            row = min(span - 1, int((1 - self._limit / top) * span))
            painted[row] = _label(painted[row], f"{label} ", width)
            painted[row] = overlay(painted[row], LIMIT_DASH * width, 0, "error")
        else:
            painted[0] = _label(painted[0], label, width)

    def _strip(self, runs: Sequence[Run], width: int) -> Strip:
        base = self._palette.base
        segments = [Segment(run.text, base + self._palette.paint(run.role)) for run in runs]
        return Strip(segments).adjust_cell_length(width, base)

    def _axis(self, width: int) -> Strip:
        style = self._palette.base + self._palette.text("muted")
        start = f"-{short_duration(int(self._window_s * 1e9))}"
        line = start.ljust(width - 3) + "now" if width > len(start) + 4 else start[:width]
        for third in (1, 2) if width >= 40 else ():
            mark = f"-{short_duration(int(self._window_s * (3 - third) * 1e9 / 3))}"
            place = width * third // 3 - len(mark) // 2
            line = line[:place] + mark + line[place + len(mark) :]
        return Strip([Segment(line, style)]).adjust_cell_length(width, self._palette.base)

    def _paint_empty(self, width: int, height: int) -> list[Strip]:
        base = self._palette.base
        blank = Strip.blank(width, base)
        text = self._empty[:width]
        pad = (width - len(text)) // 2
        line = Strip([Segment(" " * pad, base), Segment(text, base + self._palette.text("muted"))])
        strips = [blank] * height
        if height:
            strips[(height - 1) // 2] = line.adjust_cell_length(width, base)
        return strips


def _label(runs: list[Run], text: str, width: int) -> list[Run]:
    """The axis' end, at the left or right edge, only where all of it is readable."""
    row = "".join(run.text for run in runs).ljust(width)
    for start in (0, width - len(text)):
        if start >= 0 and not row[start : start + len(text)].strip():
            return overlay(runs, text, start, "muted")
    return runs
