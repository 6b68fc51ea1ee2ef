"""What takes several steps: dialogs, then engine calls, then a place to look at. One coroutine each.

Each runs in a worker of the dashboard; an engine error ends it with one line in the status row.
"""

from __future__ import annotations

import asyncio
import shlex
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.models import ExecRequest

from .modals.confirm import Answer, ConfirmDialog
from .modals.execute import ExecDialog
from .modals.menu import Entry, Menu
from .modals.prompt import TextPrompt
from .modals.run import RunDialog
from .presentation.ports import first_url, port_list
from .presentation.text import plain
from .run_form import RunForm
from .sessions import TerminalLink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from engine.containers.session import Session
    from engine.models import Container, CreateRequest, Image

    from .keymap import Keymap
    from .screens.dashboard import DashboardScreen
    from .settings import Settings
    from .widgets.terminal import TerminalPane

SHELL = ("/bin/sh", "-c", "if [ -x /bin/bash ]; then exec /bin/bash -l; else exec /bin/sh -l; fi")
_HANG_UP, _KILL = 1, 9
_LAYOUT_S = 2.0


class Flows:
    """Bound to the dashboard."""

    def __init__(self, screen: DashboardScreen, settings: Settings) -> None:
        self._screen = screen
        self._settings = settings
        # One at a time: the terminals tab opens what a container holds while a key opens the same.
        self._opening = asyncio.Lock()
        self._opened: set[str] = set()

    async def run(self, image: Image | None = None) -> None:
        """Ask for everything, create, start; a container with a terminal opens in a live pane."""
        screen = self._screen
        names = [reference for item in screen.model.images for reference in item.references]
        chosen = image.references[0] if image is not None and image.references else ""
        if not chosen and len(names) == 1:
            chosen = names[0]
        form = RunForm(image=chosen)
        networks = [network.name for network in screen.model.networks]
        request = await screen.ask(RunDialog(form, images=sorted(names), networks=networks))
        if request is not None:
            await self.run_request(request)

    async def run_request(self, request: CreateRequest) -> None:
        """Create and start; without the image offer to pull it."""
        screen = self._screen
        if not screen.has_image(request.image):
            answer = await screen.ask(
                ConfirmDialog(
                    f"Pull {request.image}?", "This image is not here. Pull it, then run it.", confirm="pull and run"
                )
            )
            if answer is None:
                return
            job = screen.jobs.pull(request.image)
            screen.show_panel("jobs")
            await screen.jobs.finished(job)
            if job.error:
                return
        screen.status.busy("run", f"starting {request.name or request.image}")
        try:
            container = await screen.bridge.call(screen.engine.containers.create, request)
            session = await self._start(container, attach=request.tty)
        except EngineError as error:
            screen.fail(error.message, error.hint)
            return
        finally:
            screen.status.done("run")
        async with self._opening_live():
            screen.go_to_container(container.id, "terminals" if session is not None else "logs")
            if session is not None:
                await self._open(session, container, self._attach_title(container))
        screen.flash(f"{container.name} runs")

    async def _start(self, container: Container, *, attach: bool) -> Session | None:
        screen = self._screen
        size = screen.terminal_size() if attach else None
        try:
            return await screen.bridge.call(screen.engine.containers.start, container.id, attach=attach, size=size)
        except EngineError:
            screen.go_to_container(container.id, "logs")
            raise

    async def pull(self) -> None:
        """Ask for a reference and pull it."""
        screen = self._screen
        reference = await screen.ask(
            TextPrompt(
                "Pull an image",
                text="A name from Docker Hub, or with a registry in front (127.0.0.1:5000/app:1.2).",
                value="" if screen.model.images else self._settings.suggested_image,
                placeholder=self._settings.suggested_image,
                accept="pull",
                suggestions=[self._settings.suggested_image, "debian:12-slim", "nginx:latest", "python:3.13-slim"],
                check=_check_reference,
            )
        )
        if reference is not None:
            screen.jobs.pull(reference)
            screen.show_panel("jobs")

    async def toolbox(self) -> None:
        """Make the toolbox image."""
        self._screen.jobs.toolbox()
        self._screen.show_panel("jobs")

    async def attach(self, container: Container) -> None:
        """The container's own terminal, live; the open pane when there is one."""
        screen = self._screen
        async with self._opening_live():
            screen.go_to_container(container.id, "terminals")
            for link in screen.dock.links(container.id):
                if not link.exec_id and not link.over:
                    screen.arrange_terminals()
                    _to_live(link.pane)
                    return
            if container.state not in ("running", "paused"):
                screen.flash(f"{container.name} is not running", "warning")
                return
            try:
                session = await screen.bridge.call(screen.engine.containers.attach, container.id)
            except EngineError as error:
                screen.fail(f"{container.name}: {error.message}", error.hint)
                return
            await self._open(session, container, self._attach_title(container))

    async def shell(self, container: Container) -> None:
        """A new shell in the container, in a tile beside the others."""
        await self.execute(container, ExecRequest(command=SHELL, tty=True, open_stdin=True), title="shell")

    async def ask_exec(self, container: Container) -> None:
        """Ask for a command and run it in the container."""
        request = await self._screen.ask(ExecDialog(container.name))
        if request is not None:
            await self.execute(container, request, title=shlex.join(request.command))

    async def execute(self, container: Container, request: ExecRequest, *, title: str) -> None:
        """Run a command in the container; with a terminal it opens a live pane."""
        screen = self._screen
        if container.state != "running":
            state = "paused" if container.state == "paused" else "not running"
            screen.flash(f"{container.name} is {state}", "warning")
            return
        async with self._opening_live():
            try:
                session = await screen.bridge.call(screen.engine.containers.exec, container.id, request)
            except EngineError as error:
                screen.fail(f"{container.name}: {error.message}", error.hint)
                return
            if request.detach:
                session.close()
                screen.flash(f"{title} started in {container.name}")
                return
            if screen.detail.tab != "terminals" and not screen.splits:
                screen.go_to_container(container.id, "terminals")
            await self._open(session, container, f"{container.name} · {title}")

    @asynccontextmanager
    async def _opening_live(self) -> AsyncIterator[None]:
        """Keys typed from now on wait for the pane that this block makes live."""
        app = self._screen.pydock
        app.hold_keys()
        try:
            async with self._opening:
                yield
        finally:
            pane = self._screen.live_pane
            link = self._screen.dock.link_of(pane) if pane is not None else None
            if link is not None:
                await link.laid_out(_LAYOUT_S)
            app.release_keys(pane)

    def begins_anew(self, container_id: str) -> None:
        """The container started: what it holds then has not been opened here."""
        self._opened.discard(container_id)

    async def reopen(self, container: Container, *, again: bool = False) -> None:
        """Open what the container still holds: its own terminal, and shells that were left running.

        Once for each of its runs, so that terminals which others open later are left to them, unless asked `again`.
        """
        screen = self._screen
        if container.id in self._opened and not again:
            return
        self._opened.add(container.id)
        if container.state not in ("running", "paused"):
            return
        async with self._opening:
            try:
                await self._reopen(container)
            except EngineError as error:
                screen.fail(f"{container.name}: {error.message}", error.hint)

    async def _reopen(self, container: Container) -> None:
        screen = self._screen
        containers = screen.engine.containers
        open_links = screen.dock.links(container.id)
        if container.tty and not any(not link.exec_id and not link.over for link in open_links):
            session = await screen.bridge.call(containers.attach, container.id)
            await self._open(session, container, self._attach_title(container), live=False)
        for terminal in await screen.bridge.call(containers.terminals, container.id):
            if any(link.exec_id == terminal.id for link in open_links):
                continue
            session = await screen.bridge.call(containers.reattach, container.id, terminal.id)
            title = "shell" if tuple(terminal.command) == SHELL else shlex.join(terminal.command)
            await self._open(session, container, f"{container.name} · {plain(title)}", live=False)

    async def close_terminal(self, pane: TerminalPane) -> None:
        """Take a pane away; a shell that still runs is asked about, an attached container never stops."""
        screen = self._screen
        link = screen.dock.link_of(pane)
        if link is None:
            return
        if link.exec_id and not link.over:
            answer = await screen.ask(
                Menu(
                    "Close this terminal",
                    [
                        Entry("keep", "keep it running", "k", "k", "t on the container opens it again"),
                        Entry("hangup", "hang up", "h", "h", "SIGHUP, as when a terminal window closes"),
                        Entry("kill", "kill it", "x", "x", "SIGKILL"),
                    ],
                )
            )
            if answer is None:
                return
            if answer != "keep":
                await screen.bridge.call(link.session.signal, _HANG_UP if answer == "hangup" else _KILL)
        await screen.dock.close(pane)

    async def rename(self, container: Container) -> None:
        """Ask for another name."""
        screen = self._screen
        name = await screen.ask(TextPrompt(f"Rename {container.name}", value=container.name, accept="rename"))
        if name is not None and name != container.name:
            await self.attempt(
                lambda: screen.engine.containers.rename(container.id, name), f"{container.name} is now {name}"
            )

    async def tag(self, image: Image) -> None:
        """Ask for a further name."""
        screen = self._screen
        source = image.references[0] if image.references else image.id
        name = await screen.ask(
            TextPrompt(f"One more name for {source}", value=source, accept="tag", check=_check_reference)
        )
        if name is not None:
            await self.attempt(lambda: screen.engine.images.tag(source, name), f"{source} is also {name}")

    async def remove_image(self, image: Image) -> None:
        """Ask, then remove all names and the image."""
        screen = self._screen
        names = image.references or (image.id.removeprefix("sha256:")[:12],)
        users = [container.name for container in screen.model.users_of_image(image)]
        text = f"{', '.join(names)} and the layers that no other image has."
        if users:
            text += f" In use by {', '.join(users)}: they keep what they need."
        answer: Answer | None = await screen.ask(
            ConfirmDialog(f"Remove {names[0]}?", text, confirm="remove", danger=True)
        )
        if answer is None:
            return

        def in_use(image_id: str) -> list[str]:
            return [item.name for item in screen.engine.containers.list(all=True) if item.image_id == image_id]

        def remove() -> None:
            for name in names:
                screen.engine.images.remove(name, in_use=in_use)

        await self.attempt(remove, f"{names[0]} removed")

    async def create_volume(self) -> None:
        """Ask for a name and make a volume."""
        screen = self._screen
        name = await screen.ask(TextPrompt("Create a volume", placeholder="name", accept="create"))
        if name is not None:
            await self.attempt(lambda: screen.engine.volumes.create(name), f"volume {name} created")

    async def remove_volume(self, name: str) -> None:
        """Ask, then remove a volume with its data."""
        screen = self._screen
        answer = await screen.ask(
            ConfirmDialog(f"Remove volume {name[:24]}?", "Its data is gone then.", confirm="remove", danger=True)
        )
        if answer is not None:
            await self.attempt(lambda: screen.engine.volumes.remove(name), f"volume {name[:24]} removed")

    async def copy(self, title: str, values: Sequence[tuple[str, str]]) -> None:
        """Choose one of the values; it goes to the clipboard of the terminal (OSC 52)."""
        entries = [
            Entry(value, name, str(number), str(number), value if len(value) <= 44 else f"{value[:43]}…")
            for number, (name, value) in enumerate(values, 1)
            if value
        ]
        chosen = await self._screen.ask(Menu(f"Copy of {title}", entries))
        if chosen is not None:
            self._screen.app.copy_to_clipboard(chosen)
            self._screen.flash(f"copied {chosen if len(chosen) <= 60 else chosen[:59] + '…'}")

    async def menu(self, targets: Sequence[Container], keymap: Keymap) -> None:
        """All actions on the targets; the chosen one runs as if its key were pressed."""
        ids = _MENU_ONE if len(targets) == 1 else _MENU_MANY
        entries = []
        for id, label, action in ids:
            entries.append(Entry(action, label, keymap.keys(id)[0], keymap.shown(id)))
        title = targets[0].name if len(targets) == 1 else f"{len(targets)} containers"
        chosen = await self._screen.ask(Menu(title, entries))
        if chosen is not None:
            await self._screen.run_action(chosen)

    async def attempt(self, work: Callable[[], object], done: str) -> None:
        """An engine call with its result in the status line."""
        try:
            await self._screen.bridge.call(work)
        except EngineError as error:
            self._screen.fail(error.message, error.hint)
        else:
            self._screen.flash(done)

    async def _open(self, session: Session, container: Container, title: str, *, live: bool = True) -> None:
        screen = self._screen
        ended = [old for old in screen.dock.links(container.id) if old.over and old.exec_id == session.exec_id]
        keys = self._settings.detach_keys if not session.exec_id else ""
        link = TerminalLink(screen.bridge, session, container.id, title, detach_keys=keys)
        if not await screen.dock.open(link):
            screen.flash(f"{container.name} has four terminals open already; d closes one", "warning")
            return
        # Only now, so that the dock is never empty in between.
        for old in ended:
            await screen.dock.close(old.pane)
        screen.arrange_terminals()
        if live:
            _to_live(link.pane)

    @staticmethod
    def _attach_title(container: Container) -> str:
        return f"{container.name} · {plain(shlex.join(container.command))[:40]}"


def container_values(container: Container) -> list[tuple[str, str]]:
    """What can be copied of a container."""
    return [
        ("name", container.name),
        ("id", container.id),
        ("image", container.image),
        ("command", shlex.join(container.command)),
        ("address", container.endpoints[0].address if container.endpoints else ""),
        ("ports", port_list(container.ports)),
        ("url", first_url(container.ports)),
        ("pid", str(container.pid) if container.pid else ""),
        ("shell command", f"pydock exec -it {shlex.quote(container.name)} sh"),
    ]


def _to_live(pane: TerminalPane) -> None:
    pane.focus()
    pane.go_live()


def _check_reference(text: str) -> str:
    from engine.errors import InvalidRequest
    from engine.images import reference

    try:
        reference.parse(text)
    except InvalidRequest as error:
        return error.message
    return ""


_MENU_ONE = (
    ("container.toggle", "stop or start", "container('toggle')"),
    ("container.pause", "pause or resume", "container('pause')"),
    ("container.restart", "restart", "container('restart')"),
    ("container.signal", "send a signal", "container('signal')"),
    ("container.remove", "remove", "container('remove')"),
    ("container.attach", "attach to its terminal", "attach"),
    ("container.shell", "open a shell", "shell"),
    ("container.exec", "run a command", "exec"),
    ("container.logs", "logs", "show('logs')"),
    ("container.overview", "graphs and facts", "show('overview')"),
    ("container.timeline", "timeline", "show('timeline')"),
    ("container.inspect", "inspect", "show('inspect')"),
    ("container.rename", "rename", "rename"),
    ("container.copy", "copy …", "copy"),
    ("container.browse", "open in a browser", "browse"),
)
_MENU_MANY = _MENU_ONE[:5]
