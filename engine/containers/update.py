"""`update`: other limits and another restart policy, for a container that runs and for its next start.

A living shim does it, being the only writer of its row: the cgroup first, and when the kernel has taken the limits the
row and the request in one transaction. Otherwise nothing but the row and the request changes.
"""

from __future__ import annotations

from ..bundle import resources as limits
from ..bundle import validate
from ..errors import Conflict, InvalidRequest, WrongState
from ..models import Resources
from . import reconcile, rows
from .locks import LifecycleLock
from .session import ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container, CreateRequest, RestartPolicy
    from ..paths import Paths
    from ..store import Store


def update(
    store: Store, paths: Paths, container: Container, changes: Resources, restart: RestartPolicy | None
) -> tuple[str, ...]:
    """Lay `changes` (fields at their defaults stay as they are) over the container's limits. Returns warnings.

    Raises InvalidRequest for what cannot be, and what the kernel refuses as an EngineError; then nothing has changed.
    """
    with LifecycleLock(paths, container.id):
        container = rows.load(store, container.id)
        asked = rows.request(store, container.id)
        merged = _merged(asked.resources, changes)
        policy = restart or asked.restart
        changed = asked.replace(resources=merged, restart=policy)
        validate.check_limits(changed)
        if restart and asked.auto_remove and restart.name not in ("", "no"):
            raise InvalidRequest("restart policy cannot be updated because AutoRemove is enabled for the container")
        if container.state in rows.LIVE_STATES and _by_shim(store, paths, container, changed):
            return validate.warnings(changed)
        if container.state == "removing":
            raise WrongState(f"cannot update container {container.name}: it is being removed")
        rows.update(
            store,
            container.id,
            lambda row: row.replace(resources=merged, restart=policy),
            ("update", {}),
            also=lambda tx: rows.set_request(tx, container.id, changed),
        )
    return validate.warnings(changed)


def _by_shim(store: Store, paths: Paths, container: Container, changed: CreateRequest) -> bool:
    body = {
        "op": "update",
        "limits": limits.limits(changed.resources),
        "resources": changed.resources.to_json(),
        "restart": changed.restart.to_json(),
    }
    try:
        ask(paths.shim_socket(container.id), body)
    except (FileNotFoundError, ConnectionError) as error:
        reconcile.settle(store, paths, container.id)
        if rows.load(store, container.id).state in rows.LIVE_STATES:
            raise Conflict(f"container {container.name} is still ending", hint="Try again.") from error
        return False
    return True


def _merged(had: Resources, changes: Resources) -> Resources:
    new = {name: value for name in Resources._fields if (value := getattr(changes, name)) != getattr(Resources, name)}
    if "nano_cpus" in new and (had.cpu_period or had.cpu_quota):
        raise InvalidRequest("conflicting options: nano CPUs cannot be updated as CPU period or quota has been set")
    if had.nano_cpus and ("cpu_period" in new or "cpu_quota" in new):
        raise InvalidRequest("conflicting options: CPU period or quota cannot be updated as nano CPUs has been set")
    if 0 < had.memory_swap < new.get("memory", 0) and "memory_swap" not in new:
        raise InvalidRequest(
            "memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
    return had.replace(**new)
