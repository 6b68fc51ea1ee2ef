"""What hosts and shims say to each other: length-prefixed frames on a unix stream socket.

    client                                   shim
    REQUEST {"op": …}            ──────────>
                                 <────────── PHASE {…}           (start only, any number)
                                 <────────── REPLY {…} | ERROR {…}
    attach, exec, reattach, start with attach go on as a session:
                                 <────────── REPLAY bytes        (a terminal's last screen)
    STDIN bytes, EOF, RESIZE, SIGNAL ──────>
                                 <────────── STDOUT bytes, STDERR bytes
                                 <────────── EXIT {"code": …}
    wait: after its REPLY, an EXIT when the program has ended and the row says so; with "final" when the container
    will not be started again.

Operations: start (only on the zygote's connection), attach, exec, reattach, terminals, signal, pause, resume,
resize, update, wait, connect, disconnect. Either side may close at any time; closing a session detaches and ends
nothing.
"""

from __future__ import annotations

import json
import struct

from ..errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REQUEST = 0
STDIN = 1
EOF = 2
RESIZE = 3
SIGNAL = 4
REPLY = 10
PHASE = 11
STDOUT = 12
STDERR = 13
REPLAY = 14
EXIT = 15
ERROR = 16

HEADER = struct.Struct(">BI")
SIZE = struct.Struct(">HH")
MAX_PAYLOAD = 16 << 20
"""A frame beyond this is no frame of ours; the connection is closed."""


class ProtocolError(EngineError):
    """The other side does not speak this protocol."""


def frame(kind: int, payload: bytes = b"") -> bytes:
    return HEADER.pack(kind, len(payload)) + payload


def json_frame(kind: int, data: dict[str, Any]) -> bytes:
    return frame(kind, json.dumps(data).encode())


def resize_frame(rows: int, columns: int) -> bytes:
    return frame(RESIZE, SIZE.pack(rows & 0xFFFF, columns & 0xFFFF))


class Decoder:
    """Turns received bytes into whole frames."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that are complete now, in order. Raises `ProtocolError` on an impossible length."""
        pending = self._pending
        pending += data
        frames = []
        offset = 0
        while len(pending) - offset >= HEADER.size:
            kind, length = HEADER.unpack_from(pending, offset)
            if length > MAX_PAYLOAD:
                raise ProtocolError(f"frame of {length} bytes is too large")
            end = offset + HEADER.size + length
            if end > len(pending):
                break
            frames.append((kind, bytes(pending[offset + HEADER.size : end])))
            offset = end
        del pending[:offset]
        return frames
