"""`network rm` and `network prune`. The bridge goes before the row, so that a kill in between leaves a network that
can be used or removed again, and no bridge without a row."""

from __future__ import annotations

import json

from ..errors import Conflict, EngineError, InUse, NetworkNotFound
from . import rows, rules
from .claim import HostLock, give_up
from .netlink import Netlink
from .nfnetlink import table_exists

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..models import Network
    from ..store import Store


def remove(store: Store, root: str, network: Network) -> None:
    """Remove a network that no running container is on. Raises Conflict, InUse naming who is."""
    if network.name in rows.PREDEFINED:
        raise Conflict(f"{network.name} is a pre-defined network and cannot be removed")
    try:
        with HostLock(), Netlink() as host:
            used = rows.endpoints(store, network.name)
            if used:
                names = ", ".join(f'name:"{name}" id:"{container_id[:12]}"' for container_id, name, _ in used)
                raise InUse(
                    f"error while removing network: network {network.name} id {network.id[:12]} "
                    f"has active endpoints ({names})",
                    hint=f"Stop them, or pydock network disconnect {network.name} {used[0][1]}.",
                )
            if give_up(host, network, root) and network.driver == "bridge":
                _forget_rules(store, root)
            with store.transaction() as tx:
                if not tx.execute("DELETE FROM networks WHERE id = ?", (network.id,)).rowcount:
                    raise NetworkNotFound(f"network {network.name} not found")
                tx.event("network", "destroy", network.id, {"name": network.name, "type": network.driver})
    except OSError as error:
        raise EngineError(f"network {network.name}: {error.strerror or error}") from error


def _forget_rules(store: Store, root: str) -> None:
    """Another network may be given the same names and numbers one day."""
    table = rules.table_name(root)
    if table_exists(table):
        rules.rebuild(table, [endpoint for _, endpoint in rows.every_endpoint(store)])


def prune(store: Store, root: str, chosen: Callable[[Network], bool]) -> list[str]:
    """Remove the chosen ones among those that no container names, running or not; their names."""
    named = _named(store)
    removed = []
    for network in rows.every(store):
        if network.name in rows.PREDEFINED or named & {network.name, network.id} or not chosen(network):
            continue
        try:
            remove(store, root, network)
        except (InUse, NetworkNotFound):  # somebody was faster
            continue
        removed.append(network.name)
    return removed


def _named(store: Store) -> set[str]:
    """What the requests of all containers call their networks."""
    names: set[str] = set()
    for (document,) in store.query("SELECT request FROM containers"):
        request = json.loads(document)
        attached = request.get("networks")
        names.update([request["network"]] if attached is None else [entry["network"] for entry in attached])
    return names
