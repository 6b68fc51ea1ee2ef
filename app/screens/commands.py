"""The actions behind the dashboard's keys. `DashboardScreen` is this with its parts and their wiring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.screen import Screen

from ..actions import Actions
from ..flows import Flows, container_values
from ..jobs import Jobs
from ..keymap import bindings
from ..modals.menu import Entry, Menu
from ..presentation.ports import first_url
from ..widgets.logview import LogView
from ..widgets.terminal import TerminalPane
from .panels import ContainersPanel

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from textual.binding import BindingType
    from textual.widget import Widget

    from engine.engine import Engine
    from engine.models import Container, Image

    from ..app import PydockApp
    from ..bridge import Bridge
    from ..keymap import Keymap
    from ..modals.dialog import Dialog
    from ..model import Model
    from ..presentation.cells import Role
    from ..settings import Settings
    from ..widgets.statusline import StatusLine
    from .detail import DetailPane
    from .dock import TerminalDock
    from .footer import KeyFooter
    from .panels import ListPanel

T = TypeVar("T")

_CONTAINER_ACTIONS = frozenset(
    {"container", "attach", "shell", "exec", "rename", "browse", "menu", "toggle_all", "sort"}
)
_ZOOMS = ("zoom-lists", "zoom-detail", "zoom-dock")


class Commands(Screen[None]):
    """Actions; every one returns at once, what takes time runs in a worker."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("dashboard"), *bindings("containers")]

    panels: dict[str, ListPanel]
    panel: str
    detail: DetailPane
    dock: TerminalDock
    status: StatusLine

    def __init__(self, bridge: Bridge, model: Model, settings: Settings, keymap: Keymap) -> None:
        super().__init__(id="dashboard")
        self.bridge = bridge
        self.model = model
        self.settings = settings
        self.keymap = keymap
        self.jobs = Jobs(bridge, model, self)
        self.flows = Flows(self, settings)  # type: ignore[arg-type]
        self.actions = Actions(self, settings)  # type: ignore[arg-type]
        self._lists_width = 0
        self._lists_height = 0
        self._filtering = ""

    @property
    def pydock(self) -> PydockApp:
        """The app, as its own class."""
        return cast("PydockApp", self.app)

    @property
    def engine(self) -> Engine:
        return self.bridge.engine

    # What the subclass provides.
    @property
    def container(self) -> Container | None:
        raise NotImplementedError

    @property
    def targets(self) -> list[Container]:
        raise NotImplementedError

    @property
    def image(self) -> Image | None:
        raise NotImplementedError

    def show_panel(self, kind: str) -> None:
        raise NotImplementedError

    def show_tab(self, tab: str) -> None:
        raise NotImplementedError

    def enter_detail(self) -> None:
        raise NotImplementedError

    def load_detail(self) -> None:
        raise NotImplementedError

    def change_window(self, step: int) -> None:
        raise NotImplementedError

    def show_hints(self) -> None:
        raise NotImplementedError

    def flash(self, text: str, role: Role = "success") -> None:
        """One line in the status row."""
        self.status.flash(text, role)

    def fail(self, message: str, hint: str = "") -> None:
        """What went wrong, and the cure."""
        self.status.flash(f"{message}  ({hint})" if hint else message, "error", seconds=12)

    async def ask(self, dialog: Dialog[T]) -> T | None:
        """Push a dialog and wait for its answer; call it from a worker."""
        return await self.app.push_screen_wait(dialog)

    def has_image(self, reference: str) -> bool:
        """Whether an image of this name or id is here."""
        known = {name for image in self.model.images for name in image.references}
        return reference in known or f"{reference}:latest" in known or self._is_image_id(reference)

    def terminal_size(self) -> tuple[int, int]:
        """Rows and columns that a terminal opened now will have, so that a program starts in the right size."""
        area = self.dock if self.dock.size.width > 20 else self.detail
        return max(4, area.size.height - 2), max(20, area.size.width - 2)

    def begin(self, work: Coroutine[Any, Any, None], group: str) -> None:
        """Run a flow in a worker; a flow of the same group that still runs is left alone."""
        self.run_worker(work, group=group, exit_on_error=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Container keys act where a container is what one looks at, not from the lists of other things."""
        if action in _CONTAINER_ACTIONS:
            return self.panel == "containers"
        return True

    def action_container(self, name: str) -> None:
        if not self.model.containers and name == "pause":
            self.action_image("pull")  # what the empty list offers under the same key
            return
        self.begin(self.actions.perform(name, self.targets), "actions")

    def action_attach(self) -> None:
        if self.container is not None:
            self.begin(self._held(self.flows.attach(self.container)), "terminals")

    def action_shell(self) -> None:
        if self.container is not None:
            self.begin(self._held(self.flows.shell(self.container)), "terminals")

    def action_exec(self) -> None:
        if self.container is not None:
            self.begin(self.flows.ask_exec(self.container), "terminals")

    def action_run(self) -> None:
        self.begin(self.flows.run(self.image if self.panel == "images" else None), "run")

    def action_rename(self) -> None:
        if self.container is not None:
            self.begin(self.flows.rename(self.container), "rename")

    def action_show(self, tab: str) -> None:
        if tab == "terminals" and not self.model.containers and not self.model.images:
            self.action_image("toolbox")
            return
        self.show_tab(tab)
        if tab == "terminals" and self.container is not None:
            self.begin(self.flows.reopen(self.container, again=True), "terminals")
        if tab == "terminals" and self.container is not None and not self.dock.panes():
            alive = self.container.state in ("running", "paused")
            if not alive:
                self.flash(f"{self.container.name} is not running", "warning")
            elif not self.container.tty:
                self.flash(f"no terminal yet: {self.keymap.shown('container.shell')} opens a shell", "warning")

    def action_tab_clicked(self, tab: str) -> None:
        self.show_tab(tab)

    def action_browse(self) -> None:
        url = first_url(self.container.ports) if self.container is not None else ""
        if url:
            self.app.open_url(url)
            self.flash(f"opening {url}")
        else:
            self.flash("no published port", "warning")

    def action_copy(self) -> None:
        panel = self.panels[self.panel]
        values: list[tuple[str, str]] = []
        title = ""
        if self.panel == "containers" and self.container is not None:
            title, values = self.container.name, container_values(self.container)
        elif self.panel == "images" and self.image is not None:
            image = self.image
            title = image.references[0] if image.references else image.id[:19]
            values = [("name", title), ("id", image.id), *(("digest", digest) for digest in image.repo_digests)]
        elif self.panel == "volumes":
            volume = next((item for item in self.model.volumes if item.name == panel.selected), None)
            if volume is not None:
                title, values = volume.name[:24], [("name", volume.name), ("path", volume.path)]
        elif self.panel == "networks":
            network = next((item for item in self.model.networks if panel.selected in (item.id, item.name)), None)
            if network is not None:
                title = network.name
                values = [
                    ("name", network.name),
                    ("id", network.id),
                    ("subnet", network.subnet),
                    ("gateway", network.gateway),
                ]
        if values:
            self.begin(self.flows.copy(title, values), "copy")

    def action_menu(self) -> None:
        if self.targets:
            self.begin(self.flows.menu(self.targets, self.keymap), "menu")

    def action_toggle_all(self) -> None:
        panel = self._containers
        panel.show_all = not panel.show_all
        panel.show(self.model)

    def action_sort(self) -> None:
        panel = self._containers
        panel.next_sort()
        panel.show(self.model)

    async def action_log(self, name: str) -> None:
        """A click on the footer's hints of the log view."""
        await self.detail.logs.run_action(name)

    def _held(self, work: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None]:
        """Keys typed from this moment until the work is done go to the terminal that it opens."""
        self.pydock.hold_keys()

        async def held() -> None:
            try:
                await work
            finally:
                self.pydock.release_keys(self.live_pane)

        return held()

    @property
    def live_pane(self) -> TerminalPane | None:
        """The pane that gets the keys; None when no terminal is live."""
        return next((link.pane for link in self.dock.links() if link.pane.live), None)

    def action_image(self, name: str) -> None:
        if name == "pull":
            self.begin(self.flows.pull(), "pull")
        elif name == "toolbox":
            self.begin(self.flows.toolbox(), "pull")
        elif name == "run":
            self.begin(self.flows.run(self.image), "run")
        elif self.image is None:
            self.flash("no image is selected", "warning")
        elif name == "tag":
            self.begin(self.flows.tag(self.image), "images")
        elif name == "remove":
            self.begin(self.flows.remove_image(self.image), "images")

    def action_volume(self, name: str) -> None:
        if name == "create":
            self.begin(self.flows.create_volume(), "volumes")
        elif selected := self.panels["volumes"].selected:
            self.begin(self.flows.remove_volume(selected), "volumes")

    def action_job(self, name: str) -> None:
        if name == "clear":
            self.jobs.clear()
            self.panels["jobs"].show(self.model)
            self.load_detail()
            return
        job = next((job for job in self.model.jobs if job.id == self.panels["jobs"].selected), None)
        if job is not None and job.running:
            self.jobs.stop(job)
            self.flash(f"stopping {job.title}", "warning")

    def action_close_terminal(self) -> None:
        if isinstance(self.focused, TerminalPane):
            self.begin(self.flows.close_terminal(self.focused), "terminals")

    def action_tile(self, step: int) -> None:
        area = self.dock.area()
        if area is not None:
            area.resize_tile(step, step)

    def action_go_live(self) -> None:
        if isinstance(self.focused, TerminalPane):
            self.focused.go_live()

    def action_leave_live(self) -> None:
        if isinstance(self.focused, TerminalPane):
            self.focused.go_view()

    def action_panel(self, kind: str) -> None:
        self._end_zoom()
        self.show_panel(kind)

    def action_tab(self, step: int) -> None:
        self.show_tab(self.detail.neighbour(step))

    def action_next_pane(self) -> None:
        self._cycle(1)

    def action_previous_pane(self) -> None:
        self._cycle(-1)

    def action_filter(self) -> None:
        self._filtering = self.panel
        self.status.ask("/", self.panels[self.panel].filter_text)

    def action_back(self) -> None:
        """One step out: zoom, filter, marks, pane."""
        panel = self.panels[self.panel]
        if self._end_zoom():
            return
        if self.detail.has_focus_within or self.dock.has_focus_within:
            if self.detail.tab == "terminals" and self.has_class("-narrow"):
                self.show_tab("logs")
            panel.table.focus()
        elif panel.filter_text:
            panel.filter_text = ""
            panel.show(self.model)
        elif panel.table.marked:
            panel.table.clear_marks()
        elif self.panel != "containers" and self.model.containers:
            self.show_panel("containers")

    def action_leave(self) -> None:
        """Back, and at the top level quit."""
        panel = self.panels[self.panel]
        deep = self.detail.has_focus_within or self.dock.has_focus_within or panel.filter_text or panel.table.marked
        if deep or any(self.has_class(zoom) for zoom in _ZOOMS):
            self.action_back()
        else:
            self.app.run_worker(self.run_action("app.quit"), exit_on_error=False)

    def action_zoom(self) -> None:
        """The focused pane alone, and back."""
        if self._end_zoom():
            return
        if isinstance(self.focused, TerminalPane):
            area = self.dock.area()
            if area is not None and len(area.tiles) > 1 and area.zoomed is None:
                area.zoom(self.focused)
            self.add_class("zoom-dock")
        elif self.detail.has_focus_within:
            self.add_class("zoom-detail")
        else:
            self.add_class("zoom-lists")

    def action_resize(self, step: int) -> None:
        """Move the border between the lists and the rest."""
        lists = self.query_one("#lists")
        step = step if self.panels[self.panel].has_focus_within else -step
        if self.has_class("-narrow"):
            self._lists_height = min(
                max((self._lists_height or lists.size.height) + 2 * step, 4), self.size.height - 10
            )
            lists.styles.height = self._lists_height
        else:
            width = self._lists_width or lists.outer_size.width
            self._lists_width = min(max(width + 6 * step, 26), self.size.width - 50)
            lists.styles.width = self._lists_width

    def action_scroll_detail(self, lines: int) -> None:
        self.detail.content.scroll_relative(y=lines, animate=False)

    def action_window(self, step: int) -> None:
        self.change_window(step)

    def action_jump(self) -> None:
        self.begin(self._jump(), "menu")

    async def _jump(self) -> None:
        entries = [
            Entry(f"panel('{kind}')", panel.heading, kind[0] if kind != "projects" else "o", "")
            for kind, panel in self.panels.items()
        ]
        entries += [
            Entry(f"show('{tab}')", tab.capitalize(), key, "")
            for tab, key in (("logs", "l"), ("overview", "g"), ("terminals", "t"), ("timeline", "T"))
        ]
        entries = [entry._replace(shown_key=entry.key) for entry in entries]
        action = await self.ask(Menu("Jump to", entries))
        if action is not None:
            await self.run_action(action)
            if action.startswith("show"):
                self.enter_detail()

    def action_help(self) -> None:
        from ..modals.help import HelpScreen, widget_lines
        from ..widgets.inspect import JsonView
        from ..widgets.table import LiveTable

        first = [self.panel] if self.panel in ("containers", "images", "volumes", "networks", "jobs") else []
        if self.dock.has_focus_within:
            first = ["terminals", "containers"]
        widgets = {
            "Lists": widget_lines(LiveTable.BINDINGS),
            "Logs": widget_lines(LogView.BINDINGS),
            "Terminals, scrolling back": widget_lines(TerminalPane.BINDINGS),
            "Inspect": widget_lines(JsonView.BINDINGS),
        }
        self.app.push_screen(HelpScreen(self.keymap, first, widgets))

    def action_mouse(self) -> None:
        """Some want the terminal's own selection: give the mouse back to it."""
        driver = self.app._driver
        captured = getattr(self.app, "mouse_is_ours", True)
        switch = getattr(driver, "_disable_mouse_support" if captured else "_enable_mouse_support", None)
        if switch is not None:
            switch()
            self.app.mouse_is_ours = not captured  # type: ignore[attr-defined]
            self.flash("the mouse is the terminal's now" if captured else "the mouse is pydock's again")

    def action_picture(self) -> None:
        self.flash(f"saved {self.app.save_screenshot()}")

    def action_redraw(self) -> None:
        self.refresh(layout=True)
        self.app.refresh()

    @property
    def _containers(self) -> ContainersPanel:
        panel = self.panels["containers"]
        assert isinstance(panel, ContainersPanel)
        return panel

    def _is_image_id(self, reference: str) -> bool:
        bare = reference.removeprefix("sha256:")
        return len(bare) >= 6 and any(image.id.removeprefix("sha256:").startswith(bare) for image in self.model.images)

    def _end_zoom(self) -> bool:
        area = self.dock.area()
        if area is not None and area.zoomed is not None:
            area.zoom(None)
        zoomed = [zoom for zoom in _ZOOMS if self.has_class(zoom)]
        self.remove_class(*zoomed)
        return bool(zoomed)

    def _cycle(self, step: int) -> None:
        """The focus goes round the list, the detail pane and the terminals in sight."""
        ring: list[Widget] = [self.panels[self.panel].table, *self.dock.panes()]
        if not self.has_class("tab-terminals"):
            ring.insert(1, self.detail.content)
        focused = self.focused
        places = [number for number, widget in enumerate(ring) if widget is focused]
        here = places[0] if places else -1 if step > 0 else 0
        ring[(here + step) % len(ring)].focus()

    def on_key_footer_pressed(self, message: KeyFooter.Pressed) -> None:
        self.run_worker(self.run_action(message.action), exit_on_error=False)

    def on_status_line_filter_changed(self, message: StatusLine.FilterChanged) -> None:
        self._apply_filter(message.value)

    def on_status_line_filter_submitted(self, message: StatusLine.FilterSubmitted) -> None:
        self._apply_filter(message.value)
        self.status.close_input()
        self._focus_filtered()

    def on_status_line_filter_cancelled(self, _message: StatusLine.FilterCancelled) -> None:
        self._apply_filter("")
        self.status.close_input()
        self._focus_filtered()

    def _apply_filter(self, value: str) -> None:
        panel = self.panels[self._filtering or self.panel]
        panel.filter_text = value.strip()
        panel.show(self.model)
        self.load_detail()

    def _focus_filtered(self) -> None:
        self.panels[self._filtering or self.panel].table.focus()
