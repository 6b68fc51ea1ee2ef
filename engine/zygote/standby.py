"""A shim that waits ready for the next start: forked, in its mount namespace, the memory that it will need its own.

A fork costs a millisecond, and its first writes to memory shared with the zygote cost several more. Both have passed
when a request finds a standby. Which memory a start writes, the first of them tells after its start: to take all would
double what an idle shim costs. A standby ends with its zygote, and holds nothing that anybody else could want.
"""

from __future__ import annotations

import os
import select
import socket
import struct

from runtime.kernel import calls

from ..shim import main as shim
from ..shim import rootfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    Ranges = list[tuple[int, int]]

SETTLE_MS = 50
"""Mounts come in bursts: how long to wait after one, unless a request comes."""
_RANGE = struct.Struct("QQ")
_MOST_RANGES = 4096


class Standby:
    """The zygote's end of one. `become_child` makes the forked process a proper shim of its own; `written` is the
    memory to take at once, None when it has yet to be learned, from this one."""

    def __init__(self, become_child: Callable[[], None], written: Ranges | None) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        self.teaches = written is None
        if os.fork() == 0:
            ours.close()
            become_child()
            _wait(theirs, written)
        theirs.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def take(self, connection: socket.socket) -> bool:
        """Give it the connection of a request. False when it is gone: nothing has been asked of it."""
        try:
            socket.send_fds(self._socket, [b"\0"], [connection.fileno()])
        except OSError:
            self.close()
            return False
        if not self.teaches:
            self.close()
        return True

    def lesson(self) -> Ranges | None:
        """What it has written, when `fileno` can be read; None when it ended without a word. The last call."""
        try:
            data = self._socket.recv(_MOST_RANGES * _RANGE.size)
        except OSError:  # killed before it had read what it was given
            data = b""
        self.close()
        return list(_RANGE.iter_unpack(data)) if data else None

    def close(self) -> None:
        self._socket.close()


def _wait(theirs: socket.socket, written: Ranges | None) -> NoReturn:
    with open("/proc/self/comm", "w") as comm:
        comm.write("pydock-standby")
    mounts = _HostMounts()
    shim.prepare()
    calls.own_memory(written or [])
    mounts.follow_until(theirs)
    _data, fds, _flags, _address = socket.recv_fds(theirs, 1, 1)
    if fds:
        mounts.close()
        if written is not None:
            theirs.close()
        shim.main(socket.socket(fileno=fds[0]), started=None if written is not None else lambda: _teach(theirs))
    os._exit(0)


def _teach(zygote: socket.socket) -> None:
    ranges = calls.written_memory()[:_MOST_RANGES]
    try:
        zygote.send(b"".join(_RANGE.pack(*each) for each in ranges))
    except OSError:  # it has just been killed
        pass
    zygote.close()


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
