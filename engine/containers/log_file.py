"""One file of a container's log: whole records from a position on, or from so many lines before its end.

A file is opened once and then read by its descriptor, so that a rotation changes nothing for whoever is reading it.
Both forms of record are read (`shim/log_format.py`), and what a rotation has compressed.
"""

from __future__ import annotations

import calendar
import json
import os
import re
import time

from ..models import LogLine
from ..shim.log_compress import SUFFIX, original_inode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_BYTES = 1 << 16
_LISTINGS = 20
_COMPACT = {b"o": ("stdout", "\n"), b"e": ("stderr", "\n"), b"O": ("stdout", ""), b"E": ("stderr", "")}


class LogFile:
    """Remembers how far it was read. A file that is not there is an empty one until it is."""

    def __init__(self, path: str, position: int = 0) -> None:
        self.path = path
        self.position = position
        self._fd = -1
        self._unpacked_fd = -1
        self._inode = 0
        self._original = 0
        self._modified_ns = 0

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        for fd in (self._fd, self._unpacked_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._unpacked_fd = -1

    @property
    def inode(self) -> int:
        """The file's own, which no other has while this one is open; 0 when there is none."""
        return self._inode if self._open() else 0

    def continues(self, other: LogFile) -> bool:
        """Whether it has the records of `other`: the same file, or what a rotation has packed it into."""
        return other.inode in (self.inode, self._original)

    @property
    def modified_ns(self) -> int:
        """When the last record was written, for one that is complete."""
        return self._modified_ns if self._open() else 0

    def size(self) -> int:
        return os.fstat(self._content()).st_size if self._open() else 0

    def lines(self, end: int | None = None) -> Iterator[LogLine]:
        """The whole records from the position to `end` (None: all that is there when it is reached).

        Damaged ones, as a power cut leaves them, are passed over.
        """
        if not self._open():
            return
        content = self._content()
        parse = _Parser().parse
        pending, offset = b"", self.position
        while data := os.pread(content, BLOCK_BYTES, offset):
            offset += len(data)
            whole, newline, pending = (pending + data).rpartition(b"\n")
            if not newline:
                continue
            for raw in whole.split(b"\n"):
                if end is not None and self.position >= end:
                    return
                self.position += len(raw) + 1
                line = parse(raw)
                if line:
                    yield line

    def skip_to_tail(self, count: int, end: int) -> int:
        """Move the position to `count` lines before `end`; returns how many lines are missing to that."""
        if not self._open():
            return count
        content = self._content()
        position = end
        if count <= 0:
            self.position = position
            return 0
        wanted = count + 1  # the newline before the first line wanted; the last line ends with its own
        while position > 0:
            length = min(BLOCK_BYTES, position)
            position -= length
            block = os.pread(content, length, position)
            found = block.count(b"\n")
            if found >= wanted:
                index = len(block)
                for _ in range(wanted):
                    index = block.rindex(b"\n", 0, index)
                self.position = position + index + 1
                return 0
            wanted -= found
        self.position = 0
        return wanted - 1

    def _open(self) -> bool:
        if self._fd < 0:
            try:
                fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
            status = os.fstat(fd)
            self._fd, self._inode, self._modified_ns = fd, status.st_ino, status.st_mtime_ns
            if self.path.endswith(SUFFIX):
                self._original = original_inode(os.pread(fd, 64, 0))
        return True

    def _content(self) -> int:
        """A descriptor of the records, unpacked when somebody wants them."""
        if not self.path.endswith(SUFFIX):
            return self._fd
        if self._unpacked_fd < 0:
            self._unpacked_fd = _unpacked(self._fd)
        return self._unpacked_fd


class _Parser:
    """Remembers the second it was in: parsing a date costs more than all the rest."""

    def __init__(self) -> None:
        self._second = ""
        self._second_ns = 0

    def parse(self, raw: bytes) -> LogLine | None:
        kind = _COMPACT.get(raw[:1])
        if kind:
            stream, newline = kind
            stamp, _, text = raw[1:].partition(b" ")
            if not stamp.isdigit():
                return None
            return LogLine(time_ns=int(stamp), stream=stream, text=text.decode(errors="surrogateescape") + newline)
        try:
            data = json.loads(raw)
            time_text, stream, text = data["time"], data["stream"], data["log"]
            if time_text[:19] != self._second:
                self._second, self._second_ns = time_text[:19], _seconds(time_text[:19]) * 1_000_000_000
            fraction = int(time_text[20:-1].ljust(9, "0"))
            attributes = data.get("attrs")
        except (ValueError, KeyError, TypeError):
            return None
        if attributes:
            return LogLine(time_ns=self._second_ns + fraction, stream=stream, text=text, attributes=attributes)
        return LogLine(time_ns=self._second_ns + fraction, stream=stream, text=text)


def files(path: str) -> list[LogFile]:
    """A log with its rotated predecessors, oldest first, all open: what a rotation does from now on is not seen."""
    for _ in range(_LISTINGS):
        names = _names(path)
        found = [LogFile(name) for name in names]
        inodes = [file.inode for file in found]
        if 0 not in inodes[:-1] and len(set(inodes)) == len(inodes) and _names(path) == names:
            return found
    return found


def successor(path: str, file: LogFile) -> LogFile:
    """The file that was begun after this one; the oldest there is when this one is no longer kept."""
    found = files(path)
    # The newest match counts: an older one was packed from a file that had the inode before.
    index = max((number for number, candidate in enumerate(found) if candidate.continues(file)), default=-1)
    return found[min(index + 1, len(found) - 1)]


def _names(path: str) -> list[str]:
    """Oldest first, the log itself last. Where a file and its packed form are both there, the packing was cut off."""
    folder, name = os.path.split(path)
    pattern = re.compile(re.escape(name) + r"\.([0-9]{1,9})(\.gz)?")
    numbers: dict[int, str] = {}
    try:
        entries = os.listdir(folder)
    except FileNotFoundError:
        entries = []
    for entry in sorted(entries):
        match = pattern.fullmatch(entry)
        if match:
            numbers.setdefault(int(match[1]), f"{folder}/{entry}")
    return [*(numbers[number] for number in sorted(numbers, reverse=True)), path]


def _unpacked(fd: int) -> int:
    """The content of a gzip file as a file in memory; it is no larger than one log may be."""
    import zlib

    memory = os.memfd_create("log", os.MFD_CLOEXEC)
    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    offset = 0
    while block := os.pread(fd, BLOCK_BYTES, offset):
        offset += len(block)
        data = memoryview(unpacker.decompress(block))
        while data:
            data = data[os.write(memory, data) :]
    return memory


def _seconds(text: str) -> int:
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%S"))
