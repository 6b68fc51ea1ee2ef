"""What a terminal printed last, kept so that a later attach shows the screen it left.

The raw bytes of the last stretch are kept, and in front of them the terminal modes that were set in what has
been forgotten (alternate screen, cursor keys, mouse, bracketed paste …), so that a program in full screen
comes back in full screen. An emulator would be exact, at 2 MB a container.
"""

from __future__ import annotations

import re

KEPT_BYTES = 96 << 10
_PRIVATE_MODE = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
_RESET = b"\x1bc"


class Replay:
    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        self._data = bytearray()
        self._modes: dict[bytes, bytes] = {}

    def feed(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > 2 * self._kept_bytes:
            self._forget()

    def bytes(self) -> bytes:
        """What to feed an empty terminal to bring it to the present state."""
        modes = b"".join(b"\x1b[?" + mode + state for mode, state in self._modes.items())
        return modes + bytes(self._data)

    def _forget(self) -> None:
        """Cut at a line's end, where no escape sequence is open."""
        cut = self._data.find(b"\n", len(self._data) - self._kept_bytes)
        if cut < 0:
            cut = self._data.find(b"\x1b", len(self._data) - self._kept_bytes) - 1
        if cut < 0:
            cut = len(self._data) - self._kept_bytes
        forgotten = self._data[: cut + 1]
        reset = forgotten.rfind(_RESET)
        if reset >= 0:
            self._modes.clear()
        for match in _PRIVATE_MODE.finditer(forgotten, max(reset, 0)):
            for mode in match[1].split(b";"):
                self._modes.pop(mode, None)
                self._modes[mode] = match[2]
        del self._data[: cut + 1]
