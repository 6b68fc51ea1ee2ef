"""Socket pairs and passing descriptors, on the C module alone.

The `socket` module costs a cold start several milliseconds for classes that nothing here uses.
"""

from __future__ import annotations

import _socket
import os
import struct


def socket_pair() -> tuple[int, int]:
    """Two connected descriptors that keep message boundaries; os.read and os.write take and give messages."""
    one, other = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    return one.detach(), other.detach()


def connect_stream(path: str) -> int:
    """A descriptor connected to the unix stream socket at `path`."""
    client = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        client.connect(path)
    except OSError as error:
        client.close()
        raise OSError(error.errno, f"connect: {os.strerror(error.errno or 0)}", path) from None
    return client.detach()


def send_descriptor(socket_fd: int, message: bytes, fd: int) -> None:
    """One message with a descriptor attached (SCM_RIGHTS)."""
    sender = _socket.socket(fileno=socket_fd)
    try:
        rights = struct.pack("i", fd)
        sender.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
    finally:
        sender.detach()


def receive_descriptor(socket_fd: int, size: int) -> tuple[bytes, int]:
    """One message and the descriptor that came with it, -1 when none did."""
    receiver = _socket.socket(fileno=socket_fd)
    try:
        message, ancillary, _flags, _address = receiver.recvmsg(size, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
    finally:
        receiver.detach()
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS and len(data) >= 4:
            return message, int(struct.unpack("i", data[:4])[0])
    return message, -1
