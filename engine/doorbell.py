"""Wakes every engine host after a change: a datagram socket per listener in one folder of the run root.

A ring carries no data; the listener reads the event table from its last id, so a lost or doubled ring
does no harm. Sockets whose owner died are removed by whoever meets them.
"""

from __future__ import annotations

import errno
import os
import socket

from . import unix

_GONE = (errno.ECONNREFUSED, errno.ENOENT)


class Doorbell:
    """A listener's socket; readable after a ring."""

    _count = 0

    def __init__(self, folder: str) -> None:
        Doorbell._count += 1
        self.path = f"{folder}/{os.getpid()}-{Doorbell._count}.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        unix.bind(self.socket, self.path)

    def fileno(self) -> int:
        return self.socket.fileno()

    def drain(self) -> None:
        """Forget all rings so far."""
        try:
            while True:
                self.socket.recv(16)
        except BlockingIOError:
            pass

    def close(self) -> None:
        self.socket.close()
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass


def ring(folder: str) -> None:
    """Wake all listeners; never blocks, never fails for a listener's sake."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        for name in names:
            path = f"{folder}/{name}"
            try:
                unix.send_to(sender, b"!", path)
            except OSError as error:
                if error.errno in _GONE:
                    try:
                        os.unlink(path)
                    except FileNotFoundError:
                        pass
