"""`rm`: the row, the bundle, and on request the anonymous volumes."""

from __future__ import annotations

import signal

from ..errors import Conflict
from ..networks.networks import release
from . import files, rows, stop
from .locks import LifecycleLock, wait_for_shim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container
    from ..paths import Paths
    from ..store import Store
    from ..volumes.volumes import Volumes


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
    if container.state in rows.LIVE_STATES:
        if not force:
            raise Conflict(
                f"cannot remove container {container.name}: it is {container.state}",
                hint=f"Stop it first (pydock stop {container.name}), or use force (pydock rm -f).",
            )
        stop.stop(store, paths, container, signal.SIGKILL, 0)
    with LifecycleLock(paths, container.id):
        if not wait_for_shim(paths, container.id):
            raise Conflict(f"container {container.name} is still ending", hint="Try again.")
        rows.delete(store, container, also=lambda tx: release(tx, container.id))
        files.remove(paths, container.id)
    if with_volumes or container.auto_remove:
        files.remove_anonymous_volumes(volumes, container)
