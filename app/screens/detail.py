"""The detail pane: what is known about the selected object, in tabs that stand in its border."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import ContentSwitcher, Static

from ..presentation.cells import Cell, CellValue, Column, Row
from ..presentation.text import plain
from ..presentation.units import docker_size, short_duration
from ..widgets.inspect import JsonView
from ..widgets.logview import LogView
from ..widgets.table import LiveTable
from ..widgets.timeline import Timeline
from .overview import Overview

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget

    from engine.models import Container, Event, Phase

    from ..jobs import Job

TABS: dict[str, tuple[str, ...]] = {
    "containers": ("logs", "overview", "terminals", "timeline", "inspect"),
    "images": ("layers", "inspect"),
    "volumes": ("inspect",),
    "networks": ("inspect",),
    "projects": ("inspect",),
    "jobs": ("job",),
    "events": ("inspect",),
    "": ("welcome",),
}
TITLES = {
    "logs": "Logs",
    "overview": "Overview",
    "terminals": "Terminals",
    "timeline": "Timeline",
    "inspect": "Inspect",
    "layers": "Layers",
    "job": "Progress",
    "welcome": "Welcome",
}
SHORT_TITLES = {"overview": "Stats", "terminals": "Term", "timeline": "Time", "inspect": "JSON"}
_ROOMY = 60
"""Cells from which the tabs' whole names fit."""
LAYER_COLUMNS = (
    Column("number", "#", 3, align="right", sortable=False),
    Column("size", "size", 7, align="right", sortable=False),
    Column("age", "age", 4, priority=2, align="right", sortable=False),
    Column("made", "made by", 20, flex=1, sortable=False),
)


class DetailPane(Vertical):
    """Shows one tab of one object. The terminals tab is the dock beside it: here it is just its title."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "screen.back", "back", show=False)]

    class TabChosen(Message):
        """A tab's title was clicked."""

        def __init__(self, tab: str) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__(id="detail")
        self.kind = ""
        self.tab = "welcome"
        self.subject = ""
        self.terminals = 0
        self.logs = LogView(id="logs")
        self.overview = Overview(ascii_only=ascii_only)
        self.timeline = Timeline(id="timeline")
        self.inspect = JsonView(id="inspect")
        self.layer_list = LiveTable(LAYER_COLUMNS, empty="no layers", marks=False, id="layers")
        self.job = Vertical(id="job")
        self.job.can_focus = True
        self._shown_job: Job | None = None

    def compose(self) -> ComposeResult:
        with ContentSwitcher(id="tabs", initial="welcome"):
            yield self.logs
            yield self.overview
            yield self.timeline
            yield self.inspect
            yield self.layer_list
            yield self.job
            yield Static(welcome("p", "t", "alpine:latest"), id="welcome")

    def show(self, kind: str, subject: str, tab: str) -> None:
        """Show this tab of this object; a tab that its kind does not have becomes the kind's first."""
        tabs = TABS[kind]
        self.kind, self.subject = kind, subject
        self.tab = tab if tab in tabs else tabs[0]
        switcher = self.query_one("#tabs", ContentSwitcher)
        if self.tab != "terminals":
            switcher.current = self.tab
        self.retitle()

    def on_resize(self) -> None:
        self.retitle()

    def neighbour(self, step: int) -> str:
        """The tab beside the one in sight."""
        tabs = TABS[self.kind]
        return tabs[(tabs.index(self.tab) + step) % len(tabs)]

    @property
    def content(self) -> Widget:
        """The widget of the tab in sight."""
        tab = self.tab if self.tab != "terminals" else "logs"
        return self.query_one(f"#{tab}")

    def retitle(self) -> None:
        """Draw the tabs into the border."""
        parts: list[Content | tuple[str, str | Style]] = []
        if self.subject:
            parts += [(plain(self.subject), "bold"), (" ─ ", "$foreground 60%")]
        roomy = self.size.width >= _ROOMY
        for number, tab in enumerate(TABS[self.kind]):
            if number:
                parts.append((" │ " if roomy else "│", "$foreground 38%"))
            title = TITLES[tab] if roomy else SHORT_TITLES.get(tab, TITLES[tab])
            if tab == "terminals" and self.terminals:
                title += f" {self.terminals}"
            look = "bold $text-accent" if tab == self.tab else "$foreground 60%"
            text = Content.assemble((title, look))
            parts.append(text.stylize(Style.from_meta({"@click": ("screen.tab_clicked", (tab,))})))
        self.border_title = Content.assemble(*parts)
        self.border_subtitle = Content(self.logs.summary) if self.tab == "logs" and self.logs.summary else None

    def show_life(self, container: Container, phases: list[Phase], events: list[Event]) -> None:
        """Fill the timeline."""
        draw_life(self.timeline, container, phases, events)

    def show_document(self, document: Any) -> None:
        """Fill the inspect tab."""
        self.inspect.set_document(document)

    def show_layers(self, history: list[dict[str, Any]]) -> None:
        """Fill the layers tab from `docker history`'s shape, the newest on top."""
        self.layer_list.set_rows([_layer_row(number, step) for number, step in enumerate(history)])

    async def show_job(self, job: Job | None) -> None:
        """Show the bars of a job; bars stay mounted, so that switching loses nothing."""
        self._shown_job = job
        for child in self.job.children:
            child.display = job is not None and child is job.bars
        if job is not None and job.bars.parent is None:
            await self.job.mount(job.bars)


def draw_life(timeline: Timeline, container: Container, phases: list[Phase], events: list[Event]) -> None:
    """Fill a timeline with a container's life."""
    timeline.set_life(
        phases,
        events,
        state=container.state,
        created_ns=container.created_ns,
        started_ns=container.started_ns,
        finished_ns=container.finished_ns,
        now_ns=time.time_ns(),
    )


def welcome(pull_key: str, toolbox_key: str, suggested: str) -> Content:
    """What a person sees who has no image yet."""
    return Content.assemble(
        ("Welcome to pydock\n\n", "bold $text-accent"),
        ("There is no image here yet. Two keys change that:\n\n", ""),
        (f"{pull_key}", "bold $text-accent"),
        ("   pull an image from a registry\n", ""),
        (f"    {suggested} from Docker Hub is suggested, any name is taken\n\n", "$foreground 60%"),
        (f"{toolbox_key}", "bold $text-accent"),
        ("   make the toolbox image from this machine's own shell and tools\n", ""),
        ("    sh, coreutils, ip, ps and friends; needs no network\n\n", "$foreground 60%"),
        ("Then ", "$foreground 60%"),
        ("r", "bold $text-accent"),
        (" on the image runs it with a terminal.   ", "$foreground 60%"),
        ("?", "bold $text-accent"),
        (" shows all keys.", "$foreground 60%"),
    )


def _layer_row(number: int, step: dict[str, Any]) -> Row:
    created = int(step.get("Created", 0) or 0)
    made = plain(" ".join(str(step.get("CreatedBy", "") or step.get("Comment", "")).split()))
    size = int(step.get("Size", 0) or 0)
    cells: dict[str, CellValue] = {
        "number": Cell(str(number + 1), "muted"),
        "size": Cell(docker_size(size) if size else "–", "" if size else "muted"),
        "age": Cell(short_duration(time.time_ns() - created * 1_000_000_000) if created else "", "muted"),
        "made": Cell(made.removeprefix("/bin/sh -c #(nop) ").removeprefix("/bin/sh -c ")),
    }
    return Row(str(number), cells, "", made.lower())
