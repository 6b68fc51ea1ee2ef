"""As much D-Bus as it takes to ask systemd for a unit: method calls, and their replies.

Written after the D-Bus Specification ("Marshaling", "Message Protocol", "Authentication Protocol"), little-endian
only. Blocking, one call at a time, no signals. Values of type variant are pairs of signature and value.
"""

from __future__ import annotations

import os
import socket
import struct

from .fault import CgroupFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PRIVATE_SOCKET = "/run/systemd/private"
BUS_SOCKET = "/run/dbus/system_bus_socket"

_METHOD_CALL, _METHOD_RETURN, _ERROR = 1, 2, 3
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY_SERIAL, _DESTINATION, _SIGNATURE = 1, 2, 3, 4, 5, 6, 8
_FORMATS = {"y": "<B", "b": "<I", "u": "<I", "i": "<i", "t": "<Q", "x": "<q", "q": "<H", "n": "<h", "d": "<d"}
_ALIGNMENTS = {"y": 1, "g": 1, "v": 1, "n": 2, "q": 2, "t": 8, "x": 8, "d": 8, "(": 8, "{": 8}
_LARGEST_MESSAGE = 1 << 20


class CallFailed(CgroupFault):
    """The other side answered with an error; `name` is D-Bus's (org.freedesktop.systemd1.NoSuchUnit)."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text or name)
        self.name = name


class Connection:
    """A connection to systemd itself (root only) or to a bus; close it after use.

    Raises CgroupFault when nobody listens or the peer refuses us, and after ten seconds without an answer.
    """

    def __init__(self, path: str, *, is_bus: bool) -> None:
        self._serial = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(10)
        try:
            self._socket.connect(path)
            self._authenticate()
        except OSError as error:
            self._socket.close()
            raise CgroupFault(
                f"cannot talk to systemd at {path}: {error.strerror or error}",
                path=path,
                hint="use the cgroupfs driver on hosts that systemd does not run",
                errno=error.errno or 0,
            ) from error
        if is_bus:
            bus = "org.freedesktop.DBus"
            self.call(bus, "/org/freedesktop/DBus", bus, "Hello", "", ())

    def call(
        self, destination: str, path: str, interface: str, member: str, signature: str, arguments: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        """The values of the reply. Raises CallFailed for an error reply, CgroupFault for a broken connection."""
        self._serial += 1
        body = bytearray()
        for each, value in zip(split(signature), arguments, strict=True):
            _write(body, each, value)
        fields: list[tuple[int, tuple[str, Any]]] = [
            (_PATH, ("o", path)),
            (_INTERFACE, ("s", interface)),
            (_MEMBER, ("s", member)),
            (_DESTINATION, ("s", destination)),
        ]
        if signature:
            fields.append((_SIGNATURE, ("g", signature)))
        message = bytearray(struct.pack("<cBBBII", b"l", _METHOD_CALL, 0, 1, len(body), self._serial))
        _write(message, "a(yv)", fields)
        _pad(message, 8)
        try:
            self._socket.sendall(message + body)
            while True:
                kind, headers, values = self._receive()
                if headers.get(_REPLY_SERIAL) != self._serial:
                    continue  # a signal, or the NameAcquired that follows Hello
                if kind == _ERROR:
                    raise CallFailed(headers.get(_ERROR_NAME, ""), values[0] if values else "")
                return values
        except (OSError, struct.error, ValueError, IndexError, KeyError) as error:
            raise CgroupFault(f"no usable answer from systemd to {member}: {error}") from error

    def close(self) -> None:
        self._socket.close()

    def _authenticate(self) -> None:
        """EXTERNAL: the kernel tells the peer who we are; the text repeats it in hexadecimal."""
        self._socket.sendall(b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n")
        line = b""
        while not line.endswith(b"\r\n"):
            if not (byte := self._socket.recv(1)) or len(line) > 512:
                raise ConnectionError("it closed the connection")
            line += byte
        if not line.startswith(b"OK "):
            raise PermissionError(1, f"it answered {line.decode(errors='replace').strip()!r}")
        self._socket.sendall(b"BEGIN\r\n")

    def _receive(self) -> tuple[int, dict[int, Any], tuple[Any, ...]]:
        head = self._exactly(16)
        order, kind, _flags, _version, body_size, _serial, fields_size = struct.unpack("<cBBBIII", head)
        if order != b"l" or body_size + fields_size > _LARGEST_MESSAGE:
            raise ValueError("not a little-endian message of sensible size")
        fields_padded = (fields_size + 7) & ~7
        data = head + self._exactly(fields_padded + body_size)
        fields, _at = _read(data, 12, "a(yv)")
        headers = dict(fields)
        body = data[16 + fields_padded :]
        values = []
        at = 0
        for each in split(headers.get(_SIGNATURE, "")):
            value, at = _read(body, at, each)
            values.append(value)
        return kind, headers, tuple(values)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            if not (part := self._socket.recv(size - len(data))):
                raise ConnectionError("it closed the connection")
            data += part
        return data


def split(signature: str) -> list[str]:
    """The complete types of a signature: "sa(sv)u" is "s", "a(sv)", "u"."""
    types = []
    at = 0
    while at < len(signature):
        end = _type_end(signature, at)
        types.append(signature[at:end])
        at = end
    return types


def _type_end(signature: str, at: int) -> int:
    if signature[at] == "a":
        return _type_end(signature, at + 1)
    if signature[at] in "({":
        at += 1
        while signature[at] not in ")}":
            at = _type_end(signature, at)
    return at + 1


def _pad(data: bytearray, alignment: int) -> None:
    data.extend(b"\0" * (-len(data) % alignment))


def _write(data: bytearray, signature: str, value: Any) -> None:
    """Append one value; `data` begins on an 8-byte boundary of the message."""
    kind = signature[0]
    _pad(data, _ALIGNMENTS.get(kind, 4))
    if kind in _FORMATS:
        data.extend(struct.pack(_FORMATS[kind], value))
    elif kind in "so":
        raw = value.encode()
        data.extend(struct.pack("<I", len(raw)) + raw + b"\0")
    elif kind == "g":
        data.extend(bytes([len(value)]) + value.encode() + b"\0")
    elif kind == "v":
        _write(data, "g", value[0])
        _write(data, value[0], value[1])
    elif kind == "(":
        for each, item in zip(split(signature[1:-1]), value, strict=True):
            _write(data, each, item)
    else:
        length_at = len(data)
        data.extend(b"\0\0\0\0")
        # The length counts from the first element, not from the padding before it.
        _pad(data, _ALIGNMENTS.get(signature[1], 4))
        begin = len(data)
        for item in value:
            _write(data, signature[1:], item)
        struct.pack_into("<I", data, length_at, len(data) - begin)


def _read(data: bytes, at: int, signature: str) -> tuple[Any, int]:
    """One value and where the next may begin."""
    kind = signature[0]
    alignment = _ALIGNMENTS.get(kind, 4)
    at += -at % alignment
    if kind in _FORMATS:
        (number,) = struct.unpack_from(_FORMATS[kind], data, at)
        return number, at + struct.calcsize(_FORMATS[kind])
    if kind in "sog":
        size, begin = (data[at], at + 1) if kind == "g" else (struct.unpack_from("<I", data, at)[0], at + 4)
        return data[begin : begin + size].decode(), begin + size + 1
    if kind == "v":
        inner, at = _read(data, at, "g")
        return _read(data, at, inner)
    if kind in "({":
        items = []
        for each in split(signature[1:-1]):
            item, at = _read(data, at, each)
            items.append(item)
        return tuple(items), at
    size, at = _read(data, at, "u")
    at += -at % _ALIGNMENTS.get(signature[1], 4)
    end = at + size
    items = []
    while at < end:
        item, at = _read(data, at, signature[1:])
        items.append(item)
    return items, at
