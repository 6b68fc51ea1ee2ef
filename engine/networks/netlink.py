"""A small rtnetlink client: what one container start needs, in a millisecond and without imports.

Requests are queued and sent together; the kernel works them off in order and answers each. Everything that is
not on the path of a start may use pyroute2 instead; the tests read what this writes with it. Sources:
rtnetlink(7), netlink(7), linux/if_link.h, linux/if_bridge.h.
"""

from __future__ import annotations

import os
import socket
import struct

from ..record import Record
from .namespace import InNetwork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_GETADDR = 20, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_GETNSID = 90

NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE, NLM_F_DUMP = 1, 4, 0x200, 0x400, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLMSGERR_ATTR_MSG = 1
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER = 1, 3, 4, 5, 10
IFLA_LINKINFO, IFLA_NET_NS_PID, IFLA_IFALIAS, IFLA_AF_SPEC = 18, 19, 20, 26
IFLA_LINK_NETNSID, IFLA_TARGET_NETNSID = 37, 46
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
VETH_INFO_PEER, IFLA_BRPORT_MODE, IFLA_BRPORT_ISOLATED = 1, 4, 33
IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_EUI64, IN6_ADDR_GEN_MODE_NONE = 8, 0, 1
IFLA_VLAN_ID, IFLA_MACVLAN_MODE, IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS = 1, 1, 1, 2
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_FLAGS, IFA_F_NODAD = 1, 2, 4, 8, 2
RTA_DST, RTA_OIF, RTA_GATEWAY = 1, 4, 5
NETNSA_NSID, NETNSA_PID = 1, 2
IFF_UP = 1

_NESTED = 0x8000
_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_SCOPE_LINK, _FIRST_LINK_LOCAL = 253, 0xFE
_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11


class Link(Record):
    """A network interface. `peer_index` and `peer_ns` (-1: this or unknown) tell where a veth's other end is."""

    index: int
    name: str
    up: bool = False
    master: int = 0
    mac: str = ""
    alias: str = ""
    kind: str = ""
    peer_index: int = 0
    peer_ns: int = -1


class NetlinkError(OSError):
    """A request that the kernel refused; the text says which, and the kernel's own reason where it gives one."""


class Netlink:
    """A socket in one network namespace: this thread's own, or that of process `pid`.

    Entering another's namespace takes two setns(2) calls around the making of the socket; a socket stays where
    it was made. Only the calling thread is moved, and only its network.
    """

    def __init__(self, pid: int = 0) -> None:
        self.pid = pid
        self._socket = _open(pid)
        self._queue: list[tuple[int, int, bytes, str]] = []
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()

    def queue(self, message_type: int, flags: int, payload: bytes, what: str) -> None:
        """Add a request; `what` names it in an error."""
        self._queue.append((message_type, flags, payload, what))

    def commit(self) -> None:
        """Send what is queued. All of it is tried; the first refusal is raised as NetlinkError."""
        queued, self._queue = self._queue, []
        if not queued:
            return
        first = self._sequence + 1
        packet = b""
        for message_type, flags, payload, _ in queued:
            packet += self._message(message_type, NLM_F_REQUEST | NLM_F_ACK | flags, payload)
        self._socket.send(packet)
        refused: NetlinkError | None = None
        answered = 0
        while answered < len(queued):
            for sequence, message_type, flags, body in _messages(self._socket.recv(1 << 16)):
                if message_type != NLMSG_ERROR or sequence < first:
                    continue
                answered += 1
                number = -int(struct.unpack_from("=i", body)[0])
                if number and refused is None:
                    reason = _kernel_reason(body, flags) or os.strerror(number).lower()
                    refused = NetlinkError(number, f"{queued[sequence - first][3]}: {reason}")
        if refused:
            raise refused

    def link(self, name: str) -> Link | None:
        """The interface of that name."""
        return self._one_link(_LINK.pack(0, 0, 0, 0, 0) + text(IFLA_IFNAME, name))

    def peer_lives(self, link: Link) -> bool:
        """Whether the namespace that holds a veth's other end still exists, rather than being torn down."""
        if link.peer_ns < 0:
            return False
        payload = _LINK.pack(0, 0, link.peer_index, 0, 0) + number(IFLA_TARGET_NETNSID, link.peer_ns)
        return self._one_link(payload) is not None

    def namespace_id(self, pid: int) -> int:
        """The number by which this namespace knows that of process `pid`, -1 if it does not."""
        return self._namespace(number(NETNSA_PID, pid))

    def namespace_lives(self, namespace_id: int) -> bool:
        """Whether a namespace still exists, rather than being torn down. Unlike anything about links this does not
        wait for the kernel's one lock over all of them, which a teardown holds for long."""
        return self._namespace(number(NETNSA_NSID, namespace_id)) >= 0

    def links(self) -> list[Link]:
        """All interfaces."""
        return [_link(body) for body in self._dump(RTM_GETLINK, _LINK.pack(0, 0, 0, 0, 0))]

    def addresses(self) -> list[tuple[int, str, int]]:
        """All addresses as (interface index, address, prefix length), but those that lead nowhere beyond a link."""
        found = []
        for body in self._dump(RTM_GETADDR, struct.pack("=BBBBi", socket.AF_UNSPEC, 0, 0, 0, 0)):
            family, prefix_length, _, scope, index = struct.unpack_from("=BBBBi", body)
            values = dict(attributes(body[8:]))
            packed = values.get(IFA_LOCAL) or values.get(IFA_ADDRESS)
            if packed and (family == socket.AF_INET or scope != _SCOPE_LINK):
                found.append((index, socket.inet_ntop(family, packed), prefix_length))
        return found

    def routes(self) -> list[tuple[str, int, int]]:
        """All routes, of every table, as (destination, prefix length, interface index or 0); of IPv6's without those
        that every interface has."""
        found = []
        payload = struct.pack("=BBBBBBBBI", socket.AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0)
        for body in self._dump(RTM_GETROUTE, payload):
            family, length = body[0], body[1]
            if family not in (socket.AF_INET, socket.AF_INET6):
                continue
            values = dict(attributes(body[12:]))
            packed = values.get(RTA_DST, bytes(4 if family == socket.AF_INET else 16))
            if family == socket.AF_INET6 and packed[0] >= _FIRST_LINK_LOCAL:
                continue
            index = struct.unpack("=i", values.get(RTA_OIF, bytes(4)))[0]
            found.append((socket.inet_ntop(family, packed), length, index))
        return found

    def _one_link(self, payload: bytes) -> Link | None:
        self._socket.send(self._message(RTM_GETLINK, NLM_F_REQUEST, payload))
        while True:
            for sequence, message_type, _, body in _messages(self._socket.recv(1 << 16)):
                if sequence != self._sequence:
                    continue
                return None if message_type == NLMSG_ERROR else _link(body)

    def _namespace(self, which: bytes) -> int:
        self._socket.send(self._message(RTM_GETNSID, NLM_F_REQUEST, bytes(4) + which))
        while True:
            for sequence, message_type, _, body in _messages(self._socket.recv(1 << 16)):
                if sequence != self._sequence:
                    continue
                if message_type == NLMSG_ERROR:
                    return -1
                found = dict(attributes(body[4:])).get(NETNSA_NSID)
                return int(struct.unpack("=i", found)[0]) if found else -1

    def _dump(self, message_type: int, payload: bytes) -> list[bytes]:
        self._socket.send(self._message(message_type, NLM_F_REQUEST | NLM_F_DUMP, payload))
        found: list[bytes] = []
        while True:
            for sequence, answer_type, _, body in _messages(self._socket.recv(1 << 18)):
                if sequence != self._sequence:
                    continue
                if answer_type == NLMSG_DONE:
                    return found
                if answer_type == NLMSG_ERROR:
                    number = -int(struct.unpack_from("=i", body)[0])
                    raise NetlinkError(number, f"netlink dump: {os.strerror(number).lower()}")
                found.append(body)

    def _message(self, message_type: int, flags: int, payload: bytes) -> bytes:
        self._sequence += 1
        length = _HEADER.size + len(payload)
        head = _HEADER.pack(length, message_type, flags, self._sequence, 0)
        return head + payload + bytes(-length % 4)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *inner: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(inner))


def number(kind: int, value: int) -> bytes:
    """A 32-bit attribute."""
    return attribute(kind, struct.pack("=i", value))


def short(kind: int, value: int) -> bytes:
    """A 16-bit attribute."""
    return attribute(kind, struct.pack("=H", value))


def text(kind: int, value: str) -> bytes:
    """A zero-terminated string attribute."""
    return attribute(kind, os.fsencode(value) + b"\0")


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and value of each attribute in `data`."""
    offset = 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            return
        yield kind & 0x3FFF, data[offset + 4 : offset + length]
        offset += length + (-length % 4)


def link_header(index: int = 0, *, up: bool | None = None) -> bytes:
    """struct ifinfomsg; `up` None leaves the state alone."""
    return _LINK.pack(0, 0, index, IFF_UP if up else 0, 0 if up is None else IFF_UP)


def _messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, message_type, flags, sequence, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size:
            return
        yield sequence, message_type, flags, data[offset + _HEADER.size : offset + length]
        offset += length + (-length % 4)


def _kernel_reason(body: bytes, flags: int) -> str:
    if not flags & NLM_F_ACK_TLVS:
        return ""
    echoed = _HEADER.size if flags & NLM_F_CAPPED else struct.unpack_from("=I", body, 4)[0]
    for kind, value in attributes(body[4 + echoed + (-echoed % 4) :]):
        if kind == NLMSGERR_ATTR_MSG:
            return value.rstrip(b"\0").decode("utf-8", "replace").lower()
    return ""


def _link(body: bytes) -> Link:
    _, _, index, flags, _ = _LINK.unpack_from(body)
    values = dict(attributes(body[_LINK.size :]))
    info = dict(attributes(values.get(IFLA_LINKINFO, b"")))

    def integer(kind: int, default: int) -> int:
        return int(struct.unpack("=i", values[kind])[0]) if kind in values else default

    return Link(
        index=index,
        name=_string(values.get(IFLA_IFNAME, b"")),
        up=bool(flags & IFF_UP),
        master=integer(IFLA_MASTER, 0),
        mac=values.get(IFLA_ADDRESS, b"").hex(":"),
        alias=_string(values.get(IFLA_IFALIAS, b"")),
        kind=_string(info.get(IFLA_INFO_KIND, b"")),
        peer_index=integer(IFLA_LINK, 0),
        peer_ns=integer(IFLA_LINK_NETNSID, -1),
    )


def _string(value: bytes) -> str:
    return os.fsdecode(value.rstrip(b"\0"))


def _open(pid: int) -> socket.socket:
    if pid:
        with InNetwork(pid):
            return _open(0)
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    made.bind((0, 0))
    for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK):
        made.setsockopt(_SOL_NETLINK, option, 1)
    return made
