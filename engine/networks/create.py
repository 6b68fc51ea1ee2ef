"""`network create`: a name, a subnet that nobody else has, and the bridge.

The row is written before the bridge is made: a row without its bridge is what every reboot leaves, and the next
container's start makes it whole.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import time

from ..bundle.names import check_name
from ..errors import Conflict, EngineError, HostUnfit, InvalidRequest, NameInUse
from . import driver_options, ipam, links, rows
from .address import canonical, contains, is_ipv6, overlap, parse_subnet, subnet_around, to_text
from .claim import HostLock, busy_subnets, claim, claim_parent, free_subnet, give_up, subnets
from .netlink import Netlink, NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Network
    from ..store import Store

_SMALLEST_BITS = 2
"""What a subnet needs for a gateway and a container."""


def create(store: Store, root: str, asked: Network) -> Network:
    """Make the network; `asked` says what its maker wants, "" where he leaves it to us. Raises NameInUse, Conflict,
    InvalidRequest, HostUnfit, EngineError; then nothing is left of it."""
    _check(asked)
    network = asked.replace(
        id=os.urandom(32).hex(),
        created_ns=time.time_ns(),
        subnet=subnet_around(asked.subnet) if asked.subnet else "",
        subnet6=subnet_around(asked.subnet6) if asked.subnet6 else "",
        gateway6=canonical(asked.gateway6) if asked.gateway6 else "",
        ipv6=asked.ipv6 or bool(asked.subnet6),
    )
    if network.driver == "bridge":
        network = network.replace(bridge=network.options.get(driver_options.NAME) or f"br-{network.id[:12]}")
    try:
        with HostLock(), Netlink() as host:
            if network.bridge and host.link(network.bridge) is not None:
                raise Conflict(f"an interface {network.bridge} is there already", hint="Give it another bridge name.")
            network = _with_subnets(network, rows.every(store), host)
            if network.driver != "bridge":
                network = network.replace(bridge=driver_options.parent(network) or f"in-{network.id[:12]}")
                network = network.replace(internal=network.internal or not driver_options.parent(network))
            _insert(store, network)
            try:
                _make(host, network, root)
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


def _make(host: Netlink, network: Network, root: str) -> None:
    if network.driver == "bridge":
        claim(host, network, root, in_use=False, automatic=False)
        return
    claim_parent(host, network, root)
    links.forget_tries(host)
    try:
        links.try_upon(host, network.driver, network.bridge)
    except NetlinkError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENODEV):
            other = "macvlan" if network.driver == "ipvlan" else "bridge"
            raise HostUnfit(
                f"this kernel has no {network.driver}", hint=f"modprobe {network.driver}, or use --driver {other}."
            ) from error
        if error.errno in (errno.EBUSY, errno.EINVAL):
            raise Conflict(
                f"{network.driver} cannot be had upon {network.bridge}: {error.strerror or error}",
                hint="An interface carries macvlan or ipvlan, not both; and neither when it is a port of a bridge.",
            ) from error
        raise


def _check(asked: Network) -> None:
    check_name(asked.name, "network")
    if asked.name in (*rows.PREDEFINED, "default"):
        raise Conflict(f"operation is not permitted on predefined {asked.name} network")
    if asked.driver in ("host", "none", "null"):
        raise Conflict(f'only one instance of "{asked.driver}" network is allowed')
    if asked.driver not in driver_options.KNOWN:
        raise InvalidRequest(
            f"could not find plugin {asked.driver} in v1 plugin registry: plugin not found",
            hint=f"The drivers for networks of your own are {', '.join(driver_options.KNOWN)}.",
        )
    driver_options.check(asked.driver, asked.options, internal=asked.internal)
    if not (asked.ipv4 or asked.ipv6 or asked.subnet6):
        raise InvalidRequest("IPv4 or IPv6 must be enabled")
    if asked.subnet and not asked.ipv4:
        raise InvalidRequest(f"the subnet {asked.subnet} is for a network with IPv4", hint="Leave out --ipv4=false.")
    for subnet, gateway, ip_range, ipv6 in (
        (asked.subnet, asked.gateway, asked.ip_range, False),
        (asked.subnet6, asked.gateway6, asked.ip_range6, True),
    ):
        _check_family(subnet, gateway, ip_range, ipv6=ipv6)
    for name, address in asked.reserved.items():
        subnet = asked.subnet6 if is_ipv6(address) else asked.subnet
        if not subnet or not contains(parse_subnet(subnet_around(subnet)), address):
            raise InvalidRequest(f"no matching subnet for aux-address {name}={address}")


def _check_family(subnet: str, gateway: str, ip_range: str, *, ipv6: bool) -> None:
    if not subnet:
        if gateway or ip_range:
            raise InvalidRequest("every ip-range or gateway must have a corresponding subnet", hint="Add --subnet.")
        return
    if is_ipv6(subnet) != ipv6:
        raise InvalidRequest(f'"{subnet}" is not an {"IPv6" if ipv6 else "IPv4"} subnet')
    parsed = parse_subnet(subnet_around(subnet))
    if parsed[2] > parsed[0] - _SMALLEST_BITS:
        smallest = f"A /{parsed[0] - _SMALLEST_BITS} is the smallest."
        raise InvalidRequest(f"the subnet {subnet} has no room for containers", hint=smallest)
    if gateway and not contains(parsed, gateway):
        raise InvalidRequest(f"no matching subnet for gateway {gateway}")
    if ip_range:
        bits, start, range_length = parse_subnet(ip_range)
        if bits != parsed[0] or range_length < parsed[2] or not contains(parsed, to_text(start, bits)):
            raise InvalidRequest(f"no matching subnet for range {ip_range}")


def _with_subnets(network: Network, others: list[Network], host: Netlink) -> Network:
    taken = [(other, parse_subnet(subnet)) for other in others for subnet in subnets(other)]
    busy = [*busy_subnets(host), *(subnet for _, subnet in taken)]
    if network.ipv4 and not network.subnet:
        network = network.replace(subnet=free_subnet(busy))
    if network.ipv6 and not network.subnet6:
        network = network.replace(subnet6=free_subnet(busy, ipv6=True))
    for subnet in subnets(network):
        for other, theirs in taken:
            if overlap(parse_subnet(subnet), theirs) and not _may_share(network, other):
                raise Conflict(
                    f"invalid pool request: pool overlaps with other one on this address space: "
                    f"{subnet} and {to_text(theirs[1], theirs[0])}/{theirs[2]} of network {other.name}",
                    hint="Give another --subnet, or none to have a free one found.",
                )
    gateways = [ipam.gateway_of(subnet) if subnet else "" for subnet in (network.subnet, network.subnet6)]
    return network.replace(gateway=network.gateway or gateways[0], gateway6=network.gateway6 or gateways[1])


def _may_share(one: Network, other: Network) -> bool:
    """Interfaces upon different parents are of different worlds, whatever their numbers."""
    return "bridge" not in (one.driver, other.driver) and driver_options.parent(one) != driver_options.parent(other)


def _insert(store: Store, network: Network) -> None:
    with store.transaction() as tx:
        try:
            tx.execute(
                "INSERT INTO networks (id, name, document) VALUES (?, ?, ?)",
                (network.id, network.name, json.dumps(network.to_json())),
            )
        except sqlite3.IntegrityError as error:
            raise NameInUse(f"network with name {network.name} already exists") from error
