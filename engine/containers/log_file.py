"""One file of a container's log: whole records from a position on, or from so many lines before its end."""

from __future__ import annotations

import calendar
import json
import os
import time

from ..models import LogLine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_BYTES = 1 << 16


class LogFile:
    """Remembers how far it was read. A file that is not there is an empty one."""

    def __init__(self, path: str, position: int = 0) -> None:
        self.path = path
        self.position = position

    def size(self) -> int:
        try:
            return os.stat(self.path).st_size
        except FileNotFoundError:
            return 0

    def inode(self) -> int:
        """0 when it is not there."""
        try:
            return os.stat(self.path).st_ino
        except FileNotFoundError:
            return 0

    def lines(self, end: int | None = None) -> Iterator[LogLine]:
        """The whole records from the position to `end` (None: all that is there when it is reached).

        Damaged ones, as a power cut leaves them, are passed over.
        """
        second, second_ns = "", 0
        try:
            with open(self.path, "rb") as file:
                file.seek(self.position)
                for raw in file:
                    if not raw.endswith(b"\n") or (end is not None and self.position >= end):
                        return
                    self.position += len(raw)
                    try:
                        data = json.loads(raw)
                        stamp, stream, text = data["time"], data["stream"], data["log"]
                        if stamp[:19] != second:  # parsing a date costs more than all the rest
                            second, second_ns = stamp[:19], _seconds(stamp[:19]) * 1_000_000_000
                        fraction = int(stamp[20:-1].ljust(9, "0"))
                    except (ValueError, KeyError, TypeError):
                        continue
                    yield LogLine(time_ns=second_ns + fraction, stream=stream, text=text)
        except FileNotFoundError:
            return

    def skip_to_tail(self, count: int, end: int) -> int:
        """Move the position to `count` lines before `end`; returns how many lines are missing to that."""
        try:
            with open(self.path, "rb") as file:
                position = end
                if count <= 0:
                    self.position = position
                    return 0
                wanted = count + 1  # the newline before the first line wanted; the last line ends with its own
                while position > 0:
                    length = min(BLOCK_BYTES, position)
                    position -= length
                    file.seek(position)
                    block = file.read(length)
                    found = block.count(b"\n")
                    if found >= wanted:
                        index = len(block)
                        for _ in range(wanted):
                            index = block.rindex(b"\n", 0, index)
                        self.position = position + index + 1
                        return 0
                    wanted -= found
        except FileNotFoundError:
            return count
        self.position = 0
        return wanted - 1


def files(path: str) -> list[LogFile]:
    """A log with its rotated predecessors, oldest first."""
    older: list[LogFile] = []
    while os.path.exists(f"{path}.{len(older) + 1}"):
        older.append(LogFile(f"{path}.{len(older) + 1}"))
    return [*reversed(older), LogFile(path)]


def _seconds(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))
