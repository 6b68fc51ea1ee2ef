"""The dashboard: lists, the selected object's detail, terminals, graphs; it wires messages to drawing.

What keys do beyond moving about is in `commands.py`; how the parts are laid out at which size is in the style sheet.
"""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from textual import on
from textual.containers import Container as Box
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from engine.errors import EngineError

from ..bridge import Changed, Sampled
from ..host import Host
from ..jobs import JobChanged
from ..presentation.state import container_look
from ..widgets.header import HostBar
from ..widgets.logview import LogView
from ..widgets.statusline import StatusLine
from ..widgets.table import LiveTable
from ..widgets.terminal import TerminalPane
from .charts import WINDOWS_S, natural_window, tracked
from .commands import Commands
from .detail import DetailPane
from .dock import TerminalDock
from .footer import KeyFooter
from .hints import hints
from .loading import DetailLoader
from .panels import (
    ContainersPanel,
    EventsPanel,
    ImagesPanel,
    JobsPanel,
    ListPanel,
    NetworksPanel,
    ProjectsPanel,
    VolumesPanel,
)
from .side import GraphStrip, SideColumn
from .strip import PanelStrip

if TYPE_CHECKING:
    from textual import events
    from textual.app import ComposeResult

    from engine.models import Container, Image

    from ..bridge import Bridge
    from ..keymap import Keymap
    from ..model import Model
    from ..settings import Remembered, Settings

_SLOW_TICKS = 15


class DashboardScreen(Commands):
    """The one screen; dialogs are pushed over it."""

    # A maximised widget would swallow escape, which belongs to programs in terminals.
    ESCAPE_TO_MINIMIZE = False
    AUTO_FOCUS = None
    HORIZONTAL_BREAKPOINTS = [
        (0, "-tiny"),
        (60, "-narrow"),
        (100, "-normal"),
        (160, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [
        (0, "-flat"),
        (16, "-short"),
        (30, "-mid"),
        (46, "-tall"),
    ]

    def __init__(
        self, bridge: Bridge, model: Model, settings: Settings, keymap: Keymap, remembered: Remembered
    ) -> None:
        super().__init__(bridge, model, settings, keymap)
        self.remembered = remembered
        self.host = Host()
        self.panels: dict[str, ListPanel] = {
            panel.kind: panel
            for panel in (
                ContainersPanel(
                    sort=remembered.sort,
                    reverse=remembered.reverse,
                    show_all=remembered.show_all,
                    ascii_only=settings.ascii,
                ),
                ImagesPanel(),
                VolumesPanel(),
                NetworksPanel(),
                ProjectsPanel(),
                JobsPanel(),
                EventsPanel(),
            )
        }
        self.panel = "containers"
        self.header = HostBar(ascii_only=settings.ascii)
        self.strip = PanelStrip([(panel.kind, _strip_name(panel)) for panel in self.panels.values()])
        self.detail = DetailPane(ascii_only=settings.ascii)
        self.dock = TerminalDock()
        self.graphs = GraphStrip()
        self.side = SideColumn()
        self.status = StatusLine()
        self.footer = KeyFooter()
        self.window_s = 0
        """Length of the graphs' time axis, chosen by < and >; 0: since the container's birth."""
        self._tabs = {"containers": remembered.tab, "images": "layers"}
        self._wanted = remembered.container
        self._preset_classes()
        self._ticks = 0
        self.loader = DetailLoader(self)

    def _preset_classes(self) -> None:
        """Classes that will be needed, before anything is mounted: each later change styles every widget anew."""
        columns, rows = shutil.get_terminal_size()
        for size, breakpoints in ((columns, self.HORIZONTAL_BREAKPOINTS), (rows, self.VERTICAL_BREAKPOINTS)):
            self.add_class([name for least, name in breakpoints if size >= least][-1])
        self.set_class(bool(self.model.containers), "on-container")
        self.set_class(bool(self.model.containers) and self.remembered.tab == "overview", "tab-overview")
        first = "containers" if self.model.containers or self.model.images else "images"
        self.panels[first].add_class("active")

    def compose(self) -> ComposeResult:
        with Vertical(id="workspace"):
            yield self.header
            yield self.strip
            with Box(id="body"):
                with Vertical(id="lists"):
                    yield from self.panels.values()
                with Vertical(id="centre"):
                    with Box(id="main"):
                        yield self.detail
                        yield self.dock
                    yield self.graphs
                yield self.side
            yield self.status
            yield self.footer
        with Horizontal(id="too-small"):
            yield Static("pydock needs 60×16", markup=False)

    def on_mount(self) -> None:
        self.show_everything()
        containers = self.panels["containers"]
        if self._wanted:
            containers.table.move_cursor_to(self._wanted)
        self.show_panel("containers" if self.model.containers or self.model.images else "images")
        self.bridge.start(self, last_event=self.model.events[-1].id if self.model.events else 0)
        self.set_interval(1.0, self._tick)
        self.call_after_refresh(self._first_look)

    def _first_look(self) -> None:
        self._tick()
        self.bridge.spawn(self._remember_trends())

    async def _remember_trends(self) -> None:
        """The last minute of every running container, so that sparklines do not begin empty."""
        for container in list(self.model.containers.values()):
            if container.state in ("running", "paused") and container.id not in self.model.trends:
                try:
                    history = await self.bridge.call(self.bridge.engine.containers.history, container.id)
                except EngineError:
                    continue
                self.model.remember(container.id, history)

    @property
    def container(self) -> Container | None:
        """The container that the detail pane and container keys are about."""
        if self.panel != "containers" and self.detail.kind != "containers":
            return None
        return self.model.containers.get(self.panels["containers"].selected)

    @property
    def targets(self) -> list[Container]:
        """What container keys act on: the marked ones, else the selected one."""
        marked = self.panels["containers"].table.marked
        if marked:
            return [container for key in marked if (container := self.model.containers.get(key)) is not None]
        return [self.container] if self.container is not None else []

    @property
    def image(self) -> Image | None:
        """The image under the cursor of its panel."""
        key = self.panels["images"].selected
        return next((image for image in self.model.images if image.id == key), None)

    @property
    def splits(self) -> bool:
        """Whether terminals are drawn beside the other tabs at this size."""
        return not self.has_class("-narrow")

    def show_everything(self) -> None:
        """Draw all panels from the model."""
        for panel in self.panels.values():
            panel.show(self.model)
        self._show_counts()
        self.show_graphs()

    def containers_changed(self) -> None:
        """Draw what depends on containers."""
        self.panels["containers"].show(self.model)
        self.panels["projects"].show(self.model)
        self._show_counts()
        self.show_graphs()
        self.show_hints()

    def _show_counts(self) -> None:
        counts: dict[str, int] = {}
        for container in self.model.containers.values():
            look = container_look(container)
            word = "failed" if look.role == "error" else look.word
            counts[word] = counts.get(word, 0) + 1
        self.header.set_counts(counts)
        model = self.model
        self.strip.show(
            self.panel,
            {
                "containers": len(model.containers),
                "images": len(model.images),
                "volumes": len(model.volumes),
                "networks": len(model.networks),
                "projects": len(model.projects()),
                "jobs": sum(job.running for job in model.jobs),
            },
        )

    def _populate(self) -> None:
        """Mount what this size and tab show; what has been mounted once stays."""
        if self.has_class("-wide"):
            self.side.populate()
        elif not self.has_class("-short"):
            self.graphs.populate()
        if self.detail.tab == "overview":
            self.detail.overview.populate()

    def on_resize(self) -> None:
        self.call_after_refresh(self._populate)
        self.call_after_refresh(self.show_graphs)

    def show_graphs(self) -> None:
        container = self.container
        track = tracked(self.model, container)
        window_s = self.window_s or natural_window(container, time.time_ns())
        self.graphs.show(container, track, window_s)
        self.side.show(container, track, window_s)
        if container is not None and self.detail.tab == "overview":
            busy = self.model.pending.get(container.id, "")
            self.detail.overview.show(container, track, window_s, busy=busy)

    def show_hints(self) -> None:
        """Draw the footer."""
        first_run = not self.model.containers and not self.model.images and self.panel in ("containers", "images")
        self.footer.show(hints(self.keymap, self.context, self.container, first_run=first_run))

    @property
    def context(self) -> str:
        """What is focused, in the footer's words."""
        focused = self.focused
        if isinstance(focused, TerminalPane):
            return "live" if focused.live else "terminal"
        if isinstance(focused, LogView):
            return "logs"
        return self.panel

    def _tick(self) -> None:
        reading = self.host.read()
        self.header.set_host(reading.cpu_percent, reading.memory_used, reading.memory_total)
        self._ticks += 1
        if self._ticks % _SLOW_TICKS == 0:
            for panel in self.panels.values():
                panel.show(self.model)
        elif any(job.running for job in self.model.jobs):
            self.panels["jobs"].show(self.model)
        self.bridge.spawn(self.bridge.sample())
        container = self.container
        if container is not None and self.detail.tab == "overview" and self._ticks % 2 == 0:
            self.bridge.spawn(self.loader.processes(container))

    @on(Sampled)
    def _on_sampled(self) -> None:
        self.panels["containers"].show(self.model)
        self.show_graphs()

    @on(Changed)
    def _on_changed(self, message: Changed) -> None:
        for kind in message.kinds:
            if f"{kind}s" in self.panels:
                self.panels[f"{kind}s"].show(self.model)
        self.panels["events"].show(self.model)
        if "image" in message.kinds:
            self.panels["containers"].show(self.model)
        if "container" in message.kinds:
            self.panels["images"].show(self.model)
            self.containers_changed()
        self._show_counts()
        container = self.container
        if container is not None:
            actions = {event.action for event in message.events if event.actor == container.id}
            if actions:
                self.loader.forget(log="start" in actions)
                self.load_detail()
        elif not message.events or self.panel == "events":
            self.load_detail()
        self.show_hints()

    @on(JobChanged)
    def _on_job(self, message: JobChanged) -> None:
        job = message.job
        self.panels["jobs"].show(self.model)
        if job.running:
            self.panels["jobs"].table.move_cursor_to(job.id)
            self.status.busy(job.id, job.title)
        else:
            self.status.done(job.id)
            if job.error:
                self.fail(f"{job.title}: {job.error}", job.hint)
            else:
                self.bridge.spawn(self._job_done(job.title, job.image))
        self._show_counts()
        self.load_detail()
        self.show_hints()

    async def _job_done(self, title: str, image: Image | None) -> None:
        self.model.images = await self.bridge.call(self.bridge.engine.images.list)
        self.panels["images"].show(self.model)
        self.flash(f"{title}: done, {self.keymap.shown('image.run')} on the image runs it")
        if image is not None and self.panel == "jobs" and not self.model.containers:
            self.panels["images"].table.move_cursor_to(image.id)
            self.show_panel("images")
        self.show_hints()

    @on(LiveTable.CursorMoved)
    def _on_cursor(self, message: LiveTable.CursorMoved) -> None:
        if isinstance(message, LiveTable.Activated):
            return
        if message.table is self.panels[self.panel].table:
            self.load_detail()
            self.show_hints()

    @on(LiveTable.Activated)
    def _on_activated(self, message: LiveTable.Activated) -> None:
        if message.table is self.panels["images"].table:
            self.action_image("run")
        elif message.table is self.panels["containers"].table:
            self.enter_detail()

    @on(LiveTable.SortRequested)
    def _on_sort(self, message: LiveTable.SortRequested) -> None:
        containers = self.panels["containers"]
        if message.table is containers.table and isinstance(containers, ContainersPanel):
            containers.sort_by(message.column)
            containers.show(self.model)

    @on(LiveTable.MarksChanged)
    def _on_marks(self) -> None:
        self.panels["containers"].show(self.model)

    @on(LogView.StateChanged)
    def _on_log_state(self) -> None:
        self.detail.retitle()

    @on(TerminalDock.LinksChanged)
    def _on_links(self) -> None:
        self.arrange_terminals()
        if self.detail.tab == "terminals" and not self.dock.panes():
            self.show_tab("logs")

    @on(TerminalPane.DetachRequested)
    def _on_detach(self, message: TerminalPane.DetachRequested) -> None:
        link = self.dock.link_of(message.pane)
        if link is not None and not link.over:
            self.flash(f"detached from {link.title}; it runs on")
        self.bridge.spawn(self.dock.close(message.pane))

    @on(TerminalPane.WentLive)
    @on(TerminalPane.WentView)
    def _on_live(self) -> None:
        self.show_hints()
        self.refresh_bindings()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        for panel in self.panels.values():
            if event.widget is panel.table and self.panel != panel.kind:
                self._choose_panel(panel.kind)
        self.show_hints()

    @on(PanelStrip.Chosen)
    def _on_strip(self, message: PanelStrip.Chosen) -> None:
        self.show_panel(message.kind)

    def show_panel(self, kind: str) -> None:
        """Make a list the active one and focus it."""
        self._choose_panel(kind)
        self.panels[kind].table.focus()

    def _choose_panel(self, kind: str) -> None:
        self.panel = kind
        for panel in self.panels.values():
            panel.set_class(panel.kind == kind, "active")
        self._show_counts()
        self.load_detail()
        self.show_hints()

    def show_tab(self, tab: str) -> None:
        """Make a tab of the detail pane the one in sight."""
        self._tabs[self.panel if self.panel in self._tabs else "containers"] = tab
        if self.panel not in self._tabs:
            return
        had_focus = self.detail.has_focus_within or self.dock.has_focus_within
        self.load_detail()
        if had_focus:
            self.enter_detail()

    def enter_detail(self) -> None:
        """Focus what the detail pane shows."""
        panes = self.dock.panes()
        if self.detail.tab == "terminals" and panes:
            panes[0].focus()
        else:
            self.detail.content.focus()

    def go_to_container(self, container_id: str, tab: str) -> None:
        """Put the cursor on a container and show this tab of it."""
        self._tabs["containers"] = tab
        panel = self.panels["containers"]
        panel.show(self.model)
        if not panel.table.move_cursor_to(container_id):
            self.bridge.spawn(self._select_later(container_id))
        if self.panel != "containers":
            self._choose_panel("containers")
            panel.table.focus()
        self.load_detail()

    async def _select_later(self, container_id: str) -> None:
        """Its event has not arrived yet: fetch it now."""
        self.model.put(await self.bridge.call(self.bridge.engine.containers.get, container_id))
        self.panels["containers"].show(self.model)
        self.panels["containers"].table.move_cursor_to(container_id)
        self.load_detail()

    def load_detail(self) -> None:
        """Show the selected object's tab; a change of selection loads it, the newest wins."""
        kind, key, subject = self._subject()
        self.detail.show(kind, subject, self._tabs.get(kind, ""))
        self.dock.show(key if kind == "containers" else "")
        self.arrange_terminals()
        self.loader.load(kind, key)

    def _subject(self) -> tuple[str, str, str]:
        """Kind, key and title of what the detail pane is to show."""
        panel = self.panels[self.panel]
        key = panel.selected
        if self.panel == "containers":
            container = self.model.containers.get(key)
            if container is not None:
                return "containers", key, container.name
            return ("containers", "", "") if self.model.images else ("", "", "")
        if self.panel == "images":
            image = self.image
            if image is None:
                return "", "", ""
            return "images", key, image.references[0] if image.references else key.removeprefix("sha256:")[:12]
        if self.panel == "networks":
            names = {network.id: network.name for network in self.model.networks}
            return "networks", key, names.get(key, key)
        if self.panel == "jobs":
            titles = {job.id: job.title for job in self.model.jobs}
            return "jobs", key, titles.get(key, "")
        return self.panel, key, key[:24] if self.panel != "events" else "event"

    def arrange_terminals(self) -> None:
        """Classes that the style sheet lays out by: which of tabs and terminals are in sight."""
        panes = self.dock.panes() if self.detail.kind == "containers" else []
        self.detail.terminals = len(panes)
        self.detail.retitle()
        self._populate()
        self.set_class(bool(panes), "has-terminals")
        self.set_class(self.detail.tab == "terminals" and bool(panes), "tab-terminals")
        self.set_class(self.detail.tab == "overview", "tab-overview")
        self.set_class(self.detail.kind == "containers", "on-container")

    def change_window(self, step: int) -> None:
        """A shorter or longer time axis for all graphs."""
        now = self.window_s or natural_window(self.container, time.time_ns())
        index = min(max(WINDOWS_S.index(now) + step, 0), len(WINDOWS_S) - 1)
        self.window_s = WINDOWS_S[index]
        self.show_graphs()

    def remember(self) -> Remembered:
        """The view as it is now, for the next start."""
        containers = self.panels["containers"]
        assert isinstance(containers, ContainersPanel)
        remembered = self.remembered
        remembered.container, remembered.tab = containers.selected, self._tabs["containers"]
        remembered.panel = self.panel
        remembered.sort, remembered.reverse = containers.sort, containers.reverse
        remembered.show_all = containers.show_all
        return remembered


def _strip_name(panel: ListPanel) -> str:
    return {"networks": "Nets"}.get(panel.kind, panel.heading)
