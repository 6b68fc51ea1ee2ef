"""`rm`: the row, the bundle, and on request the anonymous volumes."""

from __future__ import annotations

import signal

from ..errors import Conflict, ContainerNotFound, DiskFull
from ..networks.networks import release
from . import files, leftovers, rows, stop
from .locks import LifecycleLock, shim_alive, wait_for_shim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container
    from ..paths import Paths
    from ..store import Store
    from ..volumes.volumes import Volumes

STARTED_AGAIN = 10
ENDING_S = 2.0
"""How long a shim may be busy after it has told the end, which a full disk may have kept out of the row."""


def remove(
    store: Store,
    paths: Paths,
    volumes: Volumes,
    container: Container,
    *,
    force: bool = False,
    with_volumes: bool = False,
) -> None:
    """Remove a container; a live one only by `force`, which kills it first. Raises `Conflict`."""
    stopped = False
    for _attempt in range(STARTED_AGAIN):
        lives = container.state == "dead" and shim_alive(paths, container.id)  # its row is damaged
        if lives or container.state in rows.LIVE_STATES:
            if not force:
                raise Conflict(
                    f"cannot remove container {container.name}: it is {container.state}",
                    hint=f"Stop it first (pydock stop {container.name}), or use force (pydock rm -f).",
                )
            stop.stop(store, paths, container, signal.SIGKILL, 0)
            stopped = True
        with LifecycleLock(paths, container.id):
            try:
                container = rows.load(store, container.id)
            except ContainerNotFound:
                if stopped:  # it was to be removed at its end, and the shim has done it
                    break
                raise
            if container.state in rows.LIVE_STATES and not wait_for_shim(paths, container.id, wait_s=ENDING_S):
                continue  # somebody has started it meanwhile
            _remove(store, paths, container)
            break
    else:
        raise Conflict(f"container {container.name} is started again and again by another process", hint="Try again.")
    if with_volumes or container.auto_remove:
        files.remove_anonymous_volumes(volumes, container)


def _remove(store: Store, paths: Paths, container: Container) -> None:
    if not wait_for_shim(paths, container.id):
        raise Conflict(f"container {container.name} is still ending", hint="Try again.")
    leftovers.clear_if_any(store, paths, container.id)
    try:
        rows.delete(store, container, also=lambda tx: release(tx, container.id))
    except DiskFull:  # what it wrote may be what the database lacks
        files.remove(paths, container.id)
        rows.delete(store, container, also=lambda tx: release(tx, container.id))
        return
    files.remove(paths, container.id)
