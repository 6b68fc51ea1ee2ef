"""What the dashboard knows: the engine's objects as of the last event, and the use of the running ones.

Changed on the event loop only (by `bridge.py` and `jobs.py`), read by every screen. Nothing here calls the engine.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from .presentation.readings import reading
from .track import Track

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.models import Container, Event, Image, Network, Volume
    from engine.stats.sample import Sample

    from .jobs import Job
    from .presentation.readings import Reading

TREND_LENGTH = 60
"""Seconds of CPU kept for a row's sparkline."""
EVENTS_KEPT = 1000
COMPOSE_PROJECT = "com.docker.compose.project"


class Snapshot(NamedTuple):
    """The engine's objects at one moment; `last_event` is the newest event that it includes."""

    containers: list[Container]
    images: list[Image]
    networks: list[Network]
    volumes: list[Volume]
    events: list[Event]
    last_event: int


def take_snapshot(engine: Engine) -> Snapshot:
    """Read everything once. Blocks: call it from a thread, or before the interface is up."""
    last_event = engine.events.last_id()
    return Snapshot(
        engine.containers.list(all=True),
        engine.images.list(),
        engine.networks.list(),
        engine.volumes.list(),
        engine.events.since(max(0, last_event - EVENTS_KEPT)),
        last_event,
    )


class Project(NamedTuple):
    """Containers that carry the same compose project label."""

    name: str
    containers: tuple[Container, ...]


class Model:
    """The state that screens draw."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.containers: dict[str, Container] = {}
        self.images: list[Image] = []
        self.networks: list[Network] = []
        self.volumes: list[Volume] = []
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.jobs: list[Job] = []
        self.pending: dict[str, str] = {}
        """Work in progress by container id: "stopping", "removing" …; shown in place of the state."""
        self.usage: dict[str, Reading] = {}
        self.trends: dict[str, deque[float]] = {}
        self.track = Track()
        self.track_id = ""
        """The one container whose whole history is kept: the selected one."""
        self._last: dict[str, Sample] = {}
        if snapshot is not None:
            self.load(snapshot)

    def load(self, snapshot: Snapshot) -> None:
        """Replace the engine's objects by these."""
        self.containers = {container.id: container for container in snapshot.containers}
        self.images = snapshot.images
        self.networks = snapshot.networks
        self.volumes = snapshot.volumes
        self.events.clear()
        self.events.extend(snapshot.events)
        self._forget_gone()

    def put(self, container: Container) -> None:
        """A container is new or changed."""
        self.containers[container.id] = container
        if container.state not in ("running", "paused"):
            self.usage.pop(container.id, None)
            self._last.pop(container.id, None)

    def drop(self, container_id: str) -> None:
        """A container is gone."""
        self.containers.pop(container_id, None)
        self.pending.pop(container_id, None)
        self._forget_gone()

    def sample(self, samples: dict[str, Sample]) -> None:
        """Take the newest samples of the running containers."""
        for container_id, sample in samples.items():
            if container_id == self.track_id:
                self.track.add(sample)
            before = self._last.get(container_id)
            if before is not None and before.time_ns == sample.time_ns:
                continue
            self._last[container_id] = sample
            now = reading(before, sample)
            self.usage[container_id] = now
            if before is not None:
                self._trend(container_id).append(now.cpu)
        for container_id in self.usage.keys() - samples.keys():
            del self.usage[container_id]

    def remember(self, container_id: str, history: list[Sample]) -> None:
        """The last minute of a container before this program looked at it."""
        track = Track(history[-TREND_LENGTH:])
        if not history:
            return
        trend = self._trend(container_id)
        if not trend:
            trend.extend(point.cpu for _, point in track.points)
            self._last.setdefault(container_id, history[-1])
            if track.points:
                self.usage.setdefault(container_id, track.points[-1][1])

    def follow(self, container_id: str, history: list[Sample]) -> None:
        """Keep the whole history of this container from now on, and of no other."""
        self.track_id = container_id
        self.track = Track(history)

    def projects(self) -> list[Project]:
        """Compose projects by name."""
        found: dict[str, list[Container]] = {}
        for container in self.containers.values():
            name = container.labels.get(COMPOSE_PROJECT, "")
            if name:
                found.setdefault(name, []).append(container)
        return [Project(name, tuple(members)) for name, members in sorted(found.items())]

    def users_of_image(self, image: Image) -> list[Container]:
        """Containers made from an image."""
        return [container for container in self.containers.values() if container.image_id == image.id]

    def _trend(self, container_id: str) -> deque[float]:
        return self.trends.setdefault(container_id, deque(maxlen=TREND_LENGTH))

    def _forget_gone(self) -> None:
        gone = (self.usage.keys() | self.trends.keys() | self._last.keys()) - self.containers.keys()
        for container_id in gone:
            self.usage.pop(container_id, None)
            self.trends.pop(container_id, None)
            self._last.pop(container_id, None)
