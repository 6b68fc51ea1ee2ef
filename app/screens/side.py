"""The right column of a wide screen: graphs, timeline and limits of the selected container.

Also the strip of four graphs below the detail pane on middle-sized screens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from ..presentation.text import plain
from ..widgets.timeline import Timeline
from .charts import METRICS, clear_charts, feed_charts, make_charts
from .facts import limit_values

if TYPE_CHECKING:
    from engine.models import Container

    from ..track import Track


class GraphStrip(Horizontal):
    """CPU, memory, network and pressure or disk in one row."""

    def __init__(self) -> None:
        super().__init__(id="graph-strip")
        self.charts = make_charts(("cpu", "memory", "net", "io"), "strip")

    def populate(self) -> None:
        """Mount the graphs, once there is room for them."""
        if not self.children:
            self.mount(*self.charts.values())

    def show(self, container: Container | None, track: Track | None, window_s: int) -> None:
        """Draw, or clear without a container."""
        if track is None:
            clear_charts(self.charts)
        else:
            feed_charts(self.charts, track, container, window_s)


class SideColumn(Vertical):
    """Six graphs, the timeline, the limits."""

    def __init__(self) -> None:
        super().__init__(id="side")
        self.charts = make_charts(METRICS, "side")
        self.timeline = Timeline(id="side-timeline")
        self.limits = Static("", id="side-limits")

        self.timeline.border_title = Content("Timeline")
        self.timeline.can_focus = False
        self.limits.border_title = Content("Limits")

    def populate(self) -> None:
        """Mount the contents, once the screen is wide enough."""
        if not self.children:
            self.mount(Vertical(*self.charts.values(), id="side-graphs"), self.timeline, self.limits)

    def show(self, container: Container | None, track: Track | None, window_s: int) -> None:
        """Draw, or clear without a container."""
        if container is None or track is None:
            clear_charts(self.charts)
            self.limits.update("")
            return
        feed_charts(self.charts, track, container, window_s)
        self.limits.border_title = Content.assemble("Limits ", (plain(container.name), "$foreground 60%"))
        values = limit_values(container)
        half = (len(values) + 1) // 2
        lines = []
        for left, right in zip(values[:half], values[half:], strict=False):
            parts: list[tuple[str, str]] = []
            for name, value in (left, right):
                parts += [
                    (f" {name:<8}", "$foreground 60%"),
                    (f"{value:<18}", "$foreground 38%" if value == "–" else ""),
                ]
            lines.append(Content.assemble(*parts))
        self.limits.update(Content("\n").join(lines))
