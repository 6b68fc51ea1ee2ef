"""Puts a waiting container on its network, and takes it off again: the path of every start, about a millisecond.

For a single-threaded process (the shim); nothing here keeps state but the sockets that hold the published ports.
`attach` finishes or undoes. It repairs what it finds missing: a bridge deleted, rules flushed by hand.
"""

from __future__ import annotations

import errno
import os
import socket
import time

from ..errors import Conflict, EngineError, HostUnfit
from . import links, ports, rules
from .conntrack import forget_datagrams
from .forwarding import allow_forwarding, allow_loopback
from .netlink import Netlink, NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Endpoint, PortMapping
    from .links import Addresses

_TRIES, _PAUSE_S = 10, 0.005


class Held:
    """The host's side of a published port, bound: nobody else can take it while the container has it, and the kernel
    gives it back when this process ends, however that happens. `target`: where what arrives is to be passed on to,
    where the kernel does not do that; None for a socket that never answers."""

    def __init__(self, opened: socket.socket, port: PortMapping, target: tuple[str, int] | None) -> None:
        self.socket = opened
        self.protocol = port.protocol
        self.target = target


_held: dict[str, list[Held]] = {}

# The kernel's number of the container's network namespace, while this process has it attached.
_inside: dict[str, int] = {}


def loopback(pid: int) -> None:
    """Set up lo in the network namespace of `pid`. Raises EngineError."""
    try:
        with Netlink(pid) as inside:
            links.loopback_up(inside)
            inside.commit()
    except OSError as error:
        raise EngineError(f"network: lo cannot be set up: {error.strerror or error}") from error


def attach(pid: int, container_id: str, endpoint: Endpoint) -> list[str]:
    """Give the container of init `pid` its interface, addresses, routes and published ports. The settings of the host
    that had to be changed for it.

    Raises EngineError; then nothing of it is left.
    """
    try:
        return _attach(pid, container_id, endpoint)
    except (OSError, EngineError) as error:
        try:
            detach(container_id, endpoint, pid=pid)
        except (OSError, EngineError):
            pass
        if isinstance(error, EngineError):
            raise
        raise _failed(endpoint, error) from error


def detach(container_id: str, endpoint: Endpoint, *, interface: bool = True, pid: int = 0) -> None:
    """Undo `attach`; quiet when there is nothing to undo. Raises EngineError.

    The interface of a container that has ended is left to the kernel, which takes it down with the namespace.
    That can begin some 20 ms late, and deleting it waits as long: with `interface` false only the ports are
    closed, and a second call, when nobody waits any more, looks after the interface. `pid`: of a container that lives
    on; an interface that the host has no end of can only be deleted there.
    """
    release_ports(container_id, endpoint)
    try:
        rules.withdraw(endpoint)
        if not interface:
            return
        forget_datagrams(endpoint.ports)
        if endpoint.driver != "bridge":
            if pid:
                with Netlink(pid) as inside:
                    links.delete(inside, endpoint.interface)
            return
        with Netlink() as host:
            if not _is_ending(host, container_id, endpoint):
                links.delete(host, links.veth_name(container_id, endpoint.network))
    except OSError as error:
        raise _failed(endpoint, error) from error


def reroute(pid: int, before: tuple[Endpoint, ...], after: tuple[Endpoint, ...]) -> None:
    """Move the default routes of a container from where they led to where they are to lead; of its interfaces only
    those that are there count. Raises EngineError."""
    earlier = {endpoint.network: endpoint for endpoint in before}
    try:
        with Netlink(pid) as inside:
            for endpoint in after:
                was = earlier.get(endpoint.network, endpoint)
                link = inside.link(endpoint.interface)
                if link is not None:
                    links.drop_default_routes(
                        inside,
                        link.index,
                        ipv4=was.default_route and not endpoint.default_route,
                        ipv6=was.default_route6 and not endpoint.default_route6,
                    )
            for endpoint in after:
                was = earlier.get(endpoint.network, endpoint)
                link = inside.link(endpoint.interface)
                if link is not None:
                    new = endpoint.replace(
                        default_route=endpoint.default_route and not was.default_route,
                        default_route6=endpoint.default_route6 and not was.default_route6,
                    )
                    links.add_default_routes(inside, new, link.index)
    except OSError as error:
        raise _failed(after[0], error) from error


def publish(container_id: str, endpoint: Endpoint) -> None:
    """Open the ports of an attached endpoint that has them now. Raises EngineError."""
    try:
        hold_ports(container_id, endpoint)
        if endpoint.ports and endpoint.driver == "bridge":
            _open_ports(endpoint)
    except OSError as error:
        raise _failed(endpoint, error) from error


def hold_ports(container_id: str, endpoint: Endpoint) -> None:
    """Bind the host's side of each published port for as long as this process lives. Raises Conflict."""
    key = _key(container_id, endpoint)
    if key in _held:
        # A restart by policy: the new init, forked already, has copies of these sockets until it executes
        # its program, and the ports could not be bound anew.
        return
    held = _held[key] = []
    for port in endpoint.ports:
        if not port.host_port:
            continue
        for family in ports.families(port):
            inet6 = family == socket.AF_INET6
            if (endpoint.way_in6 if inet6 else endpoint.way_in) == "routed":
                continue
            target = _relay_target(endpoint, port, inet6=inet6)
            holder = _holder(port, family, relayed=target is not None)
            if holder is not None:
                held.append(Held(holder, port, target))


def held_ports(container_id: str, endpoint: Endpoint) -> list[Held]:
    """What `hold_ports` has bound."""
    return [*_held.get(_key(container_id, endpoint), ())]


def release_ports(container_id: str, endpoint: Endpoint) -> None:
    """Give the ports of `hold_ports` back."""
    for holder in _held.pop(_key(container_id, endpoint), ()):
        holder.socket.close()


def host_addresses(endpoint: Endpoint) -> Addresses:
    """The host's own addresses on the endpoint's bridge."""
    found = ((endpoint.gateway, endpoint.prefix_length), (endpoint.gateway6, endpoint.prefix_length6))
    return tuple((address, length) for address, length in found if address)


def _attach(pid: int, container_id: str, endpoint: Endpoint) -> list[str]:
    if endpoint.driver != "bridge":
        with Netlink() as host:
            links.add_upon(host, pid, endpoint)
        _configure(pid, endpoint)
        return []
    hold_ports(container_id, endpoint)
    name = links.veth_name(container_id, endpoint.network)
    with Netlink() as host:
        bridge = host.link(endpoint.bridge)
        if bridge is not None and bridge.up:
            index = bridge.index
        else:
            index = links.add_bridge(host, endpoint.bridge, host_addresses(endpoint), "")
        try:
            links.add_veth(host, name, index, pid, endpoint)
        except NetlinkError as error:
            if error.errno != errno.EEXIST:
                raise
            # Of the run before, whose namespace the kernel has not yet taken down.
            links.delete(host, name)
            links.add_veth(host, name, index, pid, endpoint)
        _inside[_key(container_id, endpoint)] = host.namespace_id(pid)
    _configure(pid, endpoint)
    rules.ensure(endpoint)
    changed = allow_forwarding(endpoint)
    if endpoint.ports:
        _open_ports(endpoint)
    return changed


def _open_ports(endpoint: Endpoint) -> None:
    allow_loopback(endpoint.bridge)
    rules.publish(endpoint)
    forget_datagrams(endpoint.ports)


def _configure(pid: int, endpoint: Endpoint) -> None:
    with Netlink(pid) as inside:
        links.loopback_up(inside)
        links.configure(inside, endpoint)


def _relay_target(endpoint: Endpoint, port: PortMapping, *, inet6: bool) -> tuple[str, int] | None:
    """Where the shim has to pass on what arrives: the kernel turns no family into the other, and nothing that is for
    ::1 away from it."""
    if inet6 and endpoint.address6:
        loopback = port.host_ip in ("", "::", "::1")
        return (endpoint.address6, port.container_port) if loopback else None
    if inet6:
        return endpoint.address, port.container_port
    return None if endpoint.address else (endpoint.address6, port.container_port)


def _is_ending(host: Netlink, container_id: str, endpoint: Endpoint) -> bool:
    """Whether the kernel is taking the container's interface down by itself, or has."""
    known = _inside.pop(_key(container_id, endpoint), -1)
    if known >= 0:
        return not host.namespace_lives(known)
    link = host.link(links.veth_name(container_id, endpoint.network))
    return link is None or not host.peer_lives(link)


def _holder(port: PortMapping, family: socket.AddressFamily, *, relayed: bool) -> socket.socket | None:
    for attempt in range(_TRIES):
        try:
            return ports.hold(port, family, relayed=relayed)
        except OSError as error:
            told = f"bind for {ports.shown(port)} failed"
            if error.errno != errno.EADDRINUSE:
                raise EngineError(f"{told}: {os.strerror(error.errno or 0).lower()}") from error
            if attempt == _TRIES - 1:
                raise Conflict(f"{told}: port is already allocated") from error
        # Another engine may just be looking whether the port is free, or a child that was forked meanwhile
        # may have a copy of the socket with which our own host looked.
        time.sleep(_PAUSE_S)
    return None


def _key(container_id: str, endpoint: Endpoint) -> str:
    return f"{container_id}/{endpoint.network}"


def _failed(endpoint: Endpoint, error: OSError) -> EngineError:
    network = endpoint.network
    if error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.EAFNOSUPPORT):
        needed = "bridge, veth and nf_tables" if endpoint.driver == "bridge" else endpoint.driver
        return HostUnfit(
            f"network {network}: {error.strerror or error}",
            hint=f"The kernel needs {needed}, and the engine CAP_NET_ADMIN.",
        )
    return EngineError(f"network {network}: {error.strerror or error}")
