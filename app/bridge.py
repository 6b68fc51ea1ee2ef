"""The one way between the event loop and the engine.

Engine calls block, so they run in threads of this module's own pool (`call`) and nowhere else; log followers have
threads of their own, since they wait for as long as a container lives. Events arrive by descriptor: the
subscription rings, is read once however often it rang, and what it touched is fetched again: the model follows
events, it never polls. Only the counters of running containers are sampled, once a second.

This is a border: an exception that the engine did not mean for people is logged here with its traceback and
turned into one line.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from textual.message import Message

from engine.errors import ContainerNotFound, EngineError

from .model import take_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from textual.message_pump import MessagePump

    from engine.engine import Engine
    from engine.events import Subscription
    from engine.models import Event, LogLine

    from .model import Model

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

_THREADS = 8
_BATCH_S = 0.03
_FLOOD = 300
"""So many events at once, and everything is read again instead of object by object."""


class Changed(Message):
    """Objects of these kinds changed: container, image, network, volume."""

    def __init__(self, kinds: frozenset[str], events: list[Event]) -> None:
        super().__init__()
        self.kinds = kinds
        self.events = events


class Sampled(Message):
    """The model has new samples."""


class Bridge:
    """Owns the threads and the subscription. `start` and everything else is called on the event loop."""

    def __init__(self, engine: Engine, model: Model) -> None:
        self.engine = engine
        self.model = model
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="engine")
        self._target: MessagePump | None = None
        self._subscription: Subscription | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._pumping = False
        self._rang = False
        self._sampling = False
        self._closed = False

    def start(self, target: MessagePump, *, last_event: int | None = None) -> None:
        """Listen to events and post what changed to `target`. Changes after `last_event` are fetched at once."""
        self._target = target
        self._subscription = self.engine.events.subscribe()
        asyncio.get_running_loop().add_reader(self._subscription.fileno(), self._ring)
        if last_event is not None:
            self.spawn(self._catch_up(last_event))

    def close(self) -> None:
        """Stop listening; threads that still wait for the engine are left behind."""
        if self._closed:
            return
        self._closed = True
        if self._subscription is not None:
            asyncio.get_running_loop().remove_reader(self._subscription.fileno())
            self._subscription.close()
        for task in self._tasks:
            task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run an engine call in a thread. Raises EngineError only."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, partial(function, *args, **kwargs))
        except EngineError:
            raise
        except Exception as error:
            log.exception("%s failed", getattr(function, "__qualname__", function))
            text = str(error) or type(error).__name__
            raise EngineError(f"unexpected: {text}", hint="the log file has the details") from error

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run a coroutine of the dashboard's own, kept until it ends; its failure is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def resync(self) -> None:
        """Read everything again."""
        snapshot = await self.call(take_snapshot, self.engine)
        self.model.load(snapshot)
        self._post(Changed(frozenset({"container", "image", "network", "volume"}), []))

    async def sample(self) -> None:
        """Sample the running containers unless the last sampling still runs."""
        if self._sampling or self._closed:
            return
        self._sampling = True
        try:
            self.model.sample(await self.call(self.engine.containers.samples))
        except EngineError as error:
            log.warning("no samples: %s", error.message)
        finally:
            self._sampling = False
        self._post(Sampled())

    def follow_log(
        self, container_id: str, tail: int, deliver: Callable[[list[LogLine]], None], *, follow: bool = True
    ) -> Callable[[], None]:
        """Deliver a container's log in batches on the event loop, until it ends or the returned function is called."""
        return _LogFollower(self.engine, container_id, tail, deliver, follow).start()

    def _ring(self) -> None:
        self._rang = True
        if not self._pumping:
            self._pumping = True
            self.spawn(self._pump())

    async def _pump(self) -> None:
        try:
            while self._rang and self._subscription is not None and not self._closed:
                self._rang = False
                await self._take(await self.call(self._subscription.read))
        finally:
            self._pumping = False

    async def _catch_up(self, last_event: int) -> None:
        missed = await self.call(self.engine.events.since, last_event)
        known = self.model.events[-1].id if self.model.events else 0
        await self._take([event for event in missed if event.id > known])

    async def _take(self, events: list[Event]) -> None:
        known = self.model.events[-1].id if self.model.events else 0
        events = [event for event in events if event.id > known]
        if not events:
            return
        self.model.events.extend(events)
        kinds = frozenset(event.type for event in events)
        try:
            if len(events) > _FLOOD:
                await self.resync()
            else:
                await self._fetch(kinds, events)
        except EngineError as error:
            log.warning("cannot read what changed: %s", error.message)
        self._post(Changed(kinds, events))

    async def _fetch(self, kinds: frozenset[str], events: list[Event]) -> None:
        engine = self.engine
        touched = {event.actor for event in events if event.type == "container"}
        for container_id in touched:
            try:
                self.model.put(await self.call(engine.containers.get, container_id))
            except ContainerNotFound:
                self.model.drop(container_id)
        if "image" in kinds:
            self.model.images = await self.call(engine.images.list)
        if "network" in kinds:
            self.model.networks = await self.call(engine.networks.list)
        if "volume" in kinds:
            self.model.volumes = await self.call(engine.volumes.list)

    def _post(self, message: Message) -> None:
        if self._target is not None and not self._closed:
            self._target.post_message(message)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background work failed", exc_info=error)


class _LogFollower:
    """A thread that reads a log and hands it over in batches, never further ahead than the loop can take."""

    BATCH = 2000

    def __init__(
        self,
        engine: Engine,
        container_id: str,
        tail: int,
        deliver: Callable[[list[LogLine]], None],
        follow: bool,
    ) -> None:
        self._engine = engine
        self._id = container_id
        self._tail = tail
        self._deliver = deliver
        self._follow = follow
        self._loop = asyncio.get_running_loop()
        # Textual finds its app by a context variable, which a callback set from a thread would not have.
        self._context = contextvars.copy_context()
        self._stopped = threading.Event()
        self._room = threading.Event()
        self._room.set()
        self._lock = threading.Lock()
        self._lines: list[LogLine] = []

    def start(self) -> Callable[[], None]:
        threading.Thread(target=self._run, name=f"log-{self._id[:12]}", daemon=True).start()
        return self.stop

    def stop(self) -> None:
        self._stopped.set()
        self._room.set()

    def _run(self) -> None:
        try:
            self._read(
                self._engine.containers.logs(
                    self._id, follow=self._follow, tail=self._tail, cancelled=self._stopped.is_set
                )
            )
        except EngineError as error:
            log.info("log of %s ended: %s", self._id[:12], error.message)
        except Exception:
            log.exception("log of %s failed", self._id[:12])

    def _read(self, lines: Iterable[LogLine]) -> None:
        for line in lines:
            if self._stopped.is_set():
                return
            with self._lock:
                self._lines.append(line)
                first, full = len(self._lines) == 1, len(self._lines) >= self.BATCH
                if full:
                    self._room.clear()
            if first:
                self._wake()
            if full:
                self._room.wait()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._later, context=self._context)
        except RuntimeError:  # the loop is closed: the program is leaving
            self._stopped.set()

    def _later(self) -> None:
        self._loop.call_later(_BATCH_S, self._hand_over)

    def _hand_over(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
        self._room.set()
        if lines and not self._stopped.is_set():
            self._deliver(lines)
