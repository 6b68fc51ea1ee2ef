"""A connection that has left HTTP: raw bytes both ways, with flow control and half-close."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:

    class Traveller(Protocol):
        """Whoever uses the tunnel; all calls come on the loop."""

        def received(self, data: bytes) -> None: ...
        def received_end(self) -> None: ...
        def writable(self) -> None: ...
        def lost(self) -> None: ...


class Tunnel:
    """`traveller` is set once; what arrived before waits in `early`."""

    def __init__(self, transport: asyncio.Transport, early: bytes) -> None:
        self.paused = False
        self.closed = False
        self._transport = transport
        self._traveller: Traveller | None = None
        self._early = bytearray(early)
        self._end_came = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = asyncio.Event()

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
        if not self.closed:
            self._transport.write(data)

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
        if not self.closed:
            self._transport.close()

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
        self.paused = True
        self._writable.clear()

    def resume(self) -> None:
        self.paused = False
        self._writable.set()
        if self._traveller:
            self._traveller.writable()

    def lose(self) -> None:
        self.closed = True
        self._writable.set()
        self._gone.set()
        if self._traveller:
            self._traveller.lost()
