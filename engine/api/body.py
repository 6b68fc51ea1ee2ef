"""The body of a request that is read while it comes: from the loop, which must not wait, to a thread, which may.

So many bytes are kept and no more; a client that is faster than its reader is not read from meanwhile.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from typing import TYPE_CHECKING

from ..errors import EngineError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

KEPT_BYTES = 1 << 20
STALLED_S = 300.0


class BodyFeed(io.RawIOBase):
    """A file for one thread. `_space` guards `_pieces`, `_kept`, `_ended` and `_broken`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, flow: Callable[[bool], None]) -> None:
        """`flow(False)` on the loop: take no more from the client for now."""
        super().__init__()
        self._loop = loop
        self._flow = flow
        self._space = threading.Condition()
        self._pieces: deque[memoryview] = deque()
        self._kept = 0
        self._ended = False
        self._broken = ""

    # the loop's side

    def put(self, data: bytes) -> None:
        with self._space:
            self._pieces.append(memoryview(data))
            self._kept += len(data)
            full = self._kept > KEPT_BYTES
            self._space.notify()
        if full:
            self._flow(False)

    def end(self) -> None:
        with self._space:
            self._ended = True
            self._space.notify()

    def fail(self, why: str) -> None:
        """What comes is not all of it."""
        with self._space:
            self._broken = self._broken or why
            self._space.notify()

    # the thread's side

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Raises `EngineError` when the client is gone before its end, or has stalled."""
        target = memoryview(buffer).cast("B")
        with self._space:
            told = self._space.wait_for(lambda: self._pieces or self._ended or self._broken, STALLED_S)
            if self._broken or not told:
                raise EngineError(self._broken or f"request body stalled for {STALLED_S:.0f} s")
            if not self._pieces:
                return 0
            piece = self._pieces[0]
            size = min(len(piece), len(target))
            target[:size] = piece[:size]
            if size == len(piece):
                self._pieces.popleft()
            else:
                self._pieces[0] = piece[size:]
            was_full = self._kept > KEPT_BYTES
            self._kept -= size
            has_room = was_full and self._kept <= KEPT_BYTES
        if has_room:
            try:
                self._loop.call_soon_threadsafe(self._flow, True)
            except RuntimeError:  # the loop is closed, the server has ended
                pass
        return size
