"""A process's terminal or pipes, and everyone who watches them.

Output goes to the log sink first, then to every client. A slow client never holds the process up, with one
exception: the client that started it in the foreground without a terminal is to it what the reader of a pipe
is, and loses nothing. Others skip what they could not take; on a terminal they get the screen anew.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios
from functools import partial

from . import frames
from .loop import READ, WRITE
from .replay import Replay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .client import Client
    from .loop import Loop

READ_BYTES = 1 << 16
STDIN_BACKLOG_BYTES = 1 << 20


class Stdio:
    """Owns the descriptors given to it: the pty master, or the near ends of the pipes (-1: none).

    `sink` takes all output before anyone else; `kill` sends a signal that a client asks for.
    """

    def __init__(
        self,
        loop: Loop,
        *,
        master_fd: int = -1,
        stdin_fd: int = -1,
        stdout_fd: int = -1,
        stderr_fd: int = -1,
        sink: Callable[[str, bytes], None] | None = None,
        stdin_once: bool = True,
        kill: Callable[[int], None],
    ) -> None:
        self.tty = master_fd >= 0
        self.clients: list[Client] = []
        self._loop = loop
        self._sink = sink
        self._kill = kill
        self._master_fd = master_fd
        self._stdin_fd = master_fd if self.tty else stdin_fd
        self._stdin = bytearray()
        self._stdin_ends = False
        self._stdin_once = stdin_once
        self._starter: Client | None = None
        self._replay = Replay() if self.tty else None
        self._foreground: Client | None = None
        self._lagging: set[Client] = set()
        self._on_drained: Callable[[], None] | None = None
        self._outputs = {master_fd: "stdout"} if self.tty else {stdout_fd: "stdout", stderr_fd: "stderr"}
        self._outputs.pop(-1, None)
        for fd in (*self._outputs, self._stdin_fd):
            if fd >= 0:
                os.set_blocking(fd, False)
        self._watch_outputs()

    @property
    def drained(self) -> bool:
        """Every writer has closed its end, and all of it was read."""
        return not self._outputs

    def attach(self, client: Client, *, foreground: bool = False) -> None:
        """Let the client see and type; a terminal's last screen comes first."""
        if self._replay:
            client.send(frames.REPLAY, self._replay.bytes())
        elif foreground:
            self._foreground = client
        if foreground:
            self._starter = client
        self.clients.append(client)
        client.on_frame = self._from_client
        client.on_close.append(self._gone)
        client.on_drained = self._caught_up

    def when_drained(self, limit_s: float, action: Callable[[], None]) -> None:
        """Call once all output has been read, or when the time is over."""
        if self.drained:
            action()
            return
        self._on_drained = action
        self._loop.later(limit_s, self._drain_over)

    def _drain_over(self) -> None:
        action, self._on_drained = self._on_drained, None
        if action:
            action()

    def resize(self, rows: int, columns: int) -> None:
        """Set the terminal's size; the kernel tells the foreground program (SIGWINCH)."""
        if self._master_fd >= 0:
            fcntl.ioctl(self._master_fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_rest(self) -> None:
        """Take what is still in the pipes, without waiting for more."""
        for fd in tuple(self._outputs):
            while fd in self._outputs and self._read(fd):
                pass

    def finish(self, code: int) -> None:
        """The process has ended: read what is left, tell all clients, release the descriptors."""
        self.read_rest()
        self._foreground = None
        for client in tuple(self.clients):
            client.send_json(frames.EXIT, {"code": code})
            client.close_when_sent()
        self.clients.clear()
        self.close()

    def close(self) -> None:
        for fd in {*self._outputs, self._stdin_fd, self._master_fd} - {-1}:
            self._loop.unwatch(fd)
            os.close(fd)
        self._outputs.clear()
        self._stdin_fd = self._master_fd = -1

    def _watch_outputs(self) -> None:
        for fd in self._outputs:
            self._watch_output(fd)

    def _watch_output(self, fd: int) -> None:
        """A pty's master is read and written on one descriptor."""
        writing = WRITE if fd == self._stdin_fd and self._stdin else 0
        self._loop.watch(fd, READ | writing, partial(self._ready, fd))

    def _ready(self, fd: int, events: int) -> None:
        if events & WRITE:
            self._write_stdin()
        if events & ~WRITE and fd in self._outputs:
            self._read(fd)

    def _read(self, fd: int) -> bool:
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EIO:  # EIO: the last holder of the pty's other side has closed it
                raise
            data = b""
        if not data:
            self._end_of(fd)
            return False
        self._deliver(self._outputs[fd], data)
        return True

    def _end_of(self, fd: int) -> None:
        del self._outputs[fd]
        self._loop.unwatch(fd)
        if fd != self._master_fd:
            os.close(fd)
        if self.drained:
            self._drain_over()

    def _deliver(self, stream: str, data: bytes) -> None:
        if self._sink:
            self._sink(stream, data)
        if self._replay:
            self._replay.feed(data)
        kind = frames.STDOUT if stream == "stdout" else frames.STDERR
        for client in tuple(self.clients):
            if client in self._lagging:
                continue
            client.send(kind, data)
            if client.slow and not client.closed:
                self._slow(client)

    def _slow(self, client: Client) -> None:
        if client is self._foreground:
            for fd in self._outputs:
                self._loop.unwatch(fd)
            return
        self._lagging.add(client)
        if self._replay:
            client.forget_queue()

    def _caught_up(self, client: Client) -> None:
        if client is self._foreground:
            self._watch_outputs()
        elif client in self._lagging:
            self._lagging.discard(client)
            if self._replay:
                client.send(frames.REPLAY, self._replay.bytes())
            else:
                client.send(
                    frames.STDERR,
                    b"\n[pydock: output was faster than this client, some is only in the log]\n",
                )

    def _gone(self, client: Client) -> None:
        if client in self.clients:
            self.clients.remove(client)
        self._lagging.discard(client)
        if client is self._starter:
            self._starter = None
            if self._stdin_fd >= 0 and not self.tty:
                self._end_stdin()  # nobody will end it any more, and a program may wait for that
        if client is self._foreground:
            self._foreground = None
            self._watch_outputs()

    def _from_client(self, client: Client, kind: int, payload: bytes) -> None:
        if kind == frames.STDIN:
            self._type(client, payload)
        elif kind == frames.EOF:
            self._end_stdin()
        elif kind == frames.SIGNAL and len(payload) == 1:
            self._kill(payload[0])
        elif kind == frames.RESIZE and len(payload) == frames.SIZE.size:
            self.resize(*frames.SIZE.unpack(payload))

    def _end_stdin(self) -> None:
        """The end of a client's input is the end of the program's, unless that is for all who come."""
        if self._stdin_once:
            self._stdin_ends = True
            self._write_stdin()

    def _type(self, client: Client, data: bytes) -> None:
        if self._stdin_fd < 0 or self._stdin_ends:
            return
        self._stdin += data
        self._write_stdin()
        if len(self._stdin) > STDIN_BACKLOG_BYTES:
            client.read(False)

    def _write_stdin(self) -> None:
        fd = self._stdin_fd
        if fd < 0:
            return
        while self._stdin:
            try:
                written = os.write(fd, self._stdin[:READ_BYTES])
            except BlockingIOError:
                break
            except OSError:  # EPIPE, EIO: nobody will read this any more
                self._stdin.clear()
                self._stdin_ends = True
                break
            del self._stdin[:written]
        if len(self._stdin) <= STDIN_BACKLOG_BYTES:
            for client in self.clients:
                client.read(True)
        if fd in self._outputs:
            self._watch_output(fd)
        elif self._stdin:
            self._loop.watch(fd, WRITE, lambda _events: self._write_stdin())
        else:
            self._loop.unwatch(fd)
            if self._stdin_ends and not self.tty:
                os.close(fd)
                self._stdin_fd = -1
