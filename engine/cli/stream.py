"""Joins the local terminal or pipes to a session until it ends or the person leaves.

One thread and one poll. Input is read only while the session takes it, so a container that does not read its
input never keeps us from showing its output. Signals arrive as bytes on a pipe (signal.set_wakeup_fd), so
that no handler runs in the middle of a write.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import sys

from ..errors import NotFound, WrongState
from . import terminal
from .detach_keys import DetachMatcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from ..containers.session import Session

# a unix socket that polls writable takes at least three quarters of its buffer, some 150 KB; this never blocks
CHUNK = 32 * 1024
HOLD_MS = 600
PATIENCE = 3

_PROXIED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGCONT,
)
_LEAVING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

EXITED, DETACHED, SIGNALLED, LOST = "exited", "detached", "signalled", "lost"


class Outcome:
    """How a stream ended: the process exited (`code`), the person detached, this program was told to leave
    (`code` is 128 + the signal), or the session broke off without an exit."""

    __slots__ = ("code", "kind")

    def __init__(self, kind: str, code: int = 0) -> None:
        self.kind = kind
        self.code = code


class Stream:
    """One run of `join()` over a session.

    stdin: whether local input goes in. detach: the keys that leave (only read in a terminal session).
    signaller: sends a signal to the process; with a tty, or without a signaller, signals end this program.
    patience: how many requests to end are passed on before this program leaves the process alone.
    """

    def __init__(
        self,
        session: Session,
        *,
        stdin: bool,
        detach: bytes = b"",
        signaller: Callable[[int], None] | None = None,
        patience: int = PATIENCE,
        stdout: bool = True,
        stderr: bool = True,
    ) -> None:
        self._session = session
        self._stdin_fd = terminal.STDIN_FD if stdin else -1
        self._matcher = DetachMatcher(detach) if detach and session.tty else None
        self._signaller = None if session.tty else signaller
        self._targets = {"stdout": 1 if stdout else -1, "stderr": 2 if stderr else -1, "replay": 1}
        self._patience = patience
        self._asked = 0
        self._wake_fd = -1

    def join(self) -> Outcome:
        """Copy until the end. The terminal is raw meanwhile and restored whatever happens."""
        sys.stdout.flush()
        raw = self._session.tty and self._stdin_fd >= 0
        with _Signals(self._handled()) as signals, terminal.RawTerminal(self._stdin_fd if raw else -1):
            self._wake_fd = signals.fd
            self._resize()
            return self._loop()

    def _handled(self) -> tuple[signal.Signals, ...]:
        return (*(_PROXIED if self._signaller else _LEAVING), signal.SIGWINCH)

    def _loop(self) -> Outcome:
        ended = self._show()
        while ended is None:
            ended = self._turn()
        return ended

    def _turn(self) -> Outcome | None:
        session_fd = self._session.fileno()
        poller = select.poll()
        poller.register(session_fd, select.POLLIN)
        poller.register(self._wake_fd, select.POLLIN)
        if self._stdin_fd >= 0:
            poller.register(self._stdin_fd, select.POLLIN)
        holding = self._matcher is not None and self._matcher.holding
        ready = dict(poller.poll(HOLD_MS if holding else None))
        if not ready and self._matcher is not None:
            self._send(self._matcher.release())
        if self._wake_fd in ready:
            outcome = self._take_signals()
            if outcome is not None:
                return outcome
        if session_fd in ready:
            outcome = self._show()
            if outcome is not None:
                return outcome
        if self._stdin_fd in ready and self._takes_input(session_fd):
            return self._take_input()
        return None

    def _takes_input(self, session_fd: int) -> bool:
        """Whether the session can be written to; otherwise wait until it can, or until it has output."""
        poller = select.poll()
        poller.register(session_fd, select.POLLIN | select.POLLOUT)
        poller.register(self._wake_fd, select.POLLIN)
        return bool(dict(poller.poll()).get(session_fd, 0) & select.POLLOUT)

    def _take_input(self) -> Outcome | None:
        try:
            data = os.read(self._stdin_fd, CHUNK)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EBADF):
                raise
            data = b""  # the terminal is gone, or there never was an input
        if not data:
            self._stdin_fd = -1
            if self._matcher is not None:
                self._send(self._matcher.release())
            self._close_stdin()
            return None
        left = False
        if self._matcher is not None:
            data, left = self._matcher.feed(data)
        self._send(data)
        if left:
            self._session.detach()
            return Outcome(DETACHED)
        return None

    def _send(self, data: bytes) -> None:
        if not data:
            return
        try:
            self._session.send(data)
        except ConnectionError:
            self._stdin_fd = -1  # the process is ending; its last output is still to come

    def _close_stdin(self) -> None:
        try:
            self._session.close_stdin()
        except ConnectionError:
            pass

    def _show(self) -> Outcome | None:
        for frame in self._session.read_available():
            if frame.kind == "exit":
                return Outcome(EXITED, frame.code)
            if frame.kind == "closed":
                return Outcome(LOST)
            if frame.kind == "replay" and not self._session.tty:
                continue
            if self._targets[frame.kind] >= 0:
                write_all(self._targets[frame.kind], frame.data)
        return None

    def _take_signals(self) -> Outcome | None:
        for number in os.read(self._wake_fd, 64):
            if number == signal.SIGWINCH:
                self._resize()
            elif self._signaller is None:
                return Outcome(SIGNALLED, 128 + number)
            else:
                if number in (signal.SIGINT, signal.SIGTERM):
                    self._asked += 1
                if self._asked >= self._patience:
                    sys.stderr.write(f"pydock: asked {self._asked} times to end; leaving, the process runs on\n")
                    return Outcome(SIGNALLED, 128 + number)
                try:
                    self._signaller(number)
                except (ConnectionError, WrongState, NotFound):
                    pass  # it is ending already
        return None

    def _resize(self) -> None:
        if not self._session.tty:
            return
        shape = terminal.size(terminal.STDOUT_FD) or terminal.size(terminal.STDIN_FD)
        if shape is not None:
            try:
                self._session.resize(*shape)
            except ConnectionError:
                pass


class _Signals:
    """Turns signals into bytes on a pipe for the time of a block; the old handlers are back afterwards."""

    def __init__(self, numbers: tuple[signal.Signals, ...]) -> None:
        self._numbers = numbers
        self._before: dict[signal.Signals, object] = {}
        self._old_wake_fd = -1
        self.fd = -1
        self._write_fd = -1

    def __enter__(self) -> _Signals:
        self.fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old_wake_fd = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in self._numbers:
            if signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup, or a background job of a script: stays ignored
            self._before[number] = signal.signal(number, _noted)
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        signal.set_wakeup_fd(self._old_wake_fd)
        os.close(self.fd)
        os.close(self._write_fd)


def _noted(_number: int, _frame: FrameType | None) -> None:
    pass  # the byte on the pipe is what counts


def write_all(fd: int, data: bytes) -> None:
    """Write everything, also to a descriptor that somebody made non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])
