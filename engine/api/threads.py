"""The one way from the event loop to the engine, whose calls block.

Two pools, so that a hundred `wait`s and log followers never hold up a list: short calls share a few threads, and what
may take long (a stop, a pull, a follower) has its own. A call that has begun is carried through even when the client
that asked for it goes away.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

P = ParamSpec("P")
T = TypeVar("T")

SHORT_THREADS = 16
LONG_THREADS = 512
QUEUED_ITEMS = 1024
"""So many items of a stream may wait for their client; then the producer does."""


class Threads:
    """Runs blocking calls for coroutines of the loop that it was made on."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._short = ThreadPoolExecutor(SHORT_THREADS, "api")
        self._long = ThreadPoolExecutor(LONG_THREADS, "api-long")

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that takes milliseconds."""
        return await self._run(self._short, partial(function, *args, **kwargs))

    async def call_long(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a call that may wait for a container, a registry or a disk."""
        return await self._run(self._long, partial(function, *args, **kwargs))

    async def stream(
        self, produce: Callable[[Callable[[], bool]], Iterable[T]], kept: int = QUEUED_ITEMS
    ) -> AsyncIterator[list[T]]:
        """The items of a blocking iterable, as many at a time as have come.

        `produce` is given a `cancelled()` that turns true when the consumer is gone. A consumer that lags by `kept`
        items stops the producer. An exception of the producer is raised here, after the items before it.
        """
        handoff: _Handoff[T] = _Handoff(self._loop, kept)
        self._long.submit(handoff.run, produce)
        try:
            while True:
                items = await handoff.take()
                if items:
                    yield items
                elif handoff.error:
                    raise handoff.error
                else:
                    return
        finally:
            handoff.cancel()

    def close(self) -> None:
        """Begin nothing more; what runs is not waited for."""
        self._short.shutdown(wait=False, cancel_futures=True)
        self._long.shutdown(wait=False, cancel_futures=True)

    async def _run(self, pool: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        future = self._loop.run_in_executor(pool, function)
        # nobody may be left to take the outcome
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(future)


class _Handoff(Generic[T]):
    """Items from one thread to the loop. `_items`, `_ended` and `_cancelled` are guarded by `_space`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, kept: int) -> None:
        self._kept = kept
        self.error: Exception | None = None
        self._loop = loop
        self._space = threading.Condition()
        self._items: deque[T] = deque()
        self._ended = False
        self._cancelled = False
        self._news = asyncio.Event()

    def run(self, produce: Callable[[Callable[[], bool]], Iterable[T]]) -> None:
        """In the thread: to the end, or until cancelled."""
        try:
            for item in produce(self.cancelled):
                with self._space:
                    self._space.wait_for(lambda: self._cancelled or len(self._items) < self._kept)
                    if self._cancelled:
                        return
                    self._items.append(item)
                    first = len(self._items) == 1
                if first:
                    self._tell()
        except Exception as error:
            self.error = error
        finally:
            with self._space:
                self._ended = True
            self._tell()

    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        with self._space:
            self._cancelled = True
            self._space.notify_all()

    async def take(self) -> list[T]:
        """All that has come, waiting for something; empty after the end."""
        while True:
            self._news.clear()
            with self._space:
                items = list(self._items)
                self._items.clear()
                self._space.notify_all()
                if items or self._ended:
                    return items
            await self._news.wait()

    def _tell(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:  # the loop is closed, the server has ended
            pass
