"""Questions over TCP: what had no room in a datagram. Bounded in connections, bytes and time."""

from __future__ import annotations

import struct
import time

from .dns_message import MalformedError
from .loop import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from .loop import Loop

    Reply = Callable[[bytes], None]

MOST_STREAMS = 32
IDLE_S = 10.0
_UNSENT_BYTES = 1 << 18
_ROOM_BYTES = 65535


class Streams:
    """The connections of one name service. `answer(question, room, reply)` is called for each question."""

    def __init__(self, loop: Loop, listener: socket.socket, answer: Callable[[bytes, int, Reply], None]) -> None:
        self._loop = loop
        self._listener = listener
        self.answer = answer
        self.open: set[_Stream] = set()
        listener.setblocking(False)
        loop.watch(listener.fileno(), READ, lambda _events: self._accept())

    def close(self) -> None:
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        for stream in tuple(self.open):
            stream.close()

    def _accept(self) -> None:
        try:
            connection, _address = self._listener.accept()
        except OSError:
            return
        if len(self.open) >= MOST_STREAMS:
            connection.close()
            return
        self.open.add(_Stream(self._loop, connection, self))


class _Stream:
    def __init__(self, loop: Loop, connection: socket.socket, streams: Streams) -> None:
        self._loop = loop
        self._connection = connection
        self._streams = streams
        self._arrived = bytearray()
        self._out = b""
        self._closed = False
        connection.setblocking(False)
        loop.watch(connection.fileno(), READ, self._ready)
        self._used_s = time.monotonic()
        self._timer = loop.later(IDLE_S, self._check)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._timer.cancel()
        self._loop.unwatch(self._connection.fileno())
        self._connection.close()
        self._streams.open.discard(self)

    def _check(self) -> None:
        left_s = self._used_s + IDLE_S - time.monotonic()
        if left_s <= 0:
            self.close()
        else:
            self._timer = self._loop.later(left_s, self._check)

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if self._closed or not events & ~WRITE:
            return
        try:
            data = self._connection.recv(1 << 14)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._arrived += data
        while not self._closed and len(self._arrived) >= 2:
            length = int.from_bytes(self._arrived[:2], "big")
            if len(self._arrived) < 2 + length:
                return
            question = bytes(self._arrived[2 : 2 + length])
            del self._arrived[: 2 + length]
            try:
                self._streams.answer(question, _ROOM_BYTES, self._reply)
            except MalformedError as error:
                if error.answer is None:
                    self.close()
                else:
                    self._reply(error.answer)

    def _reply(self, message: bytes) -> None:
        """Called as soon as the answer is known, which may be after the asker has left."""
        if self._closed:
            return
        self._used_s = time.monotonic()
        self._out += struct.pack(">H", len(message)) + message
        if len(self._out) > _UNSENT_BYTES:
            self.close()
            return
        self._flush()

    def _flush(self) -> None:
        try:
            self._out = self._out[self._connection.send(self._out) :]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self._loop.watch(self._connection.fileno(), READ | (WRITE if self._out else 0), self._ready)
