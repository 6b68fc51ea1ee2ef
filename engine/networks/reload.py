"""`network reload`: bridges, rules and what lets packets pass made again from the rows, as after another program has
flushed or deleted them. Containers run on, and those that were cut off are joined again."""

from __future__ import annotations

from ..errors import EngineError
from . import links, rows, rules
from .address import parse_subnet
from .claim import HostLock, claim, subnets
from .clear import clear_locked
from .forwarding import allow_forwarding, allow_loopback
from .netlink import Netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Endpoint, Network
    from ..store import Store


def reload(store: Store, root: str, networks: list[Network]) -> list[str]:
    """Make the chosen networks whole, and the table of rules, which is all networks'; the names of the chosen that
    containers are on. Raises EngineError."""
    try:
        with HostLock(), Netlink() as host:
            places = rows.every_endpoint(store)
            done = []
            for network in networks:
                there = [place for place in places if place[1].network == network.name]
                if there and network.driver == "bridge":
                    _rejoin(store, host, root, network, there)
                if there:
                    done.append(network.name)
            if not clear_locked(store, root):
                rules.rebuild(rules.table_name(root), [endpoint for _, endpoint in places])
            for endpoint in {place.bridge: place for _, place in places if place.driver == "bridge"}.values():
                allow_forwarding(endpoint)
            return done
    except OSError as error:
        raise EngineError(f"network reload: {error.strerror or error}") from error


def _rejoin(store: Store, host: Netlink, root: str, network: Network, places: list[tuple[str, Endpoint]]) -> None:
    """The bridge, and the containers' interfaces as its ports."""
    before = host.link(network.bridge)
    others = [
        parse_subnet(subnet) for other in rows.every(store) if other.id != network.id for subnet in subnets(other)
    ]
    claim(host, network, root, in_use=True, automatic=False, reserved=others)
    bridge = host.link(network.bridge)
    if bridge is None:
        raise EngineError(f"the bridge {network.bridge} has vanished again")
    made = before is None or before.index != bridge.index
    for container_id, endpoint in places:
        name = links.veth_name(container_id, endpoint.network)
        link = host.link(name)
        if link is not None and link.master != bridge.index and links.set_master(host, name, bridge.index):
            links.set_port(host, name, isolated=endpoint.isolated)
    if made or any(endpoint.ports for _, endpoint in places):
        allow_loopback(network.bridge)
