"""Another engine, driven over its API: pydock, Docker or Podman, on this machine or elsewhere.

Has the face of `engine.engine.Engine`, so that commands need not know whom they talk to. It keeps no state.
"""

from __future__ import annotations

from .api import Api
from .containers import RemoteContainers
from .events import RemoteEvents
from .images import RemoteImages
from .networks import RemoteNetworks
from .volumes import RemoteVolumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from .target import Target


class RemoteEngine:
    """`with RemoteEngine(parse_target("unix:///run/docker.sock")) as engine:`; connects at the first call."""

    def __init__(self, target: Target) -> None:
        self.api = Api(target)
        self.target = target
        self.containers = RemoteContainers(self.api)
        self.images = RemoteImages(self.api)
        self.networks = RemoteNetworks(self.api)
        self.volumes = RemoteVolumes(self.api)
        self.events = RemoteEvents(self.api)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self.api.close()

    def info(self) -> dict[str, Any]:
        """What `docker info` shows."""
        facts: dict[str, Any] = self.api.json("GET", "/info")
        return facts

    def version(self) -> dict[str, Any]:
        """What the other engine says of itself."""
        facts: dict[str, Any] = self.api.json("GET", "/version")
        return facts

    def prune(self, kind: str, filters: Mapping[str, list[str]]) -> tuple[list[str], int]:
        """`POST /containers/prune` and its like: what went, and the bytes that came free."""
        query = {"filters": {key: list(values) for key, values in filters.items()}} if filters else None
        reply = self.api.json("POST", f"/{kind}/prune", query) or {}
        names: list[str] = []
        for entry in reply.get(f"{kind.capitalize()}Deleted") or ():
            if isinstance(entry, dict):
                names += [f"{key.lower()}: {value}" for key, value in entry.items() if value]
            else:
                names.append(str(entry))
        return names, int(reply.get("SpaceReclaimed") or 0)

    def disk_usage(self) -> dict[str, Any]:
        """`GET /system/df`."""
        usage: dict[str, Any] = self.api.json("GET", "/system/df")
        return usage
