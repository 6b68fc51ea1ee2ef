"""A shim that waits ready for the next start: forked, in its mount namespace, with its memory its own.

A fork costs a millisecond, and its first writes to memory shared with the zygote cost several more. Both have passed
when a request finds a standby. It ends with its zygote, and holds nothing that anybody else could want.
"""

from __future__ import annotations

import os
import socket

from runtime.kernel import calls

from ..shim import main as shim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn


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
    shim.prepare()
    calls.own_memory()
    _data, fds, _flags, _address = socket.recv_fds(theirs, 1, 1)
    if fds:
        theirs.close()
        shim.main(socket.socket(fileno=fds[0]))
    os._exit(0)
