"""Output as entries of systemd's journal, by its native protocol, with the fields that Docker's driver has.

One datagram an entry: `NAME=value` lines, or for a value with a line break its name, its length and its bytes. Source:
systemd, "Native Journal Protocol". A journal that is gone or full costs entries, never the container's time.
"""

from __future__ import annotations

import socket
import struct

from ..containers.log_options import JOURNAL_SOCKET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..containers.log_options import LogSettings

_PRIORITIES = {"stdout": 6, "stderr": 3}
_SEND_TIMEOUT_S = 5


class JournalSink:
    """Raises OSError when there is no journal at `path`."""

    def __init__(self, settings: LogSettings, path: str = JOURNAL_SOCKET) -> None:
        self.lost = 0
        self._path = path
        fields = {
            **{_field_name(key): value for key, value in settings.attributes.items()},
            **settings.journal_fields,
        }
        self._fields = b"".join(_field(name, value.encode()) for name, value in fields.items())
        self._socket = self._connect()

    def lines(self, stream: str, text: bytes) -> None:
        for line in text.split(b"\n"):
            self._send(stream, line)

    def stretch(self, stream: str, piece: bytes) -> None:
        self._send(stream, piece.removesuffix(b"\n"), partial=not piece.endswith(b"\n"))

    def close(self) -> None:
        self._socket.close()

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        connection.settimeout(_SEND_TIMEOUT_S)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            raise
        return connection

    def _send(self, stream: str, message: bytes, *, partial: bool = False) -> None:
        data = self._fields + _field("MESSAGE", message) + _field("PRIORITY", b"%d" % _PRIORITIES[stream])
        if partial:
            data += _field("CONTAINER_PARTIAL_MESSAGE", b"true")
        try:
            self._socket.send(data)
        except OSError:
            try:  # a journal that was started anew has a new socket
                self._socket.close()
                self._socket = self._connect()
                self._socket.send(data)
            except OSError:
                self.lost += 1


def _field(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
    return name.encode() + b"=" + value + b"\n"


def _field_name(key: str) -> str:
    """A label's or variable's name as the journal takes one: capitals, digits and underscores, no digit first."""
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in key).upper().lstrip("_")
    return f"FIELD_{name}" if not name or name[0].isdigit() else name
