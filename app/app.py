"""The Textual application: themes, the palette, and the order in which things close."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.app import App

from .bridge import Bridge
from .errors import ConfigurationError
from .key_order import KeyOrder
from .keymap import bindings
from .model import Model
from .palette import PydockCommands
from .screens.dashboard import DashboardScreen
from .settings import Remembered
from .widgets.terminal import TerminalPane

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from textual.binding import BindingType
    from textual.theme import Theme

    from engine.engine import Engine

    from .keymap import Keymap
    from .model import Snapshot
    from .settings import Settings


log = logging.getLogger(__name__)


class PydockApp(App[None]):
    """One screen over one engine. The engine is the caller's to close, after `run` has returned."""

    TITLE = "pydock"
    CSS_PATH = "styles/pydock.tcss"
    COMMANDS = {PydockCommands}
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("app")]
    ESCAPE_TO_MINIMIZE = False

    def __init__(
        self,
        engine: Engine,
        *,
        settings: Settings,
        keymap: Keymap,
        themes: Mapping[str, Theme],
        snapshot: Snapshot | None = None,
        remembered: Remembered | None = None,
        state_file: Path | None = None,
    ) -> None:
        super().__init__()
        self.model = Model(snapshot)
        self.bridge = Bridge(engine, self.model)
        self.settings = settings
        self.keymap_in_force = keymap
        self.mouse_is_ours = True
        self.held_keys: list[events.Key] | None = None
        self._key_order = KeyOrder(self, self._deliver)
        self._state_file = state_file
        for theme in themes.values():
            self.register_theme(theme)
        if settings.theme not in self.available_themes:
            raise ConfigurationError(
                f"no theme {settings.theme!r}", hint=f"for example {', '.join(themes)} (--theme, settings.toml)"
            )
        self.theme = settings.theme
        self.set_keymap(keymap.overrides)
        self.dashboard = DashboardScreen(self.bridge, self.model, settings, keymap, remembered or Remembered())

    def get_default_screen(self) -> DashboardScreen:
        return self.dashboard

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A live terminal gets every key, ctrl+q and ctrl+p too: they are Docker's detach keys."""
        if action in ("quit", "command_palette", "help_quit") and self.in_live_terminal:
            return False
        return super().check_action(action, parameters)

    @property
    def in_live_terminal(self) -> bool:
        """Whether keys go to a program in a container."""
        return isinstance(self.focused, TerminalPane) and self.focused.live

    async def on_event(self, event: events.Event) -> None:
        """Keys are given out in their order; all else goes Textual's way."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            await self._key_order.give(event)
        else:
            await super().on_event(event)

    async def _deliver(self, event: events.Event) -> None:
        """Keys typed while a terminal opens belong to it, not to the keys of the dashboard."""
        if self.held_keys is not None and isinstance(event, events.Key) and self.screen is self.dashboard:
            self.held_keys.append(event)
            return
        await super().on_event(event)

    def hold_keys(self) -> None:
        """From now on keys wait for the terminal that is about to be live."""
        if self.held_keys is None:
            self.held_keys = []

    def release_keys(self, pane: TerminalPane | None) -> None:
        """Give the keys that waited to the pane, or drop them when there is none."""
        held, self.held_keys = self.held_keys or [], None
        for event in held:
            if pane is not None:
                pane.post_message(event)

    async def action_quit(self) -> None:
        """Leave; asks when something runs. Nothing stops."""
        self.run_worker(self._leave(), group="quit", exclusive=True, exit_on_error=False)

    async def _leave(self) -> None:
        from .modals.confirm import QuitDialog

        running = sum(container.state in ("running", "paused") for container in self.model.containers.values())
        jobs = sum(job.running for job in self.model.jobs)
        if (running or jobs) and not await self.push_screen_wait(QuitDialog(running, jobs)):
            return
        self.exit()

    def _fatal_error(self) -> None:
        """A defect ends the program with one line; the traceback goes to the log file. Containers do not notice."""
        log.error("the dashboard failed", exc_info=self._exception)
        reason = str(self._exception) or type(self._exception).__name__
        line = f"pydock-tui: internal error: {reason} (the log file has the details; containers run on)"
        self._exit_renderables.append(Text(line.replace("\n", " ")))
        self._close_messages_no_wait()

    async def on_unmount(self) -> None:
        """Detach from everything: sessions first, then events and threads."""
        from .settings import write_remembered

        for job in self.model.jobs:
            job.stopped = True
        if self._state_file is not None:
            write_remembered(self._state_file, self.dashboard.remember())
        self.dashboard.dock.detach_all()
        self.bridge.close()
