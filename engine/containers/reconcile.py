"""Settles what a killed shim or a reboot left: rows that say running with nobody behind them.

Every host does this when it opens the engine. The lock decides: a row is touched only when its shim is gone
and no other host is at work on it.
"""

from __future__ import annotations

import json
import os
import time

from ..errors import Conflict, ContainerNotFound, EngineError
from ..networks.networks import release
from . import files, leftovers, rows
from .locks import LifecycleLock, shim_alive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..models import Container
    from ..paths import Paths
    from ..shim.exits import Exit
    from ..store import Store

ID_DIGITS = 64
LOST_CODE = 255
"""Docker's exit code for a container whose end nobody saw."""

# Addresses that a running container has not: whoever was connecting it was killed before its shim knew.
_UNUSED = """
SELECT e.container_id, e.network FROM endpoints e JOIN containers c ON c.id = e.container_id
WHERE c.state IN ('running', 'paused') AND NOT EXISTS (
    SELECT 1 FROM json_each(c.document, '$.endpoints') held WHERE json_extract(held.value, '$.network') = e.network)
"""


def reconcile(store: Store, paths: Paths) -> list[str]:
    """Settle all rows that need it, and sweep what no row knows. A database that is new is first told what there is.
    The ids of those that their policy wants started again: a shim that was killed could not do it itself. After a
    reboot there are none, that is for `boot`."""
    if not store.query("SELECT 1 FROM meta WHERE key = 'rebuilt'"):
        from .rebuild import rebuild_once

        rebuild_once(store, paths)
    orphans = []
    for container_id in rows.live_ids(store):
        if not shim_alive(paths, container_id):
            booted = os.path.exists(paths.shim_lock(container_id))
            if settle(store, paths, container_id) and booted and _wanted(store, container_id):
                orphans.append(container_id)
    _sweep(store, paths)
    return orphans


def settle(store: Store, paths: Paths, container_id: str) -> bool:
    """Bring one row to the truth; whether this call did. Quiet when it is true already, or another host is at it."""
    try:
        with LifecycleLock(paths, container_id, wait_s=0.0):
            container = rows.load(store, container_id)
            if container.state in rows.LIVE_STATES and not shim_alive(paths, container_id):
                _settle(store, paths, container)
                return True
    except (Conflict, ContainerNotFound):
        pass
    return False


def _wanted(store: Store, container_id: str) -> bool:
    from ..shim.restart import wanted_at_boot

    try:
        container = rows.load(store, container_id)
    except ContainerNotFound:
        return False
    return not container.stop_requested and wanted_at_boot(container)


def _sweep(store: Store, paths: Paths) -> None:
    """Delete bundles that a killed `create` left without a row, and give addresses of the dead back."""
    bundles = os.listdir(paths.containers)
    states = dict(store.query("SELECT id, state FROM containers"))
    for name in bundles:
        if name not in states:
            _sweep_one(store, paths, name, lambda name=name: files.remove(paths, name))  # type: ignore[misc]
    for holder, network in store.query(_UNUSED):
        _sweep_one(
            store,
            paths,
            holder,
            lambda holder=holder, network=network: _give_back(store, holder, network),  # type: ignore[misc]
            live=True,
        )
    held = {row[0] for row in store.query("SELECT DISTINCT container_id FROM endpoints")}
    for holder in held | _known_to_runtime(paths):
        if states.get(holder) not in rows.LIVE_STATES:
            _sweep_one(store, paths, holder, lambda holder=holder: _release(store, paths, holder))  # type: ignore[misc]
    for name in os.listdir(f"{paths.run_root}/containers"):
        if name not in states:
            _sweep_one(store, paths, name, lambda: None)  # the lock takes the empty folder with it
    for name in os.listdir(paths.tmp):
        if name.startswith("removed-"):
            files.discard(f"{paths.tmp}/{name}")


def _known_to_runtime(paths: Paths) -> set[str]:
    return {name for name in os.listdir(paths.runtime) if len(name) == ID_DIGITS}


def _sweep_one(
    store: Store, paths: Paths, container_id: str, action: Callable[[], None], *, live: bool = False
) -> None:
    """Act if nobody is at work on the container and it is still `live` or not: who creates, starts or connects it
    holds the lock."""
    try:
        with LifecycleLock(paths, container_id, wait_s=0.0):
            row = store.query("SELECT state FROM containers WHERE id = ?", (container_id,))
            if shim_alive(paths, container_id) == live == bool(row and row[0][0] in rows.LIVE_STATES):
                action()
    except Conflict:
        pass


def _give_back(store: Store, container_id: str, network: str) -> None:
    """A connect that was not finished is none: the container's later starts are not to bring it about."""
    with store.transaction() as tx:
        if (container_id, network) not in tx.execute(_UNUSED).fetchall():
            return
        release(tx, container_id, network)
        asked = rows.request(store, container_id)
        if asked.networks:
            kept = tuple(one for one in asked.networks if one.network != network)
            rows.set_request(tx, container_id, asked.replace(networks=kept))


def _release(store: Store, paths: Paths, container_id: str) -> None:
    leftovers.clear(store, paths, container_id)
    with store.transaction() as tx:
        release(tx, container_id)
    _clear_rules(store, paths)


def _settle(store: Store, paths: Paths, container: Container) -> None:
    from ..shim.exits import Exit
    from ..volumes.volumes import Volumes

    leftovers.clear(store, paths, container.id, container.endpoints)
    end = _exit_record(paths, container) or Exit(
        code=137 if _rebooted_never(paths, container) else LOST_CODE,
        signal=0,
        finished_ns=time.time_ns(),
    )
    # Of one that was to be restarted the end has been told already.
    told = container.state == "restarting" and container.finished_ns == end.finished_ns
    died = () if told else (("die", {"exitCode": str(end.code)}),)
    if container.auto_remove:
        rows.delete(store, container, *died, also=lambda tx: release(tx, container.id))
        files.remove(paths, container.id)
        files.remove_anonymous_volumes(Volumes(store, paths), container)
    else:
        rows.update(store, container.id, end.applied, *died, also=lambda tx: release(tx, container.id))
    if container.endpoints:
        _clear_rules(store, paths)


def _clear_rules(store: Store, paths: Paths) -> None:
    """What the last shim does at its end, if it comes to that."""
    from ..networks import clear

    try:
        clear.clear(store, paths.root)
    except (EngineError, OSError):  # a host that has lost its network tools can still tell what there is
        pass


def _exit_record(paths: Paths, container: Container) -> Exit | None:
    """The shim's own account, if it is of this run."""
    from ..shim.exits import Exit

    for path in (paths.exit_record(container.id), paths.exit_record_aside(container.id)):
        try:
            with open(path, encoding="utf-8") as file:
                end = Exit.from_json(json.load(file))
        except (OSError, ValueError, TypeError):
            continue
        if end.finished_ns >= container.started_ns:
            return end
    return None


def _rebooted_never(paths: Paths, container: Container) -> bool:
    """Whether the run folder is still there: the shim was killed, and the container with it by SIGKILL."""
    return os.path.exists(paths.shim_lock(container.id))
