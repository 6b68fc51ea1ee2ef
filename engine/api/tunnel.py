"""A connection that has left HTTP: raw bytes both ways, with flow control and half-close.

It opens when the client has taken the head of the answer. Some clients (docker-py among them) go on below the buffer
that they read the head through, and lose what came in one piece with it; so nothing follows the head before it is read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from .peer import has_taken_all

if TYPE_CHECKING:

    class Traveller(Protocol):
        """Whoever uses the tunnel; all calls come on the loop."""

        def received(self, data: bytes) -> None: ...
        def received_end(self) -> None: ...
        def writable(self) -> None: ...
        def lost(self) -> None: ...


HEAD_CHECK_S = 0.0003
HEAD_WAIT_S = 10.0
"""A client that does not even read the head for so long gets the rest behind it as it comes."""
NETWORK_PAUSE_S = 0.03
"""Over TCP nobody tells when the client has read; this is ample on the way to a program that waits for it."""


class Tunnel:
    """`traveller` is set once; what arrived before waits in `early`."""

    def __init__(self, transport: asyncio.Transport, early: bytes) -> None:
        self.paused = True
        self.closed = False
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._traveller: Traveller | None = None
        self._early = bytearray(early)
        self._held = bytearray()
        self._opened = False
        self._full = False
        self._closing = False
        self._end_came = False
        self._writable = asyncio.Event()
        self._gone = asyncio.Event()
        self._begun = self._loop.time()
        self._loop.call_soon(self._check_head)

    def carry(self, traveller: Traveller) -> None:
        """Hand over what has come, and from now on everything."""
        self._traveller = traveller
        if self._early:
            traveller.received(bytes(self._early))
            self._early.clear()
        if self._end_came:
            traveller.received_end()
        if self.closed:
            traveller.lost()

    def write(self, data: bytes) -> None:
        if self.closed or self._closing:
            return
        if self._opened:
            self._transport.write(self._encode(data))
        else:
            self._held += data

    async def drained(self) -> None:
        """Wait until the client has taken most of what was written."""
        await self._writable.wait()
        if self.closed:
            raise ConnectionResetError("the client is gone")

    def read(self, wanted: bool) -> None:
        """Stop or go on taking the client's bytes."""
        if self.closed:
            return
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def close(self) -> None:
        """Close once everything written is out."""
        if self.closed or self._closing:
            return
        self._closing = True
        if self._opened:
            self._leave()

    async def gone(self) -> None:
        """Wait until the connection has ended, whichever side ended it."""
        await self._gone.wait()

    # what the connection tells

    def data(self, data: bytes) -> None:
        if self._traveller:
            self._traveller.received(data)
        else:
            self._early += data

    def end(self) -> None:
        self._end_came = True
        if self._traveller:
            self._traveller.received_end()

    def pause(self) -> None:
        self._full = True
        self._flow()

    def resume(self) -> None:
        self._full = False
        self._flow()

    def lose(self) -> None:
        self.closed = True
        self._writable.set()
        self._gone.set()
        if self._traveller:
            self._traveller.lost()

    # how bytes look on the wire: as they are; a WebSocket has frames

    def _encode(self, data: bytes) -> bytes:
        return data

    def _leave(self) -> None:
        self._transport.close()

    def _check_head(self) -> None:
        if self.closed:
            return
        waited_s = self._loop.time() - self._begun
        taken = has_taken_all(self._transport)
        if taken is None:
            taken = waited_s > NETWORK_PAUSE_S
        if taken or waited_s > HEAD_WAIT_S:
            self._open()
        else:
            # often at first, as most are waiting for it; seldom for who is busy
            self._loop.call_later(max(HEAD_CHECK_S, waited_s / 4), self._check_head)

    def _open(self) -> None:
        self._opened = True
        if self._held:
            self._transport.write(self._encode(bytes(self._held)))
            self._held.clear()
        if self._closing:
            self._leave()
        else:
            self._flow()

    def _flow(self) -> None:
        self.paused = self._full or not self._opened
        if self.paused:
            self._writable.clear()
            return
        self._writable.set()
        if self._traveller:
            self._traveller.writable()
