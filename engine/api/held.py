"""Attaches that came before the start, which is how `docker run` does it: held open, and wired when it starts.

A start by this server hands its session, which misses nothing, to the first one. When another program starts the
container, the start event is the sign to attach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import EngineError

if TYPE_CHECKING:
    from ..containers.session import Session
    from ..models import Event
    from .bridge import Bridge
    from .service import Service


class HeldAttaches:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._waiting: dict[str, list[Bridge]] = {}
        self._starting: set[str] = set()
        self.sizes: dict[str, tuple[int, int]] = {}
        """Rows and columns that `create` named for a container's terminal."""
        service.watcher.listeners.append(self._told)

    def hold(self, container_id: str, bridge: Bridge) -> None:
        self._waiting.setdefault(container_id, []).append(bridge)

    def release(self, container_id: str, bridge: Bridge) -> None:
        """The client went away before the start, or after it."""
        bridges = self._waiting.get(container_id, [])
        if bridge in bridges:
            bridges.remove(bridge)
        if not bridges:
            self._waiting.pop(container_id, None)

    async def start(self, container_id: str) -> None:
        """Start the container with its held attaches. Raises what the engine raises, and closes them then."""
        self._starting.add(container_id)
        try:
            await self._start(container_id)
        finally:
            self._starting.discard(container_id)

    async def _start(self, container_id: str) -> None:
        containers, threads = self._service.engine.containers, self._service.threads
        attach = bool(self._waiting.get(container_id))
        size = self.sizes.pop(container_id, None)
        try:
            session = await threads.call_long(containers.start, container_id, attach=attach, size=size)
        except BaseException:
            for bridge in self._waiting.pop(container_id, ()):
                bridge.close()
            await threads.call_long(self._remove_if_asked, container_id)
            raise
        await self._wire(container_id, session)

    def _remove_if_asked(self, container_id: str) -> None:
        """After a start that failed: docker's client waits for the removal of what was to be removed at its end."""
        containers = self._service.engine.containers
        try:
            container = containers.get(container_id)
            if container.auto_remove and container.state in ("created", "exited", "dead"):
                containers.remove(container_id, volumes=True)
        except EngineError:  # removed already
            pass

    async def wire_late(self, container_id: str) -> None:
        """Wire what was held after its container had started."""
        if container_id not in self._starting:
            await self._wire(container_id, None)

    async def _wire(self, container_id: str, session: Session | None) -> None:
        for bridge in self._waiting.pop(container_id, ()):
            if session is None:
                try:
                    session = await self._service.threads.call(self._service.engine.containers.attach, container_id)
                except EngineError:  # it has ended already; its log has what it said
                    bridge.close()
                    continue
            bridge.wire(session)
            session = None
        if session is not None:
            session.close()

    def _told(self, event: Event) -> None:
        if event.type != "container" or event.actor in self._starting:
            return
        if event.action == "start" and event.actor in self._waiting:
            self._service.spawn(self._wire(event.actor, None))
        elif event.action == "destroy":
            self.sizes.pop(event.actor, None)
            for bridge in self._waiting.pop(event.actor, ()):
                bridge.close()
