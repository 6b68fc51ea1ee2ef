"""The key sequence that leaves a container's terminal without ending the container."""

from __future__ import annotations

from .errors import UsageError

DEFAULT = "ctrl-p,ctrl-q"
_CONTROL = "@abcdefghijklmnopqrstuvwxyz[\\]^_"


def parse_detach_keys(text: str) -> bytes:
    """The bytes of "ctrl-p,ctrl-q", "a,b", "ctrl-]"; "" is the default sequence."""
    sequence = bytearray()
    for key in (text or DEFAULT).split(","):
        letter = key.removeprefix("ctrl-")
        if key.startswith("ctrl-") and letter and letter in _CONTROL:
            sequence.append(_CONTROL.index(letter))
        elif len(key) == 1 and key.isascii():
            sequence += key.encode()
        else:
            raise UsageError(
                f'invalid detach keys ("{text}"): {key!r} is neither a letter nor ctrl- and one of a-z @ [ \\ ] ^ _'
            )
    return bytes(sequence)


class DetachMatcher:
    """Finds the sequence in what is typed.

    A started sequence is held back, because it may be the beginning of leaving; `release()` gives it up when the
    next key is late, so that a lone ctrl-p still reaches the shell.
    """

    def __init__(self, sequence: bytes) -> None:
        self._sequence = sequence
        self._held = 0

    @property
    def holding(self) -> bool:
        """Whether typed keys are held back right now."""
        return self._held > 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """(what goes to the container, whether the person leaves). Input after the sequence is dropped."""
        out = bytearray()
        for byte in data:
            while self._held and self._sequence[self._held] != byte:
                # the held keys were no beginning after all; a shorter part of them may still be one
                held = self._sequence[: self._held]
                self._held = next(length for length in range(self._held - 1, -1, -1) if held.endswith(held[:length]))
                out += held[: len(held) - self._held]
            if self._sequence[self._held] == byte:
                self._held += 1
                if self._held == len(self._sequence):
                    self._held = 0
                    return bytes(out), True
            else:
                out.append(byte)
        return bytes(out), False

    def release(self) -> bytes:
        """The keys held back; they go to the container."""
        held = self._sequence[: self._held]
        self._held = 0
        return held
