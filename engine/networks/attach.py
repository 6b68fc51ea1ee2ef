"""Puts a waiting container on its network, and takes it off again: the path of every start, about a millisecond.

For a single-threaded process (the shim); nothing here keeps state but the sockets that hold the published ports.
`attach` finishes or undoes. It repairs what it finds missing: a bridge deleted, rules flushed by hand.
"""

from __future__ import annotations

import errno
import os
import time

from ..errors import Conflict, EngineError, HostUnfit
from . import links, rules
from .forwarding import allow_forwarding, allow_loopback
from .netlink import Netlink, NetlinkError
from .ports import hold

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from ..models import Endpoint, PortMapping

_TRIES, _PAUSE_S = 10, 0.005

# Bound and never answering: nobody else can take a published port while the container has it, and the kernel
# gives them back when this process ends, however that happens.
_held: dict[str, list[socket.socket]] = {}

# The kernel's number of the container's network namespace, while this process has it attached.
_inside: dict[str, int] = {}


def loopback(pid: int) -> None:
    """Set up lo in the network namespace of `pid`. Raises EngineError."""
    try:
        with Netlink(pid) as inside:
            links.loopback_up(inside)
            inside.commit()
    except OSError as error:
        raise _failed("loopback", error) from error


def attach(pid: int, container_id: str, endpoint: Endpoint) -> None:
    """Give the container of init `pid` its interface, address, route and published ports.

    Raises EngineError; then nothing of it is left.
    """
    try:
        _attach(pid, container_id, endpoint)
    except (OSError, EngineError) as error:
        try:
            detach(container_id, endpoint)
        except (OSError, EngineError):
            pass
        if isinstance(error, EngineError):
            raise
        raise _failed(endpoint.network, error) from error


def detach(container_id: str, endpoint: Endpoint, *, interface: bool = True) -> None:
    """Undo `attach`; quiet when there is nothing to undo. Raises EngineError.

    The interface of a container that has ended is left to the kernel, which takes it down with the namespace.
    That can begin some 20 ms late, and deleting it waits as long: with `interface` false only the ports are
    closed, and a second call, when nobody waits any more, looks after the interface.
    """
    release_ports(container_id, endpoint)
    try:
        rules.withdraw(endpoint)
        if interface:
            with Netlink() as host:
                if not _is_ending(host, container_id, endpoint):
                    links.delete(host, links.veth_name(container_id, endpoint.network))
    except OSError as error:
        raise _failed(endpoint.network, error) from error


def take_over(pid: int, container_id: str, endpoint: Endpoint) -> None:
    """Let an attached endpoint become the one with the default route and the published ports, when the one that was
    is gone. Raises EngineError."""
    try:
        with Netlink(pid) as inside:
            link = inside.link(endpoint.interface)
            if link is not None and endpoint.gateway:
                links.add_default_route(inside, endpoint.gateway, link.index)
                inside.commit()
        hold_ports(container_id, endpoint)
        if endpoint.ports:
            allow_loopback(endpoint.bridge)
            rules.publish(endpoint)
    except OSError as error:
        raise _failed(endpoint.network, error) from error


def hold_ports(container_id: str, endpoint: Endpoint) -> None:
    """Bind the host's side of each published port for as long as this process lives. Raises Conflict."""
    key = _key(container_id, endpoint)
    if key in _held:
        # A restart by policy: the new init, forked already, has copies of these sockets until it executes
        # its program, and the ports could not be bound anew.
        return
    held = _held[key] = []
    for port in endpoint.ports:
        holder = _holder(port) if port.host_port else None
        if holder is not None:
            held.append(holder)


def release_ports(container_id: str, endpoint: Endpoint) -> None:
    """Give the ports of `hold_ports` back."""
    for holder in _held.pop(_key(container_id, endpoint), ()):
        holder.close()


def _attach(pid: int, container_id: str, endpoint: Endpoint) -> None:
    hold_ports(container_id, endpoint)
    name = links.veth_name(container_id, endpoint.network)
    with Netlink() as host:
        bridge = host.link(endpoint.bridge)
        if bridge is not None and bridge.up:
            index = bridge.index
        else:
            index = links.add_bridge(host, endpoint.bridge, endpoint.gateway, endpoint.prefix_length, "")
        try:
            links.add_veth(host, name, index, pid, endpoint)
        except NetlinkError as error:
            if error.errno != errno.EEXIST:
                raise
            # Of the run before, whose namespace the kernel has not yet taken down.
            links.delete(host, name)
            links.add_veth(host, name, index, pid, endpoint)
        _inside[_key(container_id, endpoint)] = host.namespace_id(pid)
    with Netlink(pid) as inside:
        links.loopback_up(inside)
        links.configure(inside, endpoint)
    rules.ensure(endpoint)
    if not endpoint.internal:
        allow_forwarding(endpoint.bridge)
    if endpoint.ports:
        allow_loopback(endpoint.bridge)
        rules.publish(endpoint)


def _is_ending(host: Netlink, container_id: str, endpoint: Endpoint) -> bool:
    """Whether the kernel is taking the container's interface down by itself, or has."""
    known = _inside.pop(_key(container_id, endpoint), -1)
    if known >= 0:
        return not host.namespace_lives(known)
    link = host.link(links.veth_name(container_id, endpoint.network))
    return link is None or not host.peer_lives(link)


def _holder(port: PortMapping) -> socket.socket | None:
    address = f"{port.host_ip or '0.0.0.0'}:{port.host_port}"
    for attempt in range(_TRIES):
        try:
            return hold(port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise EngineError(f"bind for {address} failed: {os.strerror(error.errno or 0).lower()}") from error
            if attempt == _TRIES - 1:
                raise Conflict(f"bind for {address} failed: port is already allocated") from error
        # Another engine may just be looking whether the port is free, or a child that was forked meanwhile
        # may have a copy of the socket with which our own host looked.
        time.sleep(_PAUSE_S)
    return None


def _key(container_id: str, endpoint: Endpoint) -> str:
    return f"{container_id}/{endpoint.network}"


def _failed(network: str, error: OSError) -> EngineError:
    if error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.EAFNOSUPPORT):
        return HostUnfit(
            f"network {network}: {error.strerror or error}",
            hint="The kernel needs bridge, veth and nf_tables, and the engine CAP_NET_ADMIN.",
        )
    return EngineError(f"network {network}: {error.strerror or error}")
