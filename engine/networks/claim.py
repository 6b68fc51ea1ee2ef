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
from . import ipam, links, rules
from .address import overlap, parse_subnet, to_number
from .forwarding import forget_forwarding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from ..models import Network
    from .netlink import Link, Netlink

_LOCK = "/sys/class/net"
_NAME = "pydock"


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
    reserved: list[tuple[int, int]] | None = None,
) -> Network:
    """Make sure of the bridge, under the HostLock; the network as it then is.

    `in_use`: containers of ours are on it, so it must stay as it is. `automatic`: name and subnet may be chosen
    anew, beside the subnets `reserved` for others of ours. Raises Conflict when another has what this
    network must have.
    """
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
        busy = _busy_subnets(host, network.bridge)
        if network.subnet == "" or any(overlap(parse_subnet(network.subnet), other) for other in busy):
            if not automatic:
                raise Conflict(
                    f"the subnet {network.subnet} of network {network.name} is in use on this host",
                    hint="ip route shows by which interface.",
                )
            subnet = _free_subnet([*busy, *(reserved or ())])
            network = network.replace(subnet=subnet, gateway=ipam.gateway_of(subnet))
    if link is not None and link.alias != told:
        raise Conflict(
            f"the interface {network.bridge} of network {network.name} belongs to {link.alias or 'another program'}"
        )
    _, prefix_length = parse_subnet(network.subnet)
    links.add_bridge(host, network.bridge, network.gateway, prefix_length, told)
    return network


def free_subnet(host: Netlink, reserved: list[tuple[int, int]]) -> str:
    """A subnet that neither the host reaches nor is reserved. Raises EngineError when there is none."""
    return _free_subnet([*_busy_subnets(host, ""), *reserved])


def give_up(host: Netlink, network: Network, root: str) -> bool:
    """Take bridge and rules away; False when they are not ours."""
    link = host.link(network.bridge) if network.bridge else None
    if link is None or link.alias != links.alias(network.id, root):
        return False
    _delete(host, network.bridge)
    return True


def _sweep(host: Netlink, own: str, name: str) -> None:
    """Delete bridges of engines that are no more, and our own that no row tells of: its maker was killed."""
    everything = host.links()
    for link in everything:
        words = link.alias.split(" ", 2)
        if link.kind != "bridge" or len(words) != 3 or words[0] != links.ALIAS_PREFIX:
            continue
        # A name of 255 bytes may have been cut off, and then says nothing.
        gone = len(os.fsencode(link.alias)) < 255 and not os.path.exists(words[2])
        forgotten = link.alias == own and link.name != name
        if (gone or forgotten) and not any(other.master == link.index for other in everything):
            _delete(host, link.name)


def _delete(host: Netlink, bridge: str) -> None:
    links.delete(host, bridge)
    rules.remove(bridge)
    forget_forwarding(bridge)


def _free_name(host: Netlink) -> str:
    names = {link.name for link in host.links()}
    for number in range(10_000):
        if f"{_NAME}{number}" not in names:
            return f"{_NAME}{number}"
    raise EngineError("no free name for a bridge")


def _busy_subnets(host: Netlink, own: str) -> list[tuple[int, int]]:
    """What the host's routes and addresses reach, but through the network's own bridge and by default."""
    link: Link | None = host.link(own) if own else None
    own_index = link.index if link else -1
    found = [
        (to_number(destination), length)
        for destination, length, index in host.routes()
        if length and index != own_index
    ]
    found += [(to_number(address), 32) for index, address, _ in host.addresses() if index != own_index]
    return found


def _free_subnet(busy: list[tuple[int, int]]) -> str:
    for subnet in ipam.candidates():
        if not any(overlap(parse_subnet(subnet), other) for other in busy):
            return subnet
    raise EngineError(
        "no free subnet for a container network", hint="ip route shows what is in use; remove networks not needed."
    )
