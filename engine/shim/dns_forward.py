"""Passes a question on to real resolvers, without ever waiting for one.

Each try has a socket of its own, and with it a random port: nobody who cannot read the traffic can answer in the
resolver's place (RFC 5452). A resolver that is silent or refuses makes way for the next; when none is left the
asker is told so, in less time than its own patience.
"""

from __future__ import annotations

import os
import socket
import struct

from ..networks.namespace import InNetwork
from .dns_message import SERVER_FAILURE, answers, code_of
from .loop import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Loop, Timer

TRY_S = 1.2
TRIES = 3
PORT = 53
_REFUSED = 5
_RESOLV_CONF = "/etc/resolv.conf"


class Exchange:
    """One question on its way. `done` gets the reply, with the asker's own id, or None."""

    def __init__(
        self,
        loop: Loop,
        question: bytes,
        servers: list[str],
        done: Callable[[bytes | None], None],
        *,
        stream: bool,
        namespace_pid: int = 0,
    ) -> None:
        """`namespace_pid`: ask from that process's network, else from ours. `stream`: over TCP."""
        self._loop = loop
        self._question = question
        self._done = done
        self._stream = stream
        self._namespace_pid = namespace_pid
        # Even a lone resolver is asked twice: datagrams get lost.
        self._servers = (servers * 2 if len(servers) == 1 else servers)[:TRIES]
        self._socket: socket.socket | None = None
        self._timer: Timer | None = None
        self._sent = b""
        self._out = b""
        self._arrived = bytearray()
        self._last: bytes | None = None

    def start(self) -> None:
        """Begin; `done` may be called at once."""
        self._next()

    def cancel(self) -> None:
        """Forget it; `done` is not called."""
        self._close()

    def _next(self) -> None:
        self._close()
        if not self._servers:
            self._done(self._last)
            return
        server = self._servers.pop(0)
        self._sent = os.urandom(2) + self._question[2:]
        self._out = struct.pack(">H", len(self._sent)) + self._sent if self._stream else self._sent
        self._arrived.clear()
        self._timer = self._loop.later(TRY_S, self._next)
        try:
            opened = self._open(server)
            self._socket = opened
            try:
                opened.connect((server, PORT))
            except BlockingIOError:
                pass
        except OSError:
            # Not from here: deeper calls would follow if every server failed at once.
            self._timer.cancel()
            self._timer = self._loop.later(0, self._next)
            return
        self._loop.watch(opened.fileno(), WRITE, self._ready)

    def _open(self, server: str) -> socket.socket:
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        kind = (socket.SOCK_STREAM if self._stream else socket.SOCK_DGRAM) | socket.SOCK_NONBLOCK
        if self._namespace_pid:
            with InNetwork(self._namespace_pid):
                return socket.socket(family, kind | socket.SOCK_CLOEXEC)
        return socket.socket(family, kind | socket.SOCK_CLOEXEC)

    def _ready(self, events: int) -> None:
        assert self._socket is not None
        try:
            if self._out:
                self._out = self._out[self._socket.send(self._out) :]
                if not self._out:
                    self._loop.watch(self._socket.fileno(), READ, self._ready)
                return
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:  # refused, unreachable, reset
            self._next()
            return
        if self._stream:
            if not data:
                self._next()
                return
            self._arrived += data
            if len(self._arrived) < 2:
                return
            length = int.from_bytes(self._arrived[:2], "big")
            if len(self._arrived) < 2 + length:
                return
            data = bytes(self._arrived[2 : 2 + length])
        if not answers(data, self._sent):
            if self._stream:
                self._next()
            return  # not from who was asked: the true reply may yet come
        reply = self._question[:2] + data[2:]
        if code_of(reply) in (SERVER_FAILURE, _REFUSED):
            self._last = reply
            self._next()
            return
        self._close()
        self._done(reply)

    def _close(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._socket:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None


class HostResolvers:
    """The resolvers of this machine, read again when their file has changed."""

    def __init__(self, path: str = _RESOLV_CONF) -> None:
        self._path = path
        self._seen: tuple[int, int] = (0, 0)
        self._servers: list[str] = []

    def servers(self) -> list[str]:
        try:
            status = os.stat(self._path)
            seen = (status.st_mtime_ns, status.st_ino)
            if seen != self._seen:
                with open(self._path, encoding="utf-8", errors="replace") as file:
                    lines = [line.split() for line in file.read(1 << 16).splitlines()]
                self._servers = [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]
                self._seen = seen
        except OSError:
            self._servers = []
        return [*self._servers]
