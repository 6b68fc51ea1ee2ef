"""Output waiting to be parsed: cut into pieces, so that a frame can stop when its time is over."""

from __future__ import annotations

from collections import deque
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .emulator import Emulator

BACKLOG_HIGH = 1 << 20
"""An owner should stop reading the session while more bytes than this wait."""
PIECE = 32 << 10


class Feeder:
    """A queue in front of an emulator."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[bytes, bool]] = deque()
        self._was_high = False
        self.backlog = 0
        """Bytes that wait."""

    def add(self, data: bytes, *, replay: bool = False) -> None:
        """Queue output. The answers to questions in a replay are thrown away: they were given long ago."""
        self.backlog += len(data)
        self._was_high = self._was_high or self.backlog > BACKLOG_HIGH
        # A pseudo-terminal hands out 4 KiB at a time; joined, they cost an eighth of the calls.
        if self._pieces and len(data) <= PIECE:
            last, last_replay = self._pieces[-1]
            if last_replay == replay and len(last) + len(data) <= PIECE:
                self._pieces[-1] = (last + data, replay)
                return
        for start in range(0, len(data), PIECE):
            self._pieces.append((data[start : start + PIECE], replay))

    def parse(self, emulator: Emulator, budget_s: float) -> bytes:
        """Feed the emulator until nothing waits or the time is over (at least one piece); returns its answers."""
        start = perf_counter()
        answers = b""
        while self._pieces:
            data, replay = self._pieces.popleft()
            self.backlog -= len(data)
            emulator.feed(data)
            replies = emulator.take_replies()
            if not replay:
                answers += replies
            if perf_counter() - start >= budget_s:
                break
        return answers

    def drained(self) -> bool:
        """True once after the backlog was high and has fallen to half of that."""
        if self._was_high and self.backlog < BACKLOG_HIGH // 2:
            self._was_high = False
            return True
        return False
