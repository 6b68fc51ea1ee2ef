"""Staying with a process in the foreground: its terminal, its signals, its exit code.

Signals that arrive here go on to the process. With a terminal of the container's, standard input is raw meanwhile, and
whatever either side writes is carried to the other.
"""

from __future__ import annotations

import fcntl
import os
import select

from ..kernel import constants as k
from ..kernel import signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

_KEPT = frozenset((signals.SIGCHLD, signals.SIGKILL, signals.SIGSTOP, signals.SIGURG, signals.SIGPIPE))
_CHUNK = 1 << 16
_DRAIN_MS = 100


class Foreground:
    """Made before the process, so that no signal is lost; signals received earlier are sent on when it is known."""

    def __init__(self) -> None:
        self._pid = 0
        self._early: list[int] = []
        self._console_fd = -1
        for number in signals.valid() - _KEPT:
            try:
                signals.handle(number, self._forward)
            except (OSError, ValueError):
                continue

    def wait(self, pid: int, console_fd: int = -1) -> int:
        """Until the process has ended; its exit code, 128 + n for signal n."""
        self._pid = pid
        self._console_fd = console_fd
        for number in self._early:
            self._forward(number, None)
        if console_fd >= 0:
            self._carry(console_fd)
        while True:
            try:
                ended, status = os.waitpid(-1, 0)
            except ChildProcessError:
                return 1
            if ended == pid:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        if not self._pid:
            self._early.append(number)
        elif number == signals.SIGWINCH and self._console_fd >= 0:
            self._copy_size()
        else:
            try:
                os.kill(self._pid, number)
            except ProcessLookupError:
                pass

    def _copy_size(self) -> None:
        try:
            size = fcntl.ioctl(0, 0x5413, b"\0" * 8)
            fcntl.ioctl(self._console_fd, k.TIOCSWINSZ, size)
        except OSError:
            pass

    def _carry(self, console_fd: int) -> None:
        import termios
        import tty

        saved = None
        if os.isatty(0):
            saved = termios.tcgetattr(0)
            # What was typed ahead is for the container; the default would drop it.
            tty.setraw(0, termios.TCSADRAIN)
            self._copy_size()
        try:
            self._carry_until_hangup(console_fd)
        finally:
            if saved is not None:
                termios.tcsetattr(0, termios.TCSADRAIN, saved)
            os.close(console_fd)
            self._console_fd = -1

    def _carry_until_hangup(self, console_fd: int) -> None:
        pidfd = os.pidfd_open(self._pid)
        poller = select.poll()
        poller.register(console_fd, select.POLLIN)
        poller.register(0, select.POLLIN)
        poller.register(pidfd, select.POLLIN)
        ended = False
        while True:
            ready = {fd for fd, _events in poller.poll(_DRAIN_MS if ended else None)}
            if console_fd in ready and not _copy(console_fd, 1):
                break
            if 0 in ready and not _copy(0, console_fd):
                poller.unregister(0)
            if pidfd in ready:
                ended = True
                poller.unregister(pidfd)
            if ended and console_fd not in ready:
                break
        os.close(pidfd)


def _copy(source: int, target: int) -> bool:
    """Carry one piece; False at the end."""
    try:
        data = os.read(source, _CHUNK)
        view = memoryview(data)
        while view:
            view = view[os.write(target, view) :]
    except OSError:
        return False
    return bool(data)
