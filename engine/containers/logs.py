"""Reading a container's log: from its end, from a time, and as it grows."""

from __future__ import annotations

import calendar
import json
import os
import select
import time

from runtime.kernel import inotify

from ..models import LogLine
from . import rows
from .session import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..models import Container
    from ..paths import Paths
    from ..store import Store

BLOCK_BYTES = 1 << 16
CANCEL_LATENCY_S = 0.25


def read(
    store: Store,
    paths: Paths,
    container: Container,
    *,
    follow: bool = False,
    tail: int | None = None,
    since_ns: int = 0,
    until_ns: int = 0,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[LogLine]:
    """Lines in order; with `follow` as they come, until the container ends, `cancelled()` or the caller stops."""
    files = _files(paths.log(container.id))
    position = 0
    for path in files:
        start = _tail_offset(path, files, tail) if tail is not None else 0
        for line, position in _lines(path, start):
            if until_ns and line.time_ns > until_ns:
                return
            if line.time_ns >= since_ns:
                yield line
    if follow:
        for line in _follow(store, paths, container, position, cancelled):
            if until_ns and line.time_ns > until_ns:
                return
            if line.time_ns >= since_ns:
                yield line


def parse_time(text: str) -> int:
    """RFC 3339 with up to nine digits of a second, as the shim writes it, in nanoseconds."""
    whole, _dot, fraction = text.rstrip("Z").partition(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or 0)


def _files(path: str) -> list[str]:
    """The log's files that exist, oldest first."""
    older = []
    while os.path.exists(f"{path}.{len(older) + 1}"):
        older.append(f"{path}.{len(older) + 1}")
    return [*reversed(older), path]


def _tail_offset(path: str, files: list[str], tail: int) -> int:
    """Where in this file the last `tail` lines of all files together begin."""
    for newer in files[files.index(path) + 1 :]:
        tail -= _count(newer)
    if tail <= 0:
        return _size(path)
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        return 0
    with file:
        position = file.seek(0, os.SEEK_END)
        wanted = tail + 1  # the newline before the first line wanted; the last line ends with one of its own
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
                return position + index + 1
            wanted -= found
    return 0


def _count(path: str) -> int:
    try:
        with open(path, "rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK_BYTES), b""))
    except FileNotFoundError:
        return 0


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _lines(path: str, start: int) -> Iterator[tuple[LogLine, int]]:
    """Whole lines from an offset on, each with the offset behind it."""
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        return
    second, second_ns = "", 0
    with file:
        file.seek(start)
        for raw in file:
            if not raw.endswith(b"\n"):
                return
            start += len(raw)
            try:
                data = json.loads(raw)
                stamp = data["time"]
                if stamp[:19] != second:  # parsing a date costs more than all the rest
                    second, second_ns = stamp[:19], parse_time(stamp[:19])
                fraction = int(stamp[20:-1].ljust(9, "0"))
                yield LogLine(time_ns=second_ns + fraction, stream=data["stream"], text=data["log"]), start
            except (ValueError, KeyError, TypeError):  # a torn write after a power cut
                continue


def _follow(
    store: Store, paths: Paths, container: Container, position: int, cancelled: Callable[[], bool] | None
) -> Iterator[LogLine]:
    path = paths.log(container.id)
    try:
        waiting, _reply = request(paths.shim_socket(container.id), {"op": "wait"})
    except (FileNotFoundError, ConnectionError):
        yield from (line for line, _ in _lines(path, position))
        return
    notifier = inotify.create()
    inode = -1
    try:
        while True:
            now = _inode(path)
            if now != inode:
                if inode != -1:  # rotated: finish the old file, which has moved to .1
                    yield from (line for line, _ in _lines(f"{path}.1", position))
                    position = 0
                inode = now
                if inode:
                    inotify.watch(notifier, path, inotify.IN_MODIFY | inotify.IN_MOVE_SELF | inotify.IN_DELETE_SELF)
            if _size(path) < position:  # truncated
                position = 0
            for line, position in _lines(path, position):
                yield line
            if cancelled and cancelled():
                return
            if waiting.fileno() < 0 or _inode(path) != inode:
                if waiting.fileno() < 0:
                    return
                continue
            ready = select.select([notifier, waiting], [], [], CANCEL_LATENCY_S if cancelled or not inode else None)[0]
            if notifier in ready:
                inotify.drain(notifier)
            if waiting in ready and waiting.read_available():
                waiting.close()  # the container has ended; one more round for its last lines
    finally:
        waiting.close()
        os.close(notifier)


def _inode(path: str) -> int:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0


def last_lines(store: Store, paths: Paths, reference: str, count: int) -> list[LogLine]:
    """The end of a log, for a summary."""
    return list(read(store, paths, rows.find(store, reference), tail=count))
