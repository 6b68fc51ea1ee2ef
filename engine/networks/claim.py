"""Makes a network's bridge this engine's own on this host, where other engines may run too.

Several engines (other data roots) share the host's interfaces, but not a database. A bridge says whose it is by its
alias; under a lock on the host's list of interfaces each engine takes names and subnets that are free, keeps
them, and moves its network elsewhere when another came first while none of its own containers ran. A bridge whose
engine's data root is gone is nobody's and is taken away.
"""

from __future__ import annotations

import fcntl
import os

from ..errors import Conflict, EngineError
from . import driver_options, ipam, links, rules
from .address import is_ipv6, local_subnet, mac_of, overlap, parse_subnet, subnet_of
from .forwarding import forget_forwarding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from ..models import Network
    from .address import Subnet
    from .links import Addresses
    from .netlink import Link, Netlink

_LOCK = "/sys/class/net"
_NAME = "pydock"
_LOCAL_TRIES = 32


class HostLock:
    """Serialises the naming of bridges among all engines of the host; released by the kernel if we die."""

    def __enter__(self) -> Self:
        self._fd = os.open(_LOCK, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._fd)


def claim(
    host: Netlink,
    network: Network,
    root: str,
    *,
    in_use: bool,
    automatic: bool,
    reserved: list[Subnet] | None = None,
    note: Callable[[Network], object] = lambda _network: None,
) -> Network:
    """Make sure of the bridge, under the HostLock; the network as it then is.

    `in_use`: containers of ours are on it, so it must stay as it is. `automatic`: name and subnet may be chosen
    anew, beside the subnets `reserved` for others of ours; `note` is told of the choice before the bridge is made, so
    that no bridge of ours is without a row. Raises Conflict when another has what this
    network must have.
    """
    before = network
    told = links.alias(network.id, root)
    link = host.link(network.bridge) if network.bridge else None
    if link is not None and link.alias == told and link.up:
        return network
    if link is not None and link.alias == "" and link.kind == "bridge" and in_use:
        # Made anew by a start that found it deleted.
        links.set_alias(host, link, told)
        return network
    if not in_use:
        _sweep(host, told, network.bridge)
        link = host.link(network.bridge) if network.bridge else None
        if automatic and (network.bridge == "" or (link is not None and link.alias != told)):
            network = network.replace(bridge=_free_name(host))
            link = None
        busy = busy_subnets(host, network.bridge)
        taken = [subnet for subnet in subnets(network) if any(overlap(parse_subnet(subnet), other) for other in busy)]
        if taken and not automatic:
            raise Conflict(
                f"the subnet {taken[0]} of network {network.name} is in use on this host",
                hint=f"ip {'-6 ' if is_ipv6(taken[0]) else ''}route shows by which interface.",
            )
        if automatic and (taken or not network.subnet):
            subnet = free_subnet([*busy, *(reserved or ())])
            network = network.replace(subnet=subnet, gateway=ipam.gateway_of(subnet))
    if link is not None and link.alias != told:
        raise Conflict(
            f"the interface {network.bridge} of network {network.name} belongs to {link.alias or 'another program'}"
        )
    if network != before:
        note(network)
    links.add_bridge(host, network.bridge, host_addresses(network), told, _mac(network))
    return network


def claim_parent(host: Netlink, network: Network, root: str) -> Network:
    """Make sure of the interface upon which those of a macvlan or ipvlan are made; the network with its name. A VLAN of
    another interface, "eth0.10", is made, and for a network without parent a bridge that leads nowhere. Raises
    Conflict."""
    told = links.alias(network.id, root)
    name = driver_options.parent(network)
    if not name:
        name = network.bridge or f"in-{network.id[:12]}"
        if host.link(name) is None:
            links.add_bridge(host, name, (), told)
    elif host.link(name) is None:
        number = name.rpartition(".")[2]
        made = number.isdigit() and 0 < int(number) < 4095 and links.add_vlan(host, name, told)
        if not made:
            raise Conflict(f"the parent interface {name} of network {network.name} is not there", hint="ip link")
    return network.replace(bridge=name)


def subnets(network: Network) -> list[str]:
    """Those that it has, of both families."""
    return [subnet for subnet in (network.subnet, network.subnet6) if subnet]


def host_addresses(network: Network) -> Addresses:
    """The addresses of the bridge, as (address, prefix length)."""
    found = []
    for subnet, gateway in ((network.subnet, network.gateway), (network.subnet6, network.gateway6)):
        if subnet and not driver_options.without_address(network, ipv6=is_ipv6(gateway)):
            found.append((gateway, parse_subnet(subnet)[2]))
    return tuple(found)


def free_subnet(busy: list[Subnet], *, ipv6: bool = False) -> str:
    """A subnet that shares no address with those. Raises EngineError when there is none."""
    found = (local_subnet() for _ in range(_LOCAL_TRIES)) if ipv6 else ipam.candidates()
    for subnet in found:
        if not any(overlap(parse_subnet(subnet), other) for other in busy):
            return subnet
    raise EngineError(
        "no free subnet for a container network", hint="ip route shows what is in use; remove networks not needed."
    )


def busy_subnets(host: Netlink, own: str = "") -> list[Subnet]:
    """What the host's routes and addresses reach, but through the interface `own` and by default."""
    link: Link | None = host.link(own) if own else None
    own_index = link.index if link else -1
    found = [f"{destination}/{length}" for destination, length, index in host.routes() if length and index != own_index]
    found += [
        subnet_of(address, 128 if is_ipv6(address) else 32)
        for index, address, _ in host.addresses()
        if index != own_index
    ]
    return [parse_subnet(text) for text in found]


def give_up(host: Netlink, network: Network, root: str) -> bool:
    """Take the bridge away, or whatever was made for the network, and what was opened for it; False when it is not
    ours."""
    link = host.link(network.bridge) if network.bridge else None
    if link is None or link.alias != links.alias(network.id, root):
        return False
    links.delete(host, network.bridge)
    if network.driver == "bridge":
        forget_forwarding(network.bridge)
    return True


def _sweep(host: Netlink, own: str, name: str) -> None:
    """Delete bridges of engines that are no more, and our own that no row tells of: its maker was killed."""
    everything = host.links()
    for link in everything:
        words = link.alias.split(" ", 2)
        if len(words) != 3 or words[0] != links.ALIAS_PREFIX:
            continue
        # A name of 255 bytes may have been cut off, and then says nothing.
        gone = len(os.fsencode(link.alias)) < 255 and not os.path.exists(words[2])
        forgotten = link.alias == own and link.name != name
        if (gone or forgotten) and not any(other.master == link.index for other in everything):
            links.delete(host, link.name)
            forget_forwarding(link.name)
            if gone:
                rules.remove(rules.table_name(words[2]))


def _free_name(host: Netlink) -> str:
    names = {link.name for link in host.links()}
    for number in range(10_000):
        if f"{_NAME}{number}" not in names:
            return f"{_NAME}{number}"
    raise EngineError("no free name for a bridge")


def _mac(network: Network) -> str:
    """A bridge without an address has a MAC of its own all the same."""
    return mac_of(network.gateway or network.gateway6)
