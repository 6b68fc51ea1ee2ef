"""Keys one after the other: a key is given out when all that the one before it has changed is in force.

Textual hands a key to the focused widget at once, and looks for its binding only when it has come back up through
every parent. Whoever types `/` and a word fast would so have the word's letters taken as keys of the list. Here the
next key waits until the one before has come to its end, and the change of focus that it asked for has been made.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual import events
    from textual.app import App
    from textual.message_pump import MessagePump

PATIENCE_S = 0.5
"""How long a key waits at most for one whose widget went away with it."""


class KeyOrder:
    """The keys of one app, in order. `deliver` is what the app would do with a key. Event loop only."""

    def __init__(self, app: App[None], deliver: Callable[[events.Event], Awaitable[None]]) -> None:
        self._app = app
        self._deliver = deliver
        self._waiting: deque[events.Key] = deque()
        self._under_way: events.Key | None = None
        self._since_s = 0.0

    async def give(self, key: events.Key) -> None:
        """Deliver the key, now or after those before it."""
        if self._under_way is not None:
            self._waiting.append(key)
            if len(self._waiting) == 1:
                self._app.set_timer(PATIENCE_S, self._give_up_waiting)
            return
        self._under_way = key
        self._since_s = time.monotonic()
        receiver: MessagePump = self._app.focused or self._app.screen
        await self._deliver(key)
        if key.is_forwarded:
            self._follow(key, receiver)
        else:
            self._settle(key)

    def _follow(self, key: events.Key, node: MessagePump) -> None:
        """Be told when `node` has dealt with the key. What a parent gets of it is in its queue by then."""
        if not node.call_later(self._passed, key, node):
            self._passed(key, node)

    def _passed(self, key: events.Key, node: MessagePump) -> None:
        parent = node._parent
        # A screen stops what the app itself has sent, after giving it to the app all the same.
        stopped = key._stop_propagation and parent is not self._app
        if stopped or node is self._app or parent is None:
            self._settle(key)
        else:
            self._follow(key, parent)

    def _settle(self, key: events.Key) -> None:
        """A change of focus is a message to the app: it is made before this one comes round."""
        self._app.call_later(self._next, key)

    async def _next(self, key: events.Key) -> None:
        if key is not self._under_way:
            return
        self._under_way = None
        if self._waiting:
            await self.give(self._waiting.popleft())

    async def _give_up_waiting(self) -> None:
        """The key under way has got lost: its widget was removed before it was reached."""
        if self._under_way is None:
            return
        if time.monotonic() - self._since_s >= PATIENCE_S:
            await self._next(self._under_way)
        if self._waiting:
            self._app.set_timer(PATIENCE_S, self._give_up_waiting)
