"""Terminal panes tied to engine sessions: bytes in, keys out, and what happens when either side ends.

Reading is by descriptor on the event loop and stops while the pane is behind, so a flood of output slows the
program in the container and not the dashboard. Sending can block (a program that does not read), so it goes through
one queue per session and the bridge's threads, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from engine.errors import EngineError

from .widgets.terminal import TerminalPane

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.containers.session import Session

    from .bridge import Bridge

log = logging.getLogger(__name__)


class SessionReader:
    """Reads a session as its descriptor becomes readable, and pauses while the pane is behind."""

    PAUSE_BYTES = 1 << 20
    RESUME_S = 0.02

    def __init__(
        self,
        session: Session,
        feed: Callable[[bytes, bool], None],
        ended: Callable[[int | None], None],
        backlog: Callable[[], int],
    ) -> None:
        self._session = session
        self._feed = feed
        self._ended = ended
        self._backlog = backlog
        self._loop = asyncio.get_running_loop()
        self._fd = session.fileno()
        self._reading = False
        self._over = False

    def start(self) -> None:
        """Begin, or go on after a pause."""
        if not self._over and not self._reading:
            self._reading = True
            self._loop.add_reader(self._fd, self._readable)
            # Frames that came with the answer to the request are already decoded: no readiness tells of them.
            self._loop.call_soon(self._readable)

    def stop(self) -> None:
        """Read no more; the session stays open."""
        self._over = True
        self._pause()

    def _pause(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def _readable(self) -> None:
        if not self._reading:
            return
        try:
            frames = self._session.read_available()
        except (EngineError, OSError) as error:
            log.info("session ended: %s", error)
            self.stop()
            self._ended(None)
            return
        for frame in frames:
            if frame.kind in ("exit", "closed"):
                self.stop()
                self._ended(frame.code if frame.kind == "exit" else None)
                return
            self._feed(frame.data, frame.kind == "replay")
        if self._backlog() > self.PAUSE_BYTES:
            self._pause()
            self._loop.call_later(self.RESUME_S, self._resume)

    def _resume(self) -> None:
        if self._over:
            return
        if self._backlog() > self.PAUSE_BYTES // 4:
            self._loop.call_later(self.RESUME_S, self._resume)
        else:
            self.start()


class TerminalLink:
    """One session and its pane. `close` detaches: the process in the container runs on."""

    def __init__(
        self, bridge: Bridge, session: Session, container_id: str, title: str, *, detach_keys: str = ""
    ) -> None:
        self.container_id = container_id
        self.session = session
        self.title = title
        self.exec_id = session.exec_id
        self.over = False
        self._bridge = bridge
        self._queue: asyncio.Queue[Callable[[], None]] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None
        self._sized = asyncio.Event()
        self.pane = TerminalPane(title, self._send, self._resize, detach_keys=detach_keys)
        self._reader = SessionReader(session, self._feed, self._ended, lambda: self.pane.backlog_bytes)

    def start(self) -> None:
        """Begin to read; the pane must be mounted."""
        self._writer = self._bridge.spawn(self._write())
        self._reader.start()

    def close(self) -> None:
        """Detach."""
        self.over = True
        self._reader.stop()
        if self._writer is not None:
            self._writer.cancel()
        self.session.close()

    async def laid_out(self, timeout_s: float) -> None:
        """Wait until the pane has a size, and with it an emulator that can encode keys."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._sized.wait(), timeout_s)

    def signal(self, number: int) -> None:
        """Send a signal to the process behind the session."""
        self._queue.put_nowait(lambda: self.session.signal(number))

    def _send(self, data: bytes) -> None:
        if not self.over:
            self._queue.put_nowait(lambda: self.session.send(data))

    def _resize(self, rows: int, columns: int) -> None:
        self._sized.set()
        if not self.over:
            self._queue.put_nowait(lambda: self.session.resize(rows, columns))

    def _feed(self, data: bytes, replay: bool) -> None:
        # Without a terminal in the container nobody turned line feeds into new lines.
        self.pane.feed(data if self.session.tty else data.replace(b"\n", b"\r\n"), replay=replay)

    def _ended(self, code: int | None) -> None:
        self.over = True
        self.pane.ended(code)

    async def _write(self) -> None:
        while not self.over:
            action = await self._queue.get()
            try:
                await self._bridge.call(action)
            except EngineError as error:
                log.info("cannot write to %s: %s", self.title, error.message)
                return
