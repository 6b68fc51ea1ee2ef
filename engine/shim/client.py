"""One connection to the shim: whole frames in, a bounded queue of frames out."""

from __future__ import annotations

import socket
import struct
from collections import deque

from .frames import Decoder, ProtocolError, frame, json_frame
from .loop import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .loop import Loop

BACKLOG_BYTES = 1 << 20
"""More than this unsent, and the client counts as slow."""
_RECEIVE_BYTES = 1 << 16
_CREDENTIALS = struct.Struct("iII")


class Client:
    """Handlers are set by whoever owns the connection at the moment; all run on the loop."""

    def __init__(self, loop: Loop, connection: socket.socket) -> None:
        self.on_frame: Callable[[Client, int, bytes], None] = lambda _client, _kind, _payload: None
        self.on_close: list[Callable[[Client], None]] = []
        self.on_drained: Callable[[Client], None] = lambda _client: None
        self.closed = False
        self._loop = loop
        self._connection = connection
        self._decoder = Decoder()
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._was_slow = False
        self._reading = True
        self._closing = False
        connection.setblocking(False)
        loop.watch(connection.fileno(), READ, self._ready)

    @property
    def slow(self) -> bool:
        return self._queued_bytes > BACKLOG_BYTES

    def peer(self) -> tuple[int, int]:
        """The pid (as seen from here) and uid of the process that connected."""
        credentials = self._connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, uid, _gid = _CREDENTIALS.unpack(credentials)
        return pid, uid

    def send(self, kind: int, payload: bytes = b"") -> None:
        """Queue a frame; sends at once what the socket takes."""
        self._push(frame(kind, payload))

    def send_json(self, kind: int, data: dict[str, Any]) -> None:
        self._push(json_frame(kind, data))

    def forget_queue(self) -> None:
        """Drop what is unsent, but for the frame that is under way."""
        while len(self._queue) > 1:
            self._queued_bytes -= len(self._queue.pop())

    def read(self, wanted: bool) -> None:
        """Stop or go on taking frames from this client (back-pressure on its standard input)."""
        if wanted != self._reading and not self.closed:
            self._reading = wanted
            self._rewatch()

    def close_when_sent(self) -> None:
        """Close as soon as everything queued is out."""
        self._closing = True
        if not self._queue:
            self.close()

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._loop.unwatch(self._connection.fileno())
        self._connection.close()
        self._queue.clear()
        for tell in self.on_close:
            tell(self)

    def _push(self, data: bytes) -> None:
        if self.closed:
            return
        self._queue.append(data)
        self._queued_bytes += len(data)
        self._was_slow = self._was_slow or self.slow
        if len(self._queue) == 1:
            self._flush()

    def _flush(self) -> None:
        while self._queue:
            try:
                sent = self._connection.send(self._queue[0])
            except BlockingIOError:
                break
            except OSError:
                self.close()
                return
            self._queued_bytes -= sent
            if sent < len(self._queue[0]):
                self._queue[0] = self._queue[0][sent:]
            else:
                self._queue.popleft()
        self._rewatch()
        if self._was_slow and not self._queue:
            self._was_slow = False
            self.on_drained(self)
        if self._closing and not self._queue:
            self.close()

    def _rewatch(self) -> None:
        mask = (READ if self._reading else 0) | (WRITE if self._queue else 0)
        self._loop.watch(self._connection.fileno(), mask, self._ready)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if self.closed or not events & ~WRITE:
            return
        try:
            data = self._connection.recv(_RECEIVE_BYTES)
            arrived = self._decoder.feed(data)
        except BlockingIOError:
            return
        except (OSError, ProtocolError):
            self.close()
            return
        if not data:
            self.close()
            return
        for kind, payload in arrived:
            if not self.closed:
                self.on_frame(self, kind, payload)
