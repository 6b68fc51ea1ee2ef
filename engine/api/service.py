"""What all requests of a server share: the engine, its threads, its events, and what clients hold between requests."""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import TYPE_CHECKING

from ..containers import reconcile
from .execs import ExecBook
from .held import HeldAttaches
from .router import API_VERSION, Router, text_of
from .routes import ROUTES
from .threads import Threads
from .watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from ..engine import Engine
    from .connection import Connection

CLIENTS = 2000
SETTLE_S = 5.0
"""How often a shim that was killed is looked for, whose clients would otherwise wait for ever."""


class Service:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.threads = Threads()
        self.watcher = Watcher(engine, self.threads)
        self.execs = ExecBook(self.watcher)
        self.held = HeldAttaches(self)
        self.router = Router(ROUTES)
        self.api_version = text_of(API_VERSION)
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    def begin(self) -> None:
        """Watch events, and settle what ends without telling."""
        self.spawn(self.watcher.run())
        self.spawn(self._settle())

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run what outlives the request that asked for it; its exception is reported unless somebody awaits it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def joined(self, connection: Connection) -> None:
        if len(self._connections) >= CLIENTS:
            connection.abort()
        self._connections.add(connection)

    def left(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def close(self) -> None:
        """End all connections and tasks; containers run on."""
        for connection in tuple(self._connections):
            connection.abort()
        for task in tuple(self._tasks):
            task.cancel()
        self.threads.close()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            from ..errors import EngineError
            from .errors import ApiError

            error = task.exception()
            if not isinstance(error, (EngineError, ApiError)):
                traceback.print_exception(error, file=sys.stderr)

    async def _settle(self) -> None:
        while True:
            await asyncio.sleep(SETTLE_S)
            if self._connections:
                await self.threads.call(reconcile.reconcile, self.engine.store, self.engine.paths)
