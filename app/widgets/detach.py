"""The detach sequence: keys in Docker's notation ("ctrl-p,ctrl-q") recognised while one types.

A key that may begin the sequence is held until the next one tells; that delays shell history by one key, which is
why the sequence can be turned off.
"""

from __future__ import annotations

_SPECIAL = {
    "]": "right_square_bracket",
    "[": "left_square_bracket",
    "@": "at",
    "\\": "backslash",
    "^": "circumflex_accent",
    "_": "underscore",
}
Typed = tuple[str, str | None]


class DetachKeys:
    """A matcher. Raises ValueError for a notation that is neither characters nor ctrl-<character>; "" is none."""

    def __init__(self, notation: str) -> None:
        self._keys = tuple(_name(part, notation) for part in notation.split(",") if part)
        self._held: list[Typed] = []

    def press(self, key: str, character: str | None) -> list[Typed] | None:
        """The keys to send now; None when the sequence is complete (nothing of it is sent)."""
        if not self._keys:
            return [(key, character)]
        if key == self._keys[len(self._held)]:
            self._held.append((key, character))
            if len(self._held) < len(self._keys):
                return []
            self._held.clear()
            return None
        ready = self.flush()
        if key == self._keys[0]:
            self._held.append((key, character))
            return ready
        return [*ready, (key, character)]

    def flush(self) -> list[Typed]:
        """The held keys, which turned out to be ordinary input."""
        ready, self._held = self._held, []
        return ready


def _name(part: str, notation: str) -> str:
    prefix, _, key = part.rpartition("-")
    if prefix not in ("", "ctrl") or len(key) != 1:
        raise ValueError(f"detach keys {notation!r}: {part!r} is neither a character nor ctrl-<character>")
    name = _SPECIAL.get(key, key)
    return f"ctrl+{name}" if prefix else name
