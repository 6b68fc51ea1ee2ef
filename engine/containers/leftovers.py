"""Clears away what a killed shim left of one container in the kernel: interfaces, published ports, cgroup, and what the
runtime knew. For whoever holds the container's lock while no shim of it lives."""

from __future__ import annotations

import json
import os

from ..errors import EngineError
from ..networks import rows as network_rows
from . import files, runtimes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..models import Endpoint
    from ..paths import Paths
    from ..store import Store


def clear(store: Store, paths: Paths, container_id: str, endpoints: Iterable[Endpoint] = ()) -> None:
    """Everything, given `endpoints` or those that the container's addresses are reserved for; the addresses themselves
    are the caller's to give back."""
    from ..networks import attach as network

    for place in tuple(endpoints) or network_rows.of_container(store, container_id):
        try:
            network.detach(container_id, place)
        except (EngineError, OSError):  # a host that has lost its network tools can still tell what there is
            pass
    clear_runtime(paths, container_id)


def clear_if_any(store: Store, paths: Paths, container_id: str) -> None:
    """The same, for those who expect nothing: two looks, and no more when they are right."""
    if (
        os.path.exists(f"{paths.runtime}/{container_id}")
        or network_rows.of_container(store, container_id)
        or runtimes.noted(paths, container_id)
    ):
        clear(store, paths, container_id)


def clear_runtime(paths: Paths, container_id: str) -> None:
    """The runtime's state, and the cgroup with what may still live in it: on v1 nothing frozen dies by itself. A
    creation may have been cut off before the runtime noted the cgroup, or the run folder be lost: then the bundle
    knows where it is."""
    from runtime.container import Container as RuntimeContainer
    from runtime.errors import RuntimeFault

    try:
        RuntimeContainer.load(paths.runtime, container_id).delete(force=True)
    except (RuntimeFault, OSError):
        pass
    try:
        _clear_cgroup(_cgroup_path(paths, container_id), container_id)
    except (RuntimeFault, OSError):
        pass
    for path in _foreign_states(paths, container_id):
        files.discard(path)
    try:
        runtimes.clear_foreign(paths, container_id)
    except (RuntimeFault, OSError):
        pass


def _foreign_states(paths: Paths, container_id: str) -> list[str]:
    """What other OCI runtimes keep of it."""
    folder = f"{paths.run_root}/runtimes"
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return [path for name in names if os.path.exists(path := f"{folder}/{name}/{container_id}")]


def _cgroup_path(paths: Paths, container_id: str) -> str:
    """Where the bundle says that the cgroup is; "" when it was never made into one."""
    try:
        with open(f"{paths.container(container_id)}/config.json", encoding="utf-8") as file:
            return str(json.load(file)["linux"]["cgroupsPath"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _clear_cgroup(path: str, container_id: str) -> None:
    if not path.endswith(f"/{container_id}"):
        return
    from runtime.cgroups import open_cgroup

    cgroup = open_cgroup(path, container_id)
    if cgroup.exists():
        cgroup.kill()
        cgroup.remove()
