"""A tunnel in WebSocket frames (RFC 6455): bytes in and out, no extensions.

Data goes out in binary frames, and what comes in text or binary frames is the same input. A client that breaks the
protocol is cut off; a frame is passed on piece by piece, so that its length costs no memory.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from .tunnel import Tunnel

if TYPE_CHECKING:
    import asyncio

_KEY_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY, _CLOSE, _PING, _PONG = 0x2, 0x8, 0x9, 0xA
_DATA = (0x0, 0x1, _BINARY)
_CONTROL_BYTES = 125


def accept_key(key: str) -> str:
    """The answer that proves that the handshake was understood."""
    return base64.b64encode(hashlib.sha1(key.encode("latin-1") + _KEY_SUFFIX).digest()).decode()


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """One whole frame of a server: not masked."""
    size = len(payload)
    if size <= _CONTROL_BYTES:
        head = bytes((0x80 | opcode, size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big")
    return head + payload


class WebSocket(Tunnel):
    def __init__(self, transport: asyncio.Transport, early: bytes) -> None:
        super().__init__(transport, b"")
        self._raw = bytearray()
        self._opcode = 0
        self._left = 0
        self._mask = bytes(4)
        self._control = bytearray()
        if early:
            self.data(early)

    def data(self, data: bytes) -> None:
        self._raw += data
        while not self.closed and not self._closing:
            if not self._left:
                if not self._read_head():
                    return
            elif self._raw:
                self._read_payload()
            else:
                return

    def _encode(self, data: bytes) -> bytes:
        return encode_frame(_BINARY, data) if data else b""

    def _leave(self) -> None:
        self._transport.write(encode_frame(_CLOSE, (1000).to_bytes(2, "big")))
        super()._leave()

    def _read_head(self) -> bool:
        raw = self._raw
        if len(raw) < 2:
            return False
        size = raw[1] & 0x7F
        extra = {126: 2, 127: 8}.get(size, 0)
        if len(raw) < 6 + extra:
            return False
        opcode = raw[0] & 0x0F
        if extra:
            size = int.from_bytes(raw[2 : 2 + extra], "big")
        is_control = opcode in (_CLOSE, _PING, _PONG)
        # clients have to mask; reserved bits and long or split control frames are errors
        wrong = not raw[1] & 0x80 or raw[0] & 0x70 or size >= 1 << 63 or (opcode not in _DATA and not is_control)
        if wrong or (is_control and (size > _CONTROL_BYTES or not raw[0] & 0x80)):
            self._transport.abort()
            return False
        self._opcode, self._left, self._mask = opcode, size, bytes(raw[2 + extra : 6 + extra])
        del raw[: 6 + extra]
        if not size:
            self._told(b"", whole=True)
        return True

    def _read_payload(self) -> None:
        size = min(self._left, len(self._raw))
        masked = bytes(self._raw[:size])
        del self._raw[:size]
        self._left -= size
        mask = (self._mask * (size // 4 + 1))[:size]
        payload = (int.from_bytes(masked, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
        turn = size % 4
        self._mask = self._mask[turn:] + self._mask[:turn]
        self._told(payload, whole=not self._left)

    def _told(self, payload: bytes, *, whole: bool) -> None:
        if self._opcode in _DATA:
            if payload:
                super().data(payload)
            return
        self._control += payload
        if not whole:
            return
        message = bytes(self._control)
        self._control.clear()
        if self._opcode == _PING:
            self._transport.write(encode_frame(_PONG, message))
        elif self._opcode == _CLOSE:
            self.end()
            self.close()
