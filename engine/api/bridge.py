"""Between a client's tunnel and a shim's session: Docker's raw or framed stream on one side, our frames on the other.

Neither side is read faster than the other takes, and nothing here blocks. A frame to the client is one byte of
stream (1 stdout, 2 stderr), three of zero, four of length, and the payload; with a terminal there are none.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING

from ..cli.detach_keys import DetachMatcher
from ..shim import frames

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..containers.session import Session
    from .tunnel import Tunnel

STDIN_BYTES = 256 << 10
RELEASE_S = 0.5
"""How long a key that may begin the detach sequence is held back."""
_HEADER = struct.Struct(">BxxxL")
_STREAMS = {"stdout": 1, "stderr": 2}


def framed(stream: str, data: bytes) -> bytes:
    """One frame of the multiplexed stream."""
    return _HEADER.pack(_STREAMS[stream], len(data)) + data


class Bridge:
    """Made for a tunnel; `wire` gives it its session, now or when the container starts.

    `streams`: which of stdin, stdout and stderr the client wants. `replay`: whether it wants a terminal's last screen.
    `framed`: with stream and length before each piece; what has no terminal is, unless the way has frames of its own.
    `ends_stdin`: the end of its input is the end of the program's. `on_exit` gets the exit code.
    """

    def __init__(
        self,
        tunnel: Tunnel,
        *,
        tty: bool,
        framed: bool | None = None,
        streams: frozenset[str],
        detach_keys: bytes = b"",
        replay: bool = False,
        ends_stdin: bool = True,
        on_exit: Callable[[int], None] | None = None,
    ) -> None:
        self._tunnel = tunnel
        self._framed = not tty if framed is None else framed
        self._streams = streams
        self._matcher = DetachMatcher(detach_keys) if detach_keys and tty else None
        self._replay = replay
        self._ends_stdin = ends_stdin
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._out = bytearray()
        self._reading = False
        self._writing = False
        self._closed = False
        self._release: asyncio.TimerHandle | None = None

    @property
    def closed(self) -> bool:
        return self._closed

    def wire(self, session: Session) -> None:
        """Take the session over, and close it in the end."""
        if self._closed:
            session.close()
            return
        self._session = session
        self._flush()
        self._loop.call_soon(self._readable)

    def close(self) -> None:
        """End both sides; what was written still reaches the client."""
        self._drop_session()
        self._closed = True
        self._tunnel.close()

    def say(self, text: str) -> None:
        """A line of ours for the person at the other end."""
        data = text.encode("utf-8", "surrogateescape") + b"\r\n"
        self._tunnel.write(framed("stderr", data) if self._framed else data)

    # the tunnel's side

    def received(self, data: bytes) -> None:
        if self._closed or "stdin" not in self._streams:
            return
        if self._release:
            self._release.cancel()
            self._release = None
        leaves = False
        if self._matcher:
            data, leaves = self._matcher.feed(data)
            if self._matcher.holding:
                self._release = self._loop.call_later(RELEASE_S, self._give_up_held)
        self._type(data)
        if leaves:
            self.close()

    def received_end(self) -> None:
        if "stdin" in self._streams and self._ends_stdin and not self._closed:
            self._out += frames.frame(frames.EOF)
            self._flush()

    def writable(self) -> None:
        if self._session and not self._closed:
            self._readable()

    def lost(self) -> None:
        self._drop_session()
        self._closed = True

    # the session's side

    def _readable(self) -> None:
        session = self._session
        if session is None or self._closed:
            return
        if self._tunnel.paused:
            self._watch_reading(False)
            return
        for frame in session.read_available():
            if frame.kind == "exit":
                self._ended(frame.code)
                return
            if frame.kind == "closed":
                self._ended(None)
                return
            self._show(frame.kind, frame.data)
        self._watch_reading(not self._tunnel.paused)

    def _show(self, kind: str, data: bytes) -> None:
        if kind == "replay":
            # the first one is the screen before we came; later ones mend what a slow client has missed
            wanted, self._replay = self._replay, True
            if not wanted:
                return
            kind = "stdout"
        if not data or kind not in self._streams:
            return
        self._tunnel.write(framed(kind, data) if self._framed else data)

    def _ended(self, code: int | None) -> None:
        if code is not None and self._on_exit:
            self._on_exit(code)
        self.close()

    def _type(self, data: bytes) -> None:
        for start in range(0, len(data), 1 << 16):
            self._out += frames.frame(frames.STDIN, data[start : start + (1 << 16)])
        self._flush()

    def _give_up_held(self) -> None:
        self._release = None
        if self._matcher and not self._closed:
            self._type(self._matcher.release())

    def _flush(self) -> None:
        session = self._session
        if session is not None and self._out:
            try:
                del self._out[: session.send_available(self._out)]
            except OSError:  # the shim is gone; its end is read on the other way
                self._out.clear()
            self._watch_writing(bool(self._out))
        self._tunnel.read(len(self._out) <= STDIN_BYTES)

    def _watch_reading(self, wanted: bool) -> None:
        if self._session and wanted != self._reading:
            self._reading = wanted
            if wanted:
                self._loop.add_reader(self._session.fileno(), self._readable)
            else:
                self._loop.remove_reader(self._session.fileno())

    def _watch_writing(self, wanted: bool) -> None:
        if self._session and wanted != self._writing:
            self._writing = wanted
            if wanted:
                self._loop.add_writer(self._session.fileno(), self._flush)
            else:
                self._loop.remove_writer(self._session.fileno())

    def _drop_session(self) -> None:
        if self._release:
            self._release.cancel()
        if self._session:
            self._watch_reading(False)
            self._watch_writing(False)
            self._session.close()
            self._session = None
