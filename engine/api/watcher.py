"""The engine's events for all clients of the server: one subscription, read once however many listen."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..engine import Engine
    from ..models import Event
    from .threads import Threads

FEED_EVENTS = 2000
"""A listener further behind than this reads the rest from the database instead of keeping it in memory."""


class Watcher:
    """Reads the subscription whenever it rings, and tells everyone."""

    def __init__(self, engine: Engine, threads: Threads) -> None:
        self._engine = engine
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()
        self._subscription = engine.events.subscribe()
        self._feeds: set[Feed] = set()
        self.listeners: list[Callable[[Event], None]] = []

    async def run(self) -> None:
        """Until cancelled."""
        self._loop.add_reader(self._subscription.fileno(), self._ring)
        try:
            while True:
                await self._rung.wait()
                self._rung.clear()
                news = await self._threads.call(self._subscription.read)
                self._loop.add_reader(self._subscription.fileno(), self._ring)
                for event in news:
                    for feed in tuple(self._feeds):
                        feed.add(event)
                    for listener in tuple(self.listeners):
                        listener(event)
        finally:
            self._loop.remove_reader(self._subscription.fileno())
            self._subscription.close()

    async def feed(self, wanted: Callable[[Event], bool] | None = None) -> Feed:
        """Events from now on, and none that was written before although it is read only now; `close` it."""
        feed = Feed(self, wanted)
        self._feeds.add(feed)
        try:
            feed.last_id = await self._threads.call(self._engine.events.last_id)
        except BaseException:
            feed.close()
            raise
        return feed

    def forget(self, feed: Feed) -> None:
        self._feeds.discard(feed)

    async def missed(self, event_id: int) -> list[Event]:
        return await self._threads.call(self._engine.events.since, event_id)

    def _ring(self) -> None:
        # level-triggered: silent until the thread has read
        self._loop.remove_reader(self._subscription.fileno())
        self._rung.set()


class Feed:
    """One listener's share of the stream, in order and without loss."""

    def __init__(self, watcher: Watcher, wanted: Callable[[Event], bool] | None) -> None:
        self._watcher = watcher
        self._wanted = wanted
        self._waiting: deque[Event] = deque()
        self._overflowed = False
        self.last_id = 0
        self._news = asyncio.Event()

    def add(self, event: Event) -> None:
        if self._wanted and not self._wanted(event):
            return
        if len(self._waiting) >= FEED_EVENTS:
            self._overflowed = True
            return
        self._waiting.append(event)
        self._news.set()

    async def next(self) -> Event:
        """The next event."""
        while True:
            if self._waiting:
                event = self._waiting.popleft()
            elif self._overflowed:
                await self._catch_up()
                continue
            else:
                self._news.clear()
                await self._news.wait()
                continue
            if event.id > self.last_id:
                self.last_id = event.id
                return event

    def close(self) -> None:
        self._watcher.forget(self)

    async def _catch_up(self) -> None:
        self._overflowed = False
        missed = await self._watcher.missed(self.last_id)
        # what came while the database was read may be among it
        known = {event.id: event for event in (*missed, *self._waiting) if not self._wanted or self._wanted(event)}
        ordered = [known[number] for number in sorted(known)]
        self._overflowed = self._overflowed or len(ordered) > FEED_EVENTS
        self._waiting = deque(ordered[:FEED_EVENTS])
