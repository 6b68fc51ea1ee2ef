"""rtnetlink(7), as far as moving a network device needs it: one request, its answers, and the attributes in them.

Written on `_socket` and `struct` alone: neither the socket module nor a netlink library is to be loaded by a runtime.
Every call raises the OSError that the kernel's answer carries.
"""

from __future__ import annotations

import _socket
import errno
import os
import struct

# linux/netlink.h
_NLM_F_REQUEST, _NLM_F_ACK, NLM_F_DUMP, NLM_F_CREATE, NLM_F_EXCL = 0x1, 0x4, 0x300, 0x400, 0x200
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NETLINK_ROUTE = 0
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_TYPE_MASK = 0x3FFF
_BUFFER_BYTES = 1 << 16

# linux/rtnetlink.h
RTM_NEWLINK, RTM_GETLINK, RTM_SETLINK, RTM_NEWADDR, RTM_GETADDR = 16, 18, 19, 20, 22


class Netlink:
    """A route socket in the network namespace that the process was in when it was made."""

    def __init__(self) -> None:
        self._socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def request(self, kind: int, body: bytes, flags: int = 0) -> list[bytes]:
        """Send one message; the bodies of what the kernel answers, none for a mere acknowledgement."""
        self._sequence += 1
        flags |= _NLM_F_REQUEST | (0 if flags & NLM_F_DUMP == NLM_F_DUMP else _NLM_F_ACK)
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, self._sequence, 0) + body)
        answers: list[bytes] = []
        while True:
            data = self._socket.recv(_BUFFER_BYTES)
            while len(data) >= _HEADER.size:
                length, kind, _flags, sequence, _pid = _HEADER.unpack_from(data)
                content = data[_HEADER.size : length]
                data = data[_aligned(length) :]
                if sequence != self._sequence:
                    continue
                if kind == _NLMSG_DONE:
                    return answers
                if kind == _NLMSG_ERROR:
                    number = -struct.unpack_from("=i", content)[0]
                    if number:
                        raise OSError(number, os.strerror(number))
                    return answers
                answers.append(content)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    raw = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value
    return raw + b"\0" * (_aligned(len(raw)) - len(raw))


def attributes(data: bytes) -> dict[int, bytes]:
    """The attributes of a message's tail, by type."""
    found = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            raise OSError(errno.EBADMSG, "netlink: a malformed attribute")
        found[kind & _TYPE_MASK] = data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]
    return found


def _aligned(length: int) -> int:
    return length + 3 & ~3
