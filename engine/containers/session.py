"""A client's end of a shim connection: one attached container or exec, or one question and its answer."""

from __future__ import annotations

import json
import select
import socket
import struct
import time
from collections import namedtuple

from .. import errors, unix
from ..shim import frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Literal, NamedTuple, Self

    class Frame(NamedTuple):
        kind: Literal["stdout", "stderr", "replay", "exit", "closed"]
        data: bytes
        code: int

else:
    Frame = namedtuple("Frame", "kind data code")

_KINDS: dict[int, Literal["stdout", "stderr", "replay"]] = {
    frames.STDOUT: "stdout",
    frames.STDERR: "stderr",
    frames.REPLAY: "replay",
}
_CHUNK = 1 << 16
ANSWER_S = 30.0
"""A shim does what it is asked in milliseconds; the rest is for a machine that is out of breath."""


class Session:
    """Bytes to and from a process of a container. Closing it detaches; the process runs on.

    `frames()` blocks and ends after the exit; `read_available()` is for an event loop that watches `fileno()`.
    An `exit` frame carries the code; a `closed` frame alone means that the shim went away without telling one.
    """

    takes_signals = True  # an exec over another engine's API does not

    def __init__(self, connection: socket.socket, *, tty: bool = False, exec_id: str = "") -> None:
        self.tty = tty
        self.exec_id = exec_id
        self.pid = 0
        self._connection = connection
        self._decoder = frames.Decoder()
        self._ready: list[tuple[int, bytes]] = []
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def fileno(self) -> int:
        """-1 when closed."""
        return self._connection.fileno()

    def send(self, data: bytes) -> None:
        """Type into the process; blocks while the shim's buffer is full. BrokenPipeError when it is gone."""
        for start in range(0, len(data), _CHUNK):
            self._connection.sendall(frames.frame(frames.STDIN, data[start : start + _CHUNK]))

    def send_available(self, framed: bytes | bytearray) -> int:
        """For an event loop: how many bytes of ready-made frames the socket took; 0 when it is full."""
        try:
            return self._connection.send(framed, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return 0

    def close_stdin(self) -> None:
        """The process reads end of file."""
        self._connection.sendall(frames.frame(frames.EOF))

    def resize(self, rows: int, columns: int) -> None:
        """Set the terminal's size; no effect without one."""
        self._connection.sendall(frames.resize_frame(rows, columns))

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        self._connection.sendall(frames.frame(frames.SIGNAL, bytes([number])))

    def frames(self) -> Iterator[Frame]:
        """Everything until the end, blocking; the last frame is `exit` or `closed`."""
        while not self._ended:
            try:
                data = b"" if self._ready else self._connection.recv(_CHUNK)
            except ConnectionError:
                data = b""
            yield from self._received(None if self._ready else data)

    def read_available(self) -> list[Frame]:
        """What has come so far, without waiting; after the end an empty list."""
        if self._ended:
            return []
        try:
            data = self._connection.recv(_CHUNK, socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError):
            return self._received(None)
        except ConnectionError:
            data = b""
        return self._received(data)

    def wait_readable(self, timeout_s: float | None) -> bool:
        """Whether something came within the time."""
        return bool(self._ready or select.select([self._connection], [], [], timeout_s)[0])

    def detach(self) -> None:
        """Same as `close`."""
        self.close()

    def close(self) -> None:
        self._ended = True
        self._connection.close()

    def _received(self, data: bytes | None) -> list[Frame]:
        result = []
        arrived, self._ready = self._ready, []
        if data:
            arrived += self._decoder.feed(data)
        for kind, payload in arrived:
            if kind == frames.EXIT:
                self._ended = True
                result.append(Frame("exit", b"", json.loads(payload)["code"]))
            elif kind in _KINDS:
                result.append(Frame(_KINDS[kind], payload, 0))
        if data == b"" and not self._ended:
            self._ended = True
            result.append(Frame("closed", b"", 0))
        return result

    def answer(self, on_phase: Callable[[dict[str, Any]], None] | None = None) -> dict[str, Any]:
        """Read up to the reply of a request; an error reply is raised as the exception it names.

        ConnectionResetError when the shim went away before it answered.
        """
        while True:
            data = self._connection.recv(_CHUNK)
            if not data:
                raise ConnectionResetError("the shim closed the connection")
            arrived = self._decoder.feed(data)
            for index, (kind, payload) in enumerate(arrived):
                if kind == frames.PHASE and on_phase:
                    on_phase(json.loads(payload))
                elif kind == frames.ERROR:
                    raise _error(json.loads(payload))
                elif kind == frames.REPLY:
                    self._ready = arrived[index + 1 :]
                    reply: dict[str, Any] = json.loads(payload)
                    return reply


def request(path: str, body: dict[str, Any]) -> tuple[Session, dict[str, Any]]:
    """Connect to a shim, ask, and return the open session with the reply.

    FileNotFoundError, ConnectionRefusedError or ConnectionResetError when no shim answers there, ShimSilent when one
    lives and keeps silent.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ANSWER_S)
    try:
        _connect(connection, path)
        connection.sendall(frames.json_frame(frames.REQUEST, body))
        session = Session(connection, tty=False)
        reply = session.answer()
        connection.settimeout(None)
    except (TimeoutError, BlockingIOError) as error:  # the latter: its queue is full of those who wait already
        connection.close()
        raise errors.ShimSilent(
            f"the shim behind {path} has not answered for {ANSWER_S:g} s",
            hint="pydock rm -f ends it together with its container.",
        ) from error
    except BaseException:
        connection.close()
        raise
    session.tty = bool(reply.get("tty"))
    session.exec_id = str(reply.get("exec_id", ""))
    session.pid = int(reply.get("pid", 0))
    return session, reply


def _connect(connection: socket.socket, path: str) -> None:
    """With a time limit, a unix socket's connect does not wait for a place in a full queue: it is asked again."""
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            unix.connect(connection, path)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def shim_pid(path: str) -> int:
    """Who listens there; 0 when nobody does. Needs no answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as connection:
        try:
            unix.connect(connection, path)
        except OSError:
            return 0
        pid: int = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        return pid


def ask(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """One question, one answer."""
    session, reply = request(path, body)
    session.close()
    return reply


def _error(data: dict[str, Any]) -> errors.EngineError:
    kind = getattr(errors, str(data.get("kind")), None)
    if not (isinstance(kind, type) and issubclass(kind, errors.EngineError)):
        kind = errors.EngineError
    message, hint = str(data.get("message")), str(data.get("hint", ""))
    if kind is errors.StartFailed:
        return errors.StartFailed(message, hint=hint, exit_code=int(data.get("exit_code", 125)))
    if kind is errors.WrongState:
        return errors.WrongState(
            message, hint=hint, state=str(data.get("state", "")), wanted=tuple(data.get("wanted", ()))
        )
    return kind(message, hint=hint)


def error_data(error: errors.EngineError) -> dict[str, Any]:
    """The wire form of an exception, read back by `_error`."""
    states = {"state": error.state, "wanted": error.wanted} if isinstance(error, errors.WrongState) else {}
    return {
        **states,
        "kind": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }
