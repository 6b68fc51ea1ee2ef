"""The engine: images, containers, networks, volumes and events of one data root, as a library.

Any number of processes may have it open. Opening it settles what a killed shim or a reboot left.
"""

from __future__ import annotations

import os

from .containers import reconcile
from .containers.containers import Containers
from .errors import EngineError, HostUnfit
from .events import Events
from .images.images import Images
from .networks.networks import Networks
from .paths import Paths
from .store import Store
from .volumes.volumes import Volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self


class Engine:
    """`with Engine() as engine:`; safe to call from several threads."""

    def __init__(self, root: str | None = None, run_root: str | None = None) -> None:
        self.paths = Paths(root, run_root)
        if os.geteuid() != 0:
            raise HostUnfit("pydock makes namespaces, mounts and cgroups, which needs root", hint="Run it with sudo.")
        self.paths.create()
        self.store = Store(self.paths.database, self.paths.doorbells)
        self.events = Events(self.store, self.paths)
        self.images = Images(self.paths, lambda *told: self.events.announce("image", *told))
        self.networks = Networks(self.store, self.paths)
        self.volumes = Volumes(self.store, self.paths)
        self.containers = Containers(self.store, self.paths, self.images, self.networks, self.volumes)
        for orphan in reconcile.reconcile(self.store, self.paths):
            try:
                self.containers.start(orphan)
            except EngineError:  # its row says why
                pass
        self.volumes.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; containers run on."""
        self.store.close()

    def info(self) -> dict[str, Any]:
        """Facts about engine and host, named as in `docker info`."""
        from . import info

        return info.facts(self)
