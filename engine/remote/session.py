"""One attached process of another engine: the connection that an attach or exec has become.

Has the face of `containers.session.Session`, so that the command line joins either. Without a terminal, output comes
in frames (stream number, length, bytes); with one, as it is. The exit code does not come this way: the engine is
asked for it once the output has ended.
"""

from __future__ import annotations

import select
import struct

from ..containers.session import Frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal, Self

    from .target import Channel

DETACH = "ctrl-p,ctrl-q"
DETACH_KEYS = b"\x10\x11"
DETACH_S = 2.0
_HEADER = struct.Struct(">BxxxI")
_STREAMS: dict[int, Literal["stdout", "stderr"]] = {0: "stdout", 1: "stdout", 2: "stderr"}


class RemoteSession:
    """`ended` gives the exit code, None when it cannot be had; it may wait. `closing` is called once at the end."""

    def __init__(
        self,
        channel: Channel,
        rest: bytes,
        *,
        tty: bool,
        ended: Callable[[], int | None],
        resize: Callable[[int, int], None],
        signal: Callable[[int], None] | None = None,
        closing: Callable[[], None] | None = None,
        exec_id: str = "",
    ) -> None:
        self.tty = tty
        self.exec_id = exec_id
        self.pid = 0
        self._channel = channel
        self._early = rest
        self._partial = b""
        self._code = ended
        self._resize = resize
        self._signal = signal
        self._closing = closing
        self._ended = False
        self.takes_signals = signal is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def fileno(self) -> int:
        return self._channel.fileno()

    def send(self, data: bytes) -> None:
        self._channel.sendall(data)

    def close_stdin(self) -> None:
        try:
            self._channel.end_writing()
        except OSError:
            pass  # it has ended meanwhile

    def resize(self, rows: int, columns: int) -> None:
        self._resize(rows, columns)

    def signal(self, number: int) -> None:
        if self._signal is not None:
            self._signal(number)

    def frames(self) -> Iterator[Frame]:
        """Everything until the end, blocking."""
        while not self._ended:
            self.wait_readable(None)
            yield from self.read_available()

    def read_available(self) -> list[Frame]:
        if self._ended:
            return []
        early, self._early = self._early, b""
        data = early or self._channel.recv_available()
        frames = self._cut(data or b"")
        if data == b"":
            self._ended = True
            code = self._code()
            frames.append(Frame("closed", b"", 0) if code is None else Frame("exit", b"", code))
        return frames

    def wait_readable(self, timeout_s: float | None) -> bool:
        return bool(self._early or select.select([self._channel], [], [], timeout_s)[0])

    def detach(self) -> None:
        """Leave the process alone. Closing would end its input, so that a shell would end too: the engine is told
        with the keys that it watches for."""
        if self.tty and not self._ended:
            try:
                self._channel.sendall(DETACH_KEYS)
                while select.select([self._channel], [], [], DETACH_S)[0] and self._channel.recv_available():
                    pass
            except OSError:
                pass
        self.close()

    def close(self) -> None:
        self._ended = True
        self._channel.close()
        closing, self._closing = self._closing, None
        if closing is not None:
            closing()

    def _cut(self, data: bytes) -> list[Frame]:
        if self.tty:
            return [Frame("stdout", data, 0)] if data else []
        data = self._partial + data
        frames = []
        offset = 0
        while len(data) - offset >= _HEADER.size:
            stream, length = _HEADER.unpack_from(data, offset)
            end = offset + _HEADER.size + length
            if end > len(data):
                break
            frames.append(Frame(_STREAMS.get(stream, "stderr"), data[offset + _HEADER.size : end], 0))
            offset = end
        self._partial = data[offset:]
        return frames
