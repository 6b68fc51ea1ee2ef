"""The shim's event loop: descriptors by epoll, and timers; one thread, no more.

asyncio would do it with 40 ms of imports and 3 MB more in each shim.
"""

from __future__ import annotations

import heapq
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT


class Timer:
    """A call to come; `cancel` forgets it."""

    def __init__(self, when_s: float, action: Callable[[], None]) -> None:
        self.when_s = when_s
        self.action: Callable[[], None] | None = action

    def __lt__(self, other: Timer) -> bool:
        return self.when_s < other.when_s

    def cancel(self) -> None:
        self.action = None


class Loop:
    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._timers: list[Timer] = []

    def watch(self, fd: int, mask: int, handler: Callable[[int], None]) -> None:
        """Call `handler(events)` whenever the descriptor is ready; hang-ups are always told."""
        if fd in self._handlers:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)
        self._handlers[fd] = handler

    def unwatch(self, fd: int) -> None:
        """Stop watching; call it before the descriptor is closed."""
        if self._handlers.pop(fd, None):
            self._epoll.unregister(fd)

    def later(self, delay_s: float, action: Callable[[], None]) -> Timer:
        """Call once, after a delay."""
        timer = Timer(time.monotonic() + delay_s, action)
        heapq.heappush(self._timers, timer)
        return timer

    def run(self, finished: Callable[[], bool]) -> None:
        """Serve until `finished()`, which is asked after each round."""
        while not finished():
            for fd, events in self._epoll.poll(self._wait_s()):
                handler = self._handlers.get(fd)
                if handler:
                    handler(events)
            self._fire()

    def close(self) -> None:
        self._epoll.close()

    def _wait_s(self) -> float:
        while self._timers and self._timers[0].action is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return -1
        return max(0.0, self._timers[0].when_s - time.monotonic())

    def _fire(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0].when_s <= now:
            action = heapq.heappop(self._timers).action
            if action:
                action()
