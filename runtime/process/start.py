"""`start`: let the waiting init go, and learn from it whether its execve worked.

init waits by opening the fifo for writing. Opening it for reading lets it go on; it then writes what stops it,
or one byte just before its execve, at which the fifo closes. The fifo's absence is what tells a started container
from a created one.
"""

from __future__ import annotations

import os
import select

from ..errors import SetupFailed
from ..state import FIFO_NAME
from . import messages
from .messages import EXECUTING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..state import StateDirectory

_CHUNK = 1 << 16
_END_TIMEOUT_MS = 5000


def release(directory: StateDirectory, pid: int) -> None:
    """Let init execute its program; returns when it has, raises what it says otherwise."""
    # While init still waits: once let go it may end, and be reaped by its parent, at any moment.
    pidfd = os.pidfd_open(pid)
    try:
        fifo_fd = os.open(FIFO_NAME, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory.fd)
        try:
            said = _listen(fifo_fd, pidfd)
        finally:
            os.close(fifo_fd)
        if said != EXECUTING:
            _await_end(pidfd)
    finally:
        os.close(pidfd)
    os.unlink(FIFO_NAME, dir_fd=directory.fd)
    failure = said[len(EXECUTING) :] if said.startswith(EXECUTING) else said
    if failure:
        raise messages.parse_failure(failure)
    if not said:
        raise SetupFailed("the container's first process was killed before it could execute its program")


def _listen(fifo_fd: int, pidfd: int) -> bytes:
    """All that init writes until it closes the fifo or dies."""
    said = b""
    poller = select.poll()
    poller.register(fifo_fd, select.POLLIN)
    poller.register(pidfd, select.POLLIN)
    while True:
        ready = {fd for fd, _events in poller.poll()}
        if fifo_fd in ready:
            try:
                chunk = os.read(fifo_fd, _CHUNK)
            except BlockingIOError:
                continue
            if not chunk:
                return said
            said += chunk
        elif pidfd in ready:
            return said


def _await_end(pidfd: int) -> None:
    """Until init, which has said its last, is gone or a zombie: the container is then stopped for everyone."""
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    poller.poll(_END_TIMEOUT_MS)
