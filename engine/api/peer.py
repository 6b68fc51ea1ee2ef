"""What the kernel knows of the client at the other end of a socket."""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def is_gone(transport: asyncio.Transport) -> bool:
    """POLLHUP: both directions are closed. The end of its sending alone is half-close, and no end."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock.fileno(), 0)
    return any(events & (select.POLLHUP | select.POLLERR) for _fd, events in poll.poll(0))


def has_taken_all(transport: asyncio.Transport) -> bool | None:
    """Whether the client has read everything written to it; None where the kernel cannot tell.

    On a unix socket SIOCOUTQ counts what the peer has not read; on TCP, what its kernel has not confirmed.
    """
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return True
    if transport.get_write_buffer_size():
        return False
    if sock.family != socket.AF_UNIX:
        return None
    (unread,) = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))
    return not unread
