"""`network create`: a name, a subnet that nobody else has, and the bridge.

The row is written before the bridge is made: a row without its bridge is what every reboot leaves, and the next
container's start makes it whole.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time

from ..bundle.names import check_name
from ..errors import Conflict, EngineError, InvalidRequest, NameInUse
from . import driver_options, ipam, rows
from .address import mask, overlap, parse_subnet, to_number, to_text
from .claim import HostLock, claim, free_subnet, give_up
from .netlink import Netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Network
    from ..store import Store

_SMALLEST = 30
"""The longest prefix with room for a gateway and a container."""


def create(store: Store, root: str, asked: Network) -> Network:
    """Make the network; `asked` says what its maker wants, "" where he leaves it to us. Raises NameInUse, Conflict,
    InvalidRequest, EngineError; then nothing is left of it."""
    _check(asked)
    network = asked.replace(
        id=os.urandom(32).hex(), created_ns=time.time_ns(), subnet=_canonical(asked.subnet), driver="bridge"
    )
    network = network.replace(bridge=network.options.get(driver_options.NAME) or f"br-{network.id[:12]}")
    try:
        with HostLock(), Netlink() as host:
            if host.link(network.bridge) is not None:
                raise Conflict(f"an interface {network.bridge} is there already", hint="Give it another bridge name.")
            network = _with_subnet(network, rows.every(store), host)
            _insert(store, network)
            try:
                claim(host, network, root, in_use=False, automatic=False)
            except BaseException:
                give_up(host, network, root)
                with store.transaction() as tx:
                    tx.execute("DELETE FROM networks WHERE id = ?", (network.id,))
                raise
            with store.transaction() as tx:
                tx.event("network", "create", network.id, {"name": network.name, "type": network.driver})
    except OSError as error:
        raise EngineError(f"network {network.name}: {error.strerror or error}") from error
    return network


def _check(asked: Network) -> None:
    check_name(asked.name, "network")
    if asked.name in (*rows.PREDEFINED, "default"):
        raise Conflict(f"operation is not permitted on predefined {asked.name} network")
    if asked.driver != "bridge":
        raise InvalidRequest(
            f"could not find plugin {asked.driver} in v1 plugin registry: plugin not found",
            hint="The driver for networks of your own is bridge.",
        )
    driver_options.check(asked.options)
    if not asked.subnet:
        if asked.gateway or asked.ip_range:
            raise InvalidRequest("every ip-range or gateway must have a corresponding subnet", hint="Add --subnet.")
        return
    first, length = parse_subnet(_canonical(asked.subnet))
    if length > _SMALLEST:
        raise InvalidRequest(f"the subnet {asked.subnet} has no room for containers", hint="A /30 is the smallest.")
    if asked.gateway and to_number(asked.gateway) & mask(length) != first:
        raise InvalidRequest(f"no matching subnet for gateway {asked.gateway}")
    if asked.ip_range:
        start, range_length = parse_subnet(asked.ip_range)
        if range_length < length or start & mask(length) != first:
            raise InvalidRequest(f"no matching subnet for range {asked.ip_range}")


def _canonical(subnet: str) -> str:
    """As Docker, `--subnet 10.1.2.3/24` means the network in which that address lies."""
    address, slash, length = subnet.partition("/")
    if not slash or not length.isdigit() or int(length) > 32:
        return subnet
    return f"{to_text(to_number(address) & mask(int(length)))}/{length}"


def _with_subnet(network: Network, others: list[Network], host: Netlink) -> Network:
    taken = [(other, parse_subnet(other.subnet)) for other in others if other.subnet]
    if not network.subnet:
        network = network.replace(subnet=free_subnet(host, [subnet for _, subnet in taken]))
    wanted = parse_subnet(network.subnet)
    for other, subnet in taken:
        if overlap(wanted, subnet):
            raise Conflict(
                f"invalid pool request: pool overlaps with other one on this address space: "
                f"{network.subnet} and {other.subnet} of network {other.name}",
                hint="Give another --subnet, or none to have a free one found.",
            )
    return network.replace(gateway=network.gateway or ipam.gateway_of(network.subnet))


def _insert(store: Store, network: Network) -> None:
    with store.transaction() as tx:
        try:
            tx.execute(
                "INSERT INTO networks (id, name, document) VALUES (?, ?, ?)",
                (network.id, network.name, json.dumps(network.to_json())),
            )
        except sqlite3.IntegrityError as error:
            raise NameInUse(f"network with name {network.name} already exists") from error
