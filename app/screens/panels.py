"""The lists of the left side: containers, images, volumes, networks, projects, jobs, events.

A panel turns the model into rows (through `presentation`), filters and sorts them, and says in its border what it
shows. It acts on nothing: keys of a panel end in messages or actions of the dashboard.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.containers import Vertical
from textual.content import Content

from ..keymap import bindings
from ..presentation.cells import Cell, Column, Row
from ..presentation.rows import (
    CONTAINER_COLUMNS,
    IMAGE_COLUMNS,
    NETWORK_COLUMNS,
    VOLUME_COLUMNS,
    container_row,
    image_row,
    network_row,
    volume_row,
)
from ..presentation.sort import SORT_KEYS, matches, sort_containers
from ..presentation.text import plain
from ..presentation.units import clock, precise_duration
from ..widgets.table import LiveTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from engine.models import Container, Event

    from ..model import Model

ALIVE = ("running", "paused", "restarting")


class ListPanel(Vertical):
    """One bordered list. Subclasses say how the model becomes rows."""

    kind: ClassVar[str] = ""
    number: ClassVar[int] = 0
    heading: ClassVar[str] = ""
    columns: ClassVar[tuple[Column, ...]] = ()
    empty: ClassVar[Sequence[Cell] | str] = "nothing here"

    def __init__(self, *, ascii_only: bool = False) -> None:
        super().__init__(id=f"panel-{self.kind}", classes="panel")
        self.table = LiveTable(
            self.columns,
            empty=self.empty,
            marks=self.kind == "containers",
            id=f"table-{self.kind}",
        )
        self.filter_text = ""
        self.ascii_only = ascii_only
        self._total = 0

    def compose(self) -> ComposeResult:
        yield self.table

    def rows(self, model: Model, now_ns: int) -> list[Row]:
        """All rows, sorted."""
        raise NotImplementedError

    def count_text(self, model: Model) -> str:
        """The number in the border."""
        return str(self._total)

    def note(self) -> str:
        """What the lower border says about sort and filter."""
        return f"/{self.filter_text}" if self.filter_text else ""

    def show(self, model: Model) -> None:
        """Draw the model."""
        rows = self.rows(model, time.time_ns())
        self._total = len(rows)
        if self.filter_text:
            rows = [row for row in rows if matches(row.search, self.filter_text)]
        self.table.highlight(self.filter_text)
        self.table.set_rows(rows)
        count = self.count_text(model)
        self.border_title = Content.assemble(
            (f"{self.number} ", "$foreground 60%"), self.heading, (f" {count}" if count else "", "$foreground 60%")
        )
        self.border_subtitle = Content(self.note()) if self.note() else None

    @property
    def selected(self) -> str:
        """Key of the row under the cursor; "" without rows."""
        return self.table.cursor_key


class ContainersPanel(ListPanel):
    """All containers, or the running ones."""

    kind = "containers"
    number = 1
    heading = "Containers"
    columns = CONTAINER_COLUMNS
    empty = "no container yet"

    def __init__(self, *, sort: str, reverse: bool, show_all: bool, ascii_only: bool = False) -> None:
        super().__init__(ascii_only=ascii_only)
        self.sort = sort if sort in SORT_KEYS else "state"
        self.reverse = reverse
        self.show_all = show_all

    def rows(self, model: Model, now_ns: int) -> list[Row]:
        chosen = [
            container
            for container in model.containers.values()
            if self.show_all or container.state in ALIVE or container.id in model.pending
        ]
        ordered = sort_containers(chosen, self.sort, reverse=self.reverse, readings=model.usage)
        self.table.set_sort(self.sort, self.reverse)
        return [
            container_row(
                container,
                now_ns=now_ns,
                reading=model.usage.get(container.id),
                trend=tuple(model.trends.get(container.id, ())),
                busy=model.pending.get(container.id, ""),
                ascii_only=self.ascii_only,
            )
            for container in ordered
        ]

    def count_text(self, model: Model) -> str:
        running = sum(container.state in ALIVE for container in model.containers.values())
        return f"{running}/{len(model.containers)}" if model.containers else ""

    def note(self) -> str:
        marked = len(self.table.marked)
        parts = [
            f"{marked} marked" if marked else "",
            super().note(),
            "all" if self.show_all else "running",
            f"sort {self.sort}{' reversed' if self.reverse else ''}",
        ]
        return " · ".join(part for part in parts if part)

    def show(self, model: Model) -> None:
        self.table.set_empty(self._empty_lines(model))
        super().show(model)

    def _empty_lines(self, model: Model) -> Sequence[Cell]:
        if self.filter_text:
            return (Cell("no container matches", "muted"), Cell("esc shows all again", "muted"))
        if model.containers:
            return (Cell("no container is running", "muted"), Cell("A shows the stopped ones", "accent"))
        if model.images:
            return (Cell("no container yet", "muted"), Cell("n  run one", "accent"))
        return (
            Cell("no container yet", "muted"),
            Cell("p  pull an image", "accent"),
            Cell("t  make toolbox", "accent"),
        )

    def next_sort(self) -> str:
        """The next order in turn."""
        index = SORT_KEYS.index(self.sort)
        self.sort, self.reverse = SORT_KEYS[(index + 1) % len(SORT_KEYS)], False
        return self.sort

    def sort_by(self, column: str) -> None:
        """A click on a title: this order, or its reverse when it is this one already."""
        if column in SORT_KEYS:
            self.reverse = not self.reverse if column == self.sort else False
            self.sort = column


class ImagesPanel(ListPanel):
    """Images by name."""

    kind = "images"
    number = 2
    heading = "Images"
    columns = IMAGE_COLUMNS
    empty = (Cell("no image yet", "muted"), Cell("p  pull one", "accent"), Cell("t  make toolbox", "accent"))
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("images")]

    def rows(self, model: Model, now_ns: int) -> list[Row]:
        images = sorted(model.images, key=lambda image: (not image.references, image.references, image.id))
        return [image_row(image, now_ns=now_ns, used_by=len(model.users_of_image(image))) for image in images]


class VolumesPanel(ListPanel):
    """Volumes by name, anonymous ones last."""

    kind = "volumes"
    number = 3
    heading = "Volumes"
    columns = VOLUME_COLUMNS
    empty = (Cell("no volume", "muted"), Cell("n  create one", "accent"))
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("volumes")]

    def rows(self, model: Model, now_ns: int) -> list[Row]:
        volumes = sorted(model.volumes, key=lambda volume: (volume.anonymous, volume.name))
        return [volume_row(volume, now_ns=now_ns) for volume in volumes]


class NetworksPanel(ListPanel):
    """Networks by name."""

    kind = "networks"
    number = 4
    heading = "Networks"
    columns = NETWORK_COLUMNS
    empty = "no network"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("networks")]

    def rows(self, model: Model, now_ns: int) -> list[Row]:
        return [network_row(network) for network in sorted(model.networks, key=lambda network: network.name)]


class ProjectsPanel(ListPanel):
    """Compose projects, by the label that compose gives their containers."""

    kind = "projects"
    number = 5
    heading = "Projects"
    columns = (
        Column("name", "project", 10, flex=2, elide="middle"),
        Column("running", "up", 5, priority=1, align="right"),
    )
    empty = "no container belongs to a compose project"

    def rows(self, model: Model, now_ns: int) -> list[Row]:
        result = []
        for project in model.projects():
            running = sum(container.state in ALIVE for container in project.containers)
            role = "success" if running == len(project.containers) else "warning" if running else "muted"
            cells = {
                "name": Cell(plain(project.name)),
                "running": Cell(f"{running}/{len(project.containers)}", role),  # type: ignore[arg-type]
            }
            result.append(Row(project.name, dict(cells), "", project.name.lower()))
        return result


class JobsPanel(ListPanel):
    """Pulls and other long work, the newest first."""

    kind = "jobs"
    number = 6
    heading = "Jobs"
    columns = (
        Column("glyph", "", 1, sortable=False),
        Column("title", "job", 12, flex=3, elide="middle"),
        Column("state", "state", 7, priority=1),
        Column("time", "time", 7, priority=2, align="right"),
    )
    empty = (Cell("no job", "muted"), Cell("p  pull an image", "accent"))
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("jobs")]

    def rows(self, model: Model, now_ns: int) -> list[Row]:
        result = []
        for job in model.jobs:
            if job.running:
                glyph, word = Cell("◌", "secondary"), Cell("running", "secondary")
            elif job.error:
                glyph, word = Cell("✖", "error"), Cell("failed", "error")
            else:
                glyph, word = Cell("●", "success"), Cell("done", "success")
            spent = (job.finished_ns or now_ns) - job.started_ns
            text = f"{spent // 1_000_000_000}s" if job.running else precise_duration(spent)
            cells = {"glyph": glyph, "title": Cell(plain(job.title)), "state": word, "time": Cell(text, "muted")}
            result.append(Row(job.id, dict(cells), "", job.title.lower()))
        return result

    def count_text(self, model: Model) -> str:
        running = sum(job.running for job in model.jobs)
        return f"{running} running" if running else str(len(model.jobs) or "")


class EventsPanel(ListPanel):
    """The newest events first."""

    kind = "events"
    number = 7
    heading = "Events"
    columns = (
        Column("time", "time", 8),
        Column("what", "event", 14, flex=1),
        Column("who", "of", 8, flex=2, elide="middle"),
    )
    empty = "nothing has happened yet"
    _SHOWN = 300

    def rows(self, model: Model, now_ns: int) -> list[Row]:
        return [event_row(event) for event in list(model.events)[: -self._SHOWN - 1 : -1]]

    def show(self, model: Model) -> None:
        super().show(model)
        # The newest stays selected unless somebody reads further down.
        if not self.table.has_focus and self.table.rows:
            self.table.move_cursor_to(self.table.rows[0].key)

    def count_text(self, model: Model) -> str:
        if not model.events:
            return ""
        last = model.events[-1]
        return f"{last.action.partition(':')[0]} {clock(last.time_ns)}"


def event_row(event: Event) -> Row:
    """An event: when, what, of whom."""
    who = plain(event.attributes.get("name", "") or event.actor.removeprefix("sha256:")[:12])
    role = "error" if event.action == "oom" else "warning" if event.action in ("die", "kill") else ""
    what = event.action if event.type == "container" else f"{event.type} {event.action}"
    if code := event.attributes.get("exitCode", ""):
        what += f" {code}"
    cells = {"time": Cell(clock(event.time_ns), "muted"), "what": Cell(what, role), "who": Cell(who)}  # type: ignore[arg-type]
    return Row(str(event.id), dict(cells), "", f"{what} {who}".lower())


def alive(container: Container) -> bool:
    """Whether it has processes."""
    return container.state in ALIVE
