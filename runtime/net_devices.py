"""linux.netDevices: moving network devices of the host into the container (config-linux.md, "Network Devices").

A device keeps its attributes on the way; its permanent addresses of global scope, which the kernel drops, are set
again inside, and it is set up. Nobody moves it back when the container ends: the kernel does with a physical one.
Only a creation that fails afterwards gives back what it had taken.
"""

from __future__ import annotations

import _socket
import errno
import os
import struct

from .errors import InvalidConfig, SetupFailed
from .kernel import calls, netlink
from .kernel import constants as k

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# linux/if_link.h, linux/if_addr.h, linux/if.h
_IFLA_IFNAME, _IFLA_NET_NS_FD = 3, 28
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LABEL, _IFA_BROADCAST, _IFA_FLAGS = 1, 2, 3, 4, 8
_IFA_F_SECONDARY, _IFA_F_TENTATIVE, _IFA_F_PERMANENT, _IFA_F_NODAD = 0x01, 0x40, 0x80, 0x02
_SCOPE_GLOBAL = 0
_IFF_UP = 1
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_NAME_LIMIT = 15


def check(devices: dict[str, Any], namespaces: dict[str, str]) -> None:
    """Refuse what cannot be moved: no namespace to move to, no such device, a name twice or no name."""
    own = namespaces.get("network")
    if own is None or (own and os.path.samefile(own, "/proc/self/ns/net")):
        raise InvalidConfig("needs a network namespace in linux.namespaces", path="linux.netDevices")
    if os.geteuid() != 0:
        raise InvalidConfig("moving network devices needs root", path="linux.netDevices")
    seen: dict[str, str] = {}
    for name, entry in devices.items():
        path = f"linux.netDevices.{name}"
        inside = (entry or {}).get("name") or name
        _check_name(name, path)
        _check_name(inside, f"{path}.name")
        if inside in seen and "%d" not in inside:
            raise InvalidConfig(f'"{inside}" is the name of {seen[inside]} too', path=f"{path}.name")
        seen[inside] = name
        try:
            _socket.if_nametoindex(name)
        except OSError:
            raise InvalidConfig("this host has no such network device", path=path) from None


def _check_name(name: str, path: str) -> None:
    if not name or len(os.fsencode(name)) > _NAME_LIMIT or name in (".", "..") or set(name) & set("/: \t\n\v\f\r"):
        raise InvalidConfig(f'"{name}" is not the name of a network device', path=path)
    if name.count("%") > 1 or ("%" in name and "%d" not in name):
        raise InvalidConfig(f'"{name}" is no name and no template with one %d', path=path)


class Moved:
    """The devices of one container that have been moved; `give_back` undoes it, as long as it is not closed."""

    def __init__(self) -> None:
        self._moved: list[tuple[str, int, list[bytes], bool]] = []
        self._namespace_fd = -1

    def move(self, devices: dict[str, Any], namespace_fd: int) -> None:
        """Move them all; `namespace_fd`, a network namespace, is the caller's. Raises SetupFailed at the first that
        cannot be moved, after which those before it are to be given back."""
        self._namespace_fd = os.dup(namespace_fd)
        outside, inside = netlink.Netlink(), _netlink_in(namespace_fd)
        try:
            for name, entry in devices.items():
                wanted = (entry or {}).get("name") or name
                try:
                    self._move_one(outside, inside, name, wanted)
                except OSError as error:
                    raise _refused(name, wanted, error) from error
        finally:
            outside.close()
            inside.close()

    def close(self) -> None:
        """Let go of the container's namespace."""
        if self._namespace_fd >= 0:
            os.close(self._namespace_fd)
            self._namespace_fd = -1

    def give_back(self) -> None:
        """Move them to where they came from. Never raises: it is part of undoing."""
        if not self._moved:
            return
        own_fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        outside, inside = netlink.Netlink(), _netlink_in(self._namespace_fd)
        for name, index, addresses, was_up in reversed(self._moved):
            try:
                _set_link(inside, index, name, own_fd)
                _settle(outside, _find(outside, name)[0], addresses, up=was_up)
            except OSError:
                continue
        self._moved = []
        for each in (outside, inside):
            each.close()
        os.close(own_fd)

    def _move_one(self, outside: netlink.Netlink, inside: netlink.Netlink, name: str, wanted: str) -> None:
        index, flags = _find(outside, name)
        addresses = _lasting_addresses(outside, index)
        before = set(_indexes(inside))
        if "%" not in wanted and _exists(inside, wanted):
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        try:
            _set_link(outside, index, wanted, self._namespace_fd)
        finally:
            # The kernel moves first and gives the name then: a refused name leaves a device that has moved.
            for new_index in set(_indexes(inside)) - before:
                self._moved.append((name, new_index, addresses, bool(flags & _IFF_UP)))
        _settle(inside, self._moved[-1][1], addresses, up=True)


def _netlink_in(namespace_fd: int) -> netlink.Netlink:
    """A socket in that namespace; the process is back in its own when this returns."""
    own_fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        calls.setns(namespace_fd, k.CLONE_NEWNET)
        try:
            return netlink.Netlink()
        finally:
            calls.setns(own_fd, k.CLONE_NEWNET)
    finally:
        os.close(own_fd)


def _find(socket: netlink.Netlink, name: str) -> tuple[int, int]:
    body = _LINK.pack(0, 0, 0, 0, 0) + netlink.attribute(_IFLA_IFNAME, os.fsencode(name) + b"\0")
    _family, _type, index, flags, _change = _LINK.unpack_from(socket.request(netlink.RTM_GETLINK, body)[0])
    return index, flags


def _indexes(socket: netlink.Netlink) -> list[int]:
    answers = socket.request(netlink.RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0), netlink.NLM_F_DUMP)
    return [_LINK.unpack_from(answer)[2] for answer in answers]


def _exists(socket: netlink.Netlink, name: str) -> bool:
    try:
        _find(socket, name)
    except OSError as error:
        if error.errno == errno.ENODEV:
            return False
        raise
    return True


def _set_link(socket: netlink.Netlink, index: int, name: str, namespace_fd: int) -> None:
    body = _LINK.pack(0, 0, index, 0, 0)
    body += netlink.attribute(_IFLA_NET_NS_FD, struct.pack("=I", namespace_fd))
    body += netlink.attribute(_IFLA_IFNAME, os.fsencode(name) + b"\0")
    socket.request(netlink.RTM_SETLINK, body)


def _lasting_addresses(socket: netlink.Netlink, index: int) -> list[bytes]:
    """Permanent addresses of global scope, each as a message for RTM_NEWADDR but for the device's index."""
    found = []
    for answer in socket.request(netlink.RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0), netlink.NLM_F_DUMP):
        family, prefix, flags, scope, of_index = _ADDRESS.unpack_from(answer)
        if of_index != index:
            continue
        values = netlink.attributes(answer[_ADDRESS.size :])
        if _IFA_FLAGS in values:
            flags = struct.unpack("=I", values[_IFA_FLAGS])[0]
        if scope != _SCOPE_GLOBAL or not flags & _IFA_F_PERMANENT:
            continue
        flags &= ~(_IFA_F_PERMANENT | _IFA_F_TENTATIVE | _IFA_F_SECONDARY)
        body = _ADDRESS.pack(family, prefix, 0, scope, 0)
        for kind in (_IFA_LOCAL, _IFA_ADDRESS, _IFA_BROADCAST):
            if kind in values:
                body += netlink.attribute(kind, values[kind])
        found.append(body + netlink.attribute(_IFA_FLAGS, struct.pack("=I", flags)))
    return found


def _settle(socket: netlink.Netlink, index: int, addresses: list[bytes], *, up: bool) -> None:
    """Give a device that has moved its addresses, and set it up."""
    for body in addresses:
        family, prefix, flags, scope, _index = _ADDRESS.unpack_from(body)
        message = _ADDRESS.pack(family, prefix, flags, scope, index) + body[_ADDRESS.size :]
        try:
            socket.request(netlink.RTM_NEWADDR, message, netlink.NLM_F_CREATE | netlink.NLM_F_EXCL)
        except FileExistsError:
            continue
    if up:
        socket.request(netlink.RTM_NEWLINK, _LINK.pack(0, 0, index, _IFF_UP, _IFF_UP))


def _refused(name: str, wanted: str, error: OSError) -> SetupFailed:
    number = error.errno or 0
    hint = {
        errno.EINVAL: "Some devices, a loopback for instance, stay in their namespace.",
        errno.EEXIST: "Another device there has that name; a name with %d lets the kernel choose a number.",
    }.get(number, "")
    return SetupFailed(
        f"{name} cannot be moved into the container as {wanted}: {os.strerror(number)}",
        path=f"linux.netDevices.{name}",
        hint=hint,
        errno=number,
    )
