"""DNS messages, as far as a container's name service needs them. Sources: RFC 1035, RFC 6891 (EDNS).

A question is read strictly; anything else in a message that comes from the container is looked at no further.
"""

from __future__ import annotations

import socket
import struct

A, PTR, AAAA, ANY = 1, 12, 28, 255
INTERNET = 1
NO_ERROR, FORMAT_ERROR, SERVER_FAILURE, NAME_ERROR, NOT_IMPLEMENTED = 0, 1, 2, 3, 4
PLAIN_BYTES, MOST_BYTES = 512, 4096
"""What fits in a datagram for one who says nothing, and the most that is given to one who asks for more."""

_HEADER = struct.Struct(">HHHHHH")
_KIND = struct.Struct(">HH")
_RECORD = struct.Struct(">HHIH")
_RESPONSE, _TRUNCATED, _DESIRED, _AVAILABLE = 0x8000, 0x0200, 0x0100, 0x0080
_OPCODE = 0x7800
_NAME_BYTES, _LABEL_BYTES = 255, 63
_TO_QUESTION = b"\xc0\x0c"
_TTL_S = 0
"""Nobody may keep an answer: a container can leave the network at any moment."""


class MalformedError(Exception):
    """Not a question; `answer` is what to say to that, None for nothing."""

    def __init__(self, answer: bytes | None) -> None:
        super().__init__("malformed question")
        self.answer = answer


class Query:
    """A question: `name` in lower case without the final dot, `question` its bytes on the wire."""

    __slots__ = ("flags", "id", "kind", "name", "question", "room_bytes")

    def __init__(self, data: bytes) -> None:
        """Raises MalformedError."""
        if len(data) < _HEADER.size:
            raise MalformedError(None)
        self.id, self.flags, questions, answers, authorities, further = _HEADER.unpack_from(data)
        if self.flags & _RESPONSE:
            raise MalformedError(None)  # answering answers can go on for ever
        if self.flags & _OPCODE:
            raise MalformedError(_bare(self.id, self.flags, NOT_IMPLEMENTED))
        try:
            if questions != 1:
                raise ValueError
            labels, end = _labels(data)
            self.kind, family = _KIND.unpack_from(data, end)
        except (ValueError, IndexError, struct.error):
            raise MalformedError(_bare(self.id, self.flags, FORMAT_ERROR)) from None
        self.question = data[_HEADER.size : end + _KIND.size]
        # A name of another class is none of ours.
        self.name = b".".join(labels).decode("latin-1").lower() if family in (INTERNET, ANY) else ""
        self.room_bytes = PLAIN_BYTES
        rest = data[end + _KIND.size :]
        if further and not answers and not authorities and len(rest) >= 11 and rest[:3] == b"\0\0\x29":
            self.room_bytes = min(max(PLAIN_BYTES, int.from_bytes(rest[3:5], "big")), MOST_BYTES)

    def answer(self, code: int, records: list[tuple[int, bytes]], room_bytes: int) -> bytes:
        """The reply, records as kind and data; what has no room is left out and that said."""
        flags = _RESPONSE | _AVAILABLE | (self.flags & _DESIRED) | code
        room = room_bytes - _HEADER.size - len(self.question)
        body, count = b"", 0
        for kind, data in records:
            record = _TO_QUESTION + _RECORD.pack(kind, INTERNET, _TTL_S, len(data)) + data
            if len(body) + len(record) > room:
                flags |= _TRUNCATED
                break
            body += record
            count += 1
        return _HEADER.pack(self.id, flags, 1, count, 0, 0) + self.question + body


def wire_name(name: str) -> bytes:
    """A name on the wire. Raises ValueError for one that has no place there."""
    wire = b""
    for label in name.split("."):
        packed = label.encode("latin-1")
        if not 0 < len(packed) <= _LABEL_BYTES:
            raise ValueError(f"no DNS name: {name}")
        wire += bytes([len(packed)]) + packed
    if len(wire) >= _NAME_BYTES:
        raise ValueError(f"no DNS name: {name}")
    return wire + b"\0"


def reversed_address(name: str) -> str:
    """The address that a name below in-addr.arpa or ip6.arpa asks about, "" for another name."""
    if name.endswith(".ip6.arpa"):
        digits = name.removesuffix(".ip6.arpa").split(".")
        if len(digits) != 32 or not all(len(digit) == 1 and digit in "0123456789abcdef" for digit in digits):
            return ""
        return socket.inet_ntop(socket.AF_INET6, bytes.fromhex("".join(reversed(digits))))
    if not name.endswith(".in-addr.arpa"):
        return ""
    parts = name.removesuffix(".in-addr.arpa").split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts):
        return ""
    return ".".join(str(int(part)) for part in reversed(parts))


def answers(reply: bytes, sent: bytes) -> bool:
    """Whether a message from a resolver is a reply to the question that was sent to it."""
    if len(reply) < _HEADER.size or reply[:2] != sent[:2] or not reply[2] & 0x80:
        return False
    try:
        _, end = _labels(sent)
    except (ValueError, IndexError):
        return False
    end += _KIND.size
    return reply[_HEADER.size : end].lower() == sent[_HEADER.size : end].lower()


def code_of(reply: bytes) -> int:
    return reply[3] & 0xF


def _bare(number: int, flags: int, code: int) -> bytes:
    return _HEADER.pack(number, _RESPONSE | _AVAILABLE | flags & (_DESIRED | _OPCODE) | code, 0, 0, 0, 0)


def _labels(data: bytes) -> tuple[list[bytes], int]:
    """The labels of the first question, and where its name ends. Raises ValueError, IndexError."""
    labels = []
    offset = _HEADER.size
    while length := data[offset]:
        end = offset + 1 + length
        # A pointer has nothing before it to point to.
        if length > _LABEL_BYTES or end - _HEADER.size >= _NAME_BYTES:
            raise ValueError
        # A dot inside a label must not look like the one between labels.
        labels.append(data[offset + 1 : end].replace(b".", b"\\."))
        offset = end
    return labels, offset + 1
