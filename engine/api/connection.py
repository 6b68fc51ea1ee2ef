"""One client: bytes in and out over an asyncio transport, until either side ends it.

Memory per client is bounded: what it sends ahead has limits (`exchange.py`), and what it does not read stops the
producer. The end of a client's own sending is no end of its reading (half-close), so the kernel is asked whether the
peer is still there at all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from .exchange import Exchange
from .peer import is_gone

if TYPE_CHECKING:
    from .service import Service
    from .tunnel import Tunnel

HIGH_WATER_BYTES = 128 << 10
PEER_CHECK_S = 0.5


class Connection(asyncio.Protocol):
    """Made for each accepted client; all of it runs on the loop. `tunnel`: set when the client has left HTTP."""

    def __init__(self, service: Service) -> None:
        self.tunnel: Tunnel | None = None
        self.half_closed = False
        self.lost = False
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._exchange = Exchange(service, self)
        self._writable = asyncio.Event()
        self._writable.set()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER_BYTES)
        self._service.joined(self)

    def data_received(self, data: bytes) -> None:
        if self.tunnel:
            self.tunnel.data(data)
        else:
            self._exchange.receive(data)

    def eof_received(self) -> bool:
        self.half_closed = True
        if is_gone(self.transport):
            return False
        if self.tunnel:
            self.tunnel.end()
        else:
            self._exchange.receive_end()
        self._watch_peer()
        return True

    def pause_writing(self) -> None:
        self._writable.clear()
        if self.tunnel:
            self.tunnel.pause()

    def resume_writing(self) -> None:
        self._writable.set()
        if self.tunnel:
            self.tunnel.resume()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self._writable.set()
        if self.tunnel:
            self.tunnel.lose()
        self._exchange.lose()
        self._service.left(self)

    # the exchange's side

    @property
    def writable(self) -> bool:
        return self._writable.is_set()

    def write(self, data: bytes) -> None:
        if not self.lost:
            self.transport.write(data)

    async def drained(self) -> None:
        await self._writable.wait()
        if self.lost:
            raise asyncio.CancelledError

    def read(self, wanted: bool) -> None:
        """Stop or go on taking the client's bytes."""
        if self.lost or self.tunnel:
            return
        if wanted:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def close(self) -> None:
        """Close once everything written is out."""
        self.transport.close()

    def abort(self) -> None:
        """End it now."""
        self.transport.abort()

    def _watch_peer(self) -> None:
        if self.lost:
            return
        if is_gone(self.transport):
            self.transport.abort()
            return
        self._loop.call_later(PEER_CHECK_S, self._watch_peer)
