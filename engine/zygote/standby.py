"""A shim that waits ready for the next start: forked, in its mount namespace, with its memory its own.

A fork costs a millisecond, and its first writes to memory shared with the zygote cost several more. Both have passed
when a request finds a standby. It ends with its zygote, and holds nothing that anybody else could want.
"""

from __future__ import annotations

import os
import select
import socket

from runtime.kernel import calls

from ..shim import main as shim
from ..shim import rootfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

SETTLE_MS = 50
"""Mounts come in bursts: how long to wait after one, unless a request comes."""


class Standby:
    """The zygote's end of one. `become_child` makes the forked process a proper shim of its own."""

    def __init__(self, become_child: Callable[[], None]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket = ours
        if os.fork() == 0:
            ours.close()
            become_child()
            _wait(theirs)
        theirs.close()

    def take(self, connection: socket.socket) -> bool:
        """Give it the connection of a request, and forget it. False when it is gone: nothing has been asked of it."""
        try:
            socket.send_fds(self._socket, [b"\0"], [connection.fileno()])
        except OSError:
            return False
        finally:
            self._socket.close()
        return True


def _wait(theirs: socket.socket) -> NoReturn:
    with open("/proc/self/comm", "w") as comm:
        comm.write("pydock-standby")
    mounts = _HostMounts()
    shim.prepare()
    calls.own_memory()
    mounts.follow_until(theirs)
    _data, fds, _flags, _address = socket.recv_fds(theirs, 1, 1)
    if fds:
        theirs.close()
        mounts.close()
        shim.main(socket.socket(fileno=fds[0]))
    os._exit(0)


class _HostMounts:
    """Watches the mounts of the namespace that it is made in. Mounts that are not shared neither come nor go with the
    host's: where something has changed while we waited, we go back and leave again."""

    def __init__(self) -> None:
        # proc(5): a poll of it tells of every change since the last one.
        self._changes_fd = os.open("/proc/self/mounts", os.O_RDONLY | os.O_CLOEXEC)

    def follow_until(self, awaited: socket.socket) -> None:
        """Keep up with the host until there is something to read."""
        changes, request = select.poll(), select.poll()
        changes.register(self._changes_fd, select.POLLPRI)
        changes.register(awaited, select.POLLIN)
        request.register(awaited, select.POLLIN)
        while True:
            ready = dict(changes.poll())
            if self._changes_fd in ready:
                rootfs.leave_again()
            if awaited.fileno() in ready:
                return
            request.poll(SETTLE_MS)

    def close(self) -> None:
        os.close(self._changes_fd)
