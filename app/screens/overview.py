"""The Overview tab: facts, graphs since the container's birth, processes. Room decides how much of each is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Grid, Vertical
from textual.widgets import Static

from ..presentation.cells import Cell, CellValue, Column, Row
from ..presentation.text import plain
from ..presentation.units import percent, short_duration, size
from ..widgets.table import LiveTable
from .charts import METRICS, feed_charts, make_charts
from .facts import facts, lay_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from engine.models import Container, Process

    from ..track import Track

PROCESS_COLUMNS = (
    Column("pid", "pid", 7, align="right"),
    Column("user", "user", 8, priority=3),
    Column("state", "st", 2, priority=4),
    Column("cpu", "cpu %", 6, priority=1, align="right"),
    Column("rss", "mem", 5, priority=2, align="right"),
    Column("time", "time", 4, priority=5, align="right"),
    Column("command", "command", 12, flex=1),
)


class Overview(Vertical, can_focus=True):
    """What one container is and does."""

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__(id="overview")
        self.charts = make_charts(METRICS, "overview")
        self.processes = LiveTable(PROCESS_COLUMNS, empty="no process", marks=False, id="processes")
        self._facts = Static("", id="facts")
        self._ascii = ascii_only

    def compose(self) -> ComposeResult:
        yield self._facts
        yield Grid(id="overview-graphs")
        yield self.processes

    def populate(self) -> None:
        """Mount the graphs, when the tab is looked at first: styling what nobody sees delays the first frame."""
        grid = self.query_one("#overview-graphs", Grid)
        if not grid.children:
            grid.mount(*self.charts.values())

    def show(self, container: Container, track: Track | None, window_s: int, *, busy: str = "") -> None:
        """Draw the facts and the graphs."""
        width, height = self.size
        if self._facts.display and width:
            rows = max(3, height - 24) if height < 40 else 0
            self._facts.update(lay_out(facts(container, busy=busy, ascii_only=self._ascii), width - 2, rows))
        if track is not None:
            feed_charts(self.charts, track, container, window_s)

    def show_processes(self, processes: Sequence[Process]) -> None:
        """Draw the process list, by use of the CPU."""
        ordered = sorted(processes, key=lambda process: (-process.cpu_percent, process.pid))
        self.processes.set_rows([_process_row(process) for process in ordered])


def _process_row(process: Process) -> Row:
    cells: dict[str, CellValue] = {
        "pid": Cell(str(process.pid), "muted"),
        "user": Cell(plain(process.user), "secondary"),
        "state": Cell(process.state, "muted"),
        "cpu": Cell(percent(process.cpu_percent)),
        "rss": Cell(size(process.rss)),
        "time": Cell(short_duration(process.cpu_time_ns), "muted"),
        "command": Cell(plain(process.command)),
    }
    return Row(str(process.pid), cells, "", process.command.lower())
