"""Which port of the host stands for a published port, and who has it when it cannot be had.

Decided in the transaction that writes the endpoint. The kernel has the last word: the shim binds each port when it
attaches the container (`attach.hold_ports`), and so finds out what was taken since.
"""

from __future__ import annotations

import errno
import os
import re
import socket

from ..errors import Conflict, EngineError
from ..models import PortMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

FIRST, LAST = 49153, 65535

#: (protocol, host address, port) -> name of the container
Taken = dict[tuple[str, str, int], str]

_EVERYWHERE = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}
_WITHOUT_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
_BACKLOG = 128
_TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def wanted(published: tuple[PortMapping, ...], exposed: Iterable[str], *, publish_all: bool) -> list[PortMapping]:
    """What to publish: the request's ports and, with -P, every exposed one ("80/tcp") not among them."""
    chosen = list(published)
    if publish_all:
        known = {(port.container_port, port.protocol) for port in published}
        for entry in exposed:
            number, _, protocol = entry.partition("/")
            if not re.fullmatch(r"[0-9]{1,5}", number, re.ASCII):
                continue
            port = PortMapping(container_port=int(number), protocol=protocol or "tcp")
            if (port.container_port, port.protocol) not in known:
                known.add((port.container_port, port.protocol))
                chosen.append(port)
    return chosen


def decide(
    asked: Sequence[PortMapping], taken: Taken, probe: Callable[[PortMapping], bool] | None = None
) -> tuple[PortMapping, ...]:
    """The same ports with their host ports; adds them to `taken`. Raises Conflict naming the holder.

    Given ports come first, so that a random one does not take them, and those of a range after them. `probe` tells
    whether the host's side is free.
    """
    is_free = probe or bindable
    decided: dict[int, PortMapping] = {}
    for index, port in enumerate(asked):
        if port.host_port and not port.host_port_last:
            holder = _holder(port, taken)
            if holder or not is_free(port):
                raise _allocated(port, holder)
            decided[index] = _note(port, taken)
    for index, port in enumerate(asked):
        if port.host_port_last:
            decided[index] = _note(_first_free(port, taken, is_free), taken)
    for index, port in enumerate(asked):
        if not port.host_port:
            decided[index] = _note(_free(port, taken, is_free), taken)
    return tuple(decided[index] for index in range(len(asked)))


def families(port: PortMapping) -> tuple[socket.AddressFamily, ...]:
    """Of which the host's side is: both for a port without an address."""
    if not port.host_ip:
        return socket.AF_INET, socket.AF_INET6
    return (socket.AF_INET6 if ":" in port.host_ip else socket.AF_INET,)


def bindable(port: PortMapping) -> bool:
    """Whether the host's side can be had now. Raises EngineError for an address that the host has not."""
    for family in families(port):
        try:
            holder = hold(port, family)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            reason = os.strerror(error.errno or 0).lower()
            raise EngineError(f"bind for {shown(port)} failed: {reason}") from error
        if holder is not None:
            holder.close()
    return True


def hold(port: PortMapping, family: socket.AddressFamily, *, relayed: bool = False) -> socket.socket | None:
    """A socket that keeps everyone else off the port and answers nobody, unless it is `relayed`: then it listens.
    None for SCTP, which the kernel may not have, and for IPv6 where the host has none and nobody insists. Raises
    OSError, EADDRINUSE when another has the port.

    A TCP port is taken as a server would, so that connections which have ended but not timed out do not stand in
    the way (SO_REUSEADDR), and by listening for a moment, as only that is refused when another listens. Then both
    is taken back: a client that comes before the rules is refused rather than left waiting, and a server that
    would share the port is refused.
    """
    kind = _TYPES.get(port.protocol)
    if kind is None:
        return None
    try:
        holder = socket.socket(family, kind | socket.SOCK_CLOEXEC)
    except OSError as error:
        if error.errno in _WITHOUT_IPV6 and not port.host_ip:
            return None
        raise
    try:
        if family == socket.AF_INET6:
            holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((port.host_ip or _EVERYWHERE[family], port.host_port))
        if kind == socket.SOCK_STREAM:
            holder.listen(_BACKLOG if relayed else 1)
            if not relayed:
                holder.shutdown(socket.SHUT_RDWR)
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError as error:
        holder.close()
        if family == socket.AF_INET6 and error.errno in _WITHOUT_IPV6 and not port.host_ip:
            return None
        raise
    return holder


def shown(port: PortMapping) -> str:
    """The host's side, for people."""
    address = port.host_ip or "0.0.0.0"
    last = f"-{port.host_port_last}" if port.host_port_last else ""
    return f"[{address}]:{port.host_port}{last}" if ":" in address else f"{address}:{port.host_port}{last}"


def process_on(port: PortMapping) -> str:
    """The program that has the port, as "nginx (pid 12)"; empty when it cannot be told."""
    inodes = set()
    for family in ("", "6"):
        try:
            with open(f"/proc/thread-self/net/{port.protocol}{family}", encoding="ascii") as table:
                rows = [line.split() for line in table][1:]
        except OSError:
            continue
        for row in rows:
            # A TCP socket holds the port in LISTEN, or CLOSE when it is bound and no more.
            local_port = int(row[1].rpartition(":")[2], 16)
            if local_port == port.host_port and (port.protocol != "tcp" or row[3] in ("0A", "07")):
                inodes.add(f"socket:[{row[9]}]")
    inodes.discard("socket:[0]")
    return _owner(inodes) if inodes else ""


def _owner(inodes: set[str]) -> str:
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{fd}") in inodes:
                    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                        return f"{file.read().strip()} (pid {pid})"
        except OSError:
            continue
    return ""


def _holder(port: PortMapping, taken: Taken) -> str:
    for (protocol, address, number), name in taken.items():
        if protocol == port.protocol and number == port.host_port and _meet(address, port.host_ip):
            return name
    return ""


def _meet(one: str, other: str) -> bool:
    """Whether two addresses of the host, each perhaps standing for all, cannot have the same port."""
    places = [PortMapping(container_port=0, host_ip=address) for address in (one, other)]
    for family in set(families(places[0])) & set(families(places[1])):
        if one == other or any(address in ("", _EVERYWHERE[family]) for address in (one, other)):
            return True
    return False


def _first_free(port: PortMapping, taken: Taken, is_free: Callable[[PortMapping], bool]) -> PortMapping:
    for number in range(port.host_port, port.host_port_last + 1):
        candidate = port.replace(host_port=number, host_port_last=0)
        if not _holder(candidate, taken) and is_free(candidate):
            return candidate
    raise Conflict(
        f"bind for {shown(port)} failed: port is already allocated: every one of them",
        hint="Publish on other ports, or leave the host's port out to get a free one.",
    )


def _free(port: PortMapping, taken: Taken, is_free: Callable[[PortMapping], bool]) -> PortMapping:
    count = LAST - FIRST + 1
    start = int.from_bytes(os.urandom(4), "big") % count
    for step in range(count):
        candidate = port.replace(host_port=FIRST + (start + step) % count)
        if not _holder(candidate, taken) and is_free(candidate):
            return candidate
    raise EngineError(f"all ports from {FIRST} to {LAST} are allocated")


def _note(port: PortMapping, taken: Taken) -> PortMapping:
    taken[port.protocol, port.host_ip, port.host_port] = "this container"
    return port


def _allocated(port: PortMapping, holder: str) -> Conflict:
    who = f"container {holder}" if holder and holder != "this container" else holder or process_on(port)
    by = f" by {who}" if who else ""
    return Conflict(
        f"bind for {shown(port)} failed: port is already allocated{by}",
        hint="Publish on another port, or leave the host's port out to get a free one.",
    )
