"""The command palette: every key's action by its sentence, containers and images by name, themes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.command import DiscoveryHit, Hit, Provider

from .keymap import KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.command import Hits

    from .screens.dashboard import DashboardScreen

_CONTEXTS = ("containers", "dashboard", "app", "images", "volumes", "jobs")


class PydockCommands(Provider):
    """What can be done, in the words of the help screen, with its key and the subject."""

    async def discover(self) -> Hits:
        for title, help_text, run in self._commands():
            yield DiscoveryHit(title, run, help=help_text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, help_text, run in [*self._commands(), *self._objects(), *self._themes()]:
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, help=help_text)

    def _commands(self) -> list[tuple[str, str, Callable[[], object]]]:
        screen = self._dashboard
        if screen is None:
            return []
        found: list[tuple[str, str, Callable[[], object]]] = []
        for context in _CONTEXTS:
            for key in KEYS:
                if key.context != context or key.action == "command_palette":
                    continue
                if context == "containers" and screen.container is None and key.id != "container.run":
                    continue
                if context == "images" and screen.image is None and key.id not in ("image.pull", "image.toolbox"):
                    continue
                title = key.help if context != "images" else f"Image: {key.help}"
                action = key.action.removeprefix("screen.")
                run = partial(self._run, "app.quit" if action == "quit" else action)
                found.append((title, f"{screen.keymap.shown(key.id)}   {key.id}", run))
        return found

    def _objects(self) -> list[tuple[str, str, Callable[[], object]]]:
        screen = self._dashboard
        if screen is None:
            return []
        found: list[tuple[str, str, Callable[[], object]]] = []
        for container in screen.model.containers.values():
            run = partial(screen.go_to_container, container.id, "logs")
            found.append((f"Go to container {container.name}", container.state, run))
        for image in screen.model.images:
            for name in image.references:
                found.append((f"Run {name}", "a new container", partial(self._run_image, image.id)))
        return found

    def _themes(self) -> list[tuple[str, str, Callable[[], object]]]:
        return [
            (f"Theme {name}", "dark" if theme.dark else "light", partial(setattr, self.app, "theme", name))
            for name, theme in sorted(self.app.available_themes.items())
        ]

    async def _run(self, action: str) -> None:
        screen = self._dashboard
        if screen is not None:
            await screen.run_action(action)

    def _run_image(self, image_id: str) -> None:
        screen = self._dashboard
        if screen is not None:
            screen.panels["images"].table.move_cursor_to(image_id)
            screen.show_panel("images")
            screen.action_image("run")

    @property
    def _dashboard(self) -> DashboardScreen | None:
        return getattr(self.app, "dashboard", None)
