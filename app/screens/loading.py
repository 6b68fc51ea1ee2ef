"""Fetches what the detail pane shows: the newest selection wins, and only the tab in sight is fetched."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError

from .detail import draw_life

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.models import Container, LogLine

    from .dashboard import DashboardScreen

_SETTLE_S = 0.08
"""A cursor that moves on within this time costs no engine call."""


class DetailLoader:
    """Bound to the dashboard, whose workers it uses."""

    def __init__(self, screen: DashboardScreen) -> None:
        self._screen = screen
        self._loaded: tuple[str, str, str] = ("", "", "")
        self._log_of = ""
        self._stop_log: Callable[[], None] | None = None

    def load(self, kind: str, key: str) -> None:
        """Fetch the tab in sight of this object, unless that is what is shown."""
        wanted = (kind, key, self._screen.detail.tab)
        if wanted == self._loaded and kind != "jobs":
            return
        same_object = wanted[:2] == self._loaded[:2]
        self._loaded = wanted
        if not same_object or kind != "containers":
            self._drop_log(key)
        # Not a coroutine: one that is cancelled before it began would complain that it was never awaited.
        work = partial(self._load, kind, key, same_object)
        self._screen.run_worker(work, group="detail", exclusive=True, exit_on_error=False)  # type: ignore[arg-type]

    def forget(self, *, log: bool) -> None:
        """The object changed: fetch it anew next time, and its log from the start when it began a new run."""
        self._loaded = ("", "", "")
        if log:
            self._log_of = ""
            self._screen.flows.begins_anew(self._screen.panels["containers"].selected)

    async def _load(self, kind: str, key: str, same_object: bool) -> None:
        if not same_object:
            await asyncio.sleep(_SETTLE_S)
        try:
            if kind == "containers" and key:
                await self._load_container(self._screen.model.containers[key])
            elif kind == "images":
                await self._load_image(key)
            elif kind == "jobs":
                await self._screen.detail.show_job(
                    next((job for job in self._screen.model.jobs if job.id == key), None)
                )
            elif kind:
                self._screen.detail.show_document(self._document(kind, key))
        except EngineError as error:
            self._screen.detail.show_document({"error": error.message})
        except KeyError:
            self._loaded = ("", "", "")

    async def _load_container(self, container: Container) -> None:
        containers, call = self._screen.bridge.engine.containers, self._screen.bridge.call
        if self._screen.model.track_id != container.id:
            history = await call(containers.history, container.id)
            self._screen.model.follow(container.id, history)
            self._screen.model.remember(container.id, history)
        self._screen.call_after_refresh(self._screen.show_graphs)
        tab = self._screen.detail.tab
        if tab == "logs" and self._log_of != container.id:
            self._follow_log(container)
        elif tab == "overview":
            await self.processes(container)
        elif tab == "inspect":
            self._screen.detail.show_document(await call(containers.inspect, container.id))
        elif tab == "terminals":
            await self._screen.flows.reopen(container)
        phases = await call(containers.timeline, container.id)
        happened = [event for event in self._screen.model.events if event.actor == container.id]
        self._screen.detail.show_life(container, phases, happened)
        draw_life(self._screen.side.timeline, container, phases, happened)

    async def processes(self, container: Container) -> None:
        """Read and draw the process list."""
        containers = self._screen.bridge.engine.containers
        alive = container.state in ("running", "paused")
        try:
            self._screen.detail.overview.show_processes(
                await self._screen.bridge.call(containers.top, container.id) if alive else []
            )
        except EngineError:
            self._screen.detail.overview.show_processes([])

    async def _load_image(self, key: str) -> None:
        images = self._screen.bridge.engine.images
        if self._screen.detail.tab == "layers":
            self._screen.detail.show_layers(await self._screen.bridge.call(images.history, key))
        else:
            self._screen.detail.show_document(await self._screen.bridge.call(images.inspect, key))

    def _document(self, kind: str, key: str) -> Any:
        model = self._screen.model
        if kind == "networks":
            return next((network.to_json() for network in model.networks if network.id == key), {})
        if kind == "volumes":
            return next((volume.to_json() for volume in model.volumes if volume.name == key), {})
        if kind == "events":
            return next((event.to_json() for event in model.events if str(event.id) == key), {})
        members = next((project.containers for project in model.projects() if project.name == key), ())
        return {container.name: container.to_json() for container in members}

    def _follow_log(self, container: Container) -> None:
        self._drop_log("")
        self._log_of = container.id
        self._stop_log = self._screen.bridge.follow_log(container.id, self._screen.settings.log_tail, self._log_arrived)

    def _log_arrived(self, lines: list[LogLine]) -> None:
        self._screen.detail.logs.append(lines)

    def _drop_log(self, keep: str) -> None:
        if self._log_of != keep or not keep:
            if self._stop_log is not None:
                self._stop_log()
            self._stop_log, self._log_of = None, ""
            self._screen.detail.logs.clear()
