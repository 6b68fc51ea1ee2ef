"""Reading a container's log: from its end, from a time, and as it grows."""

from __future__ import annotations

import os
import select

from runtime.kernel import inotify

from . import log_file
from .session import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..models import Container, LogLine
    from ..paths import Paths
    from .log_file import LogFile
    from .session import Session

CANCEL_LATENCY_S = 0.25
_GROWS = inotify.IN_MODIFY | inotify.IN_MOVE_SELF | inotify.IN_DELETE_SELF


def read(
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
    for line in _all(paths, container, follow, tail, cancelled):
        if until_ns and line.time_ns > until_ns:
            return
        if line.time_ns >= since_ns:
            yield line


def _all(
    paths: Paths, container: Container, follow: bool, tail: int | None, cancelled: Callable[[], bool] | None
) -> Iterator[LogLine]:
    files = log_file.files(paths.log(container.id))
    ends = [file.size() for file in files]  # what comes while this reads is for the follower
    if tail is not None:
        missing = tail
        for file, end in zip(reversed(files), reversed(ends), strict=True):
            missing = file.skip_to_tail(missing, end)
    for file, end in zip(files, ends, strict=True):
        yield from file.lines(end)
    if follow:
        yield from _follow(paths, container, files[-1], cancelled)


def _follow(
    paths: Paths, container: Container, file: LogFile, cancelled: Callable[[], bool] | None
) -> Iterator[LogLine]:
    try:
        ending, _reply = request(paths.shim_socket(container.id), {"op": "wait", "final": True})
    except (FileNotFoundError, ConnectionError):
        yield from file.lines()  # it ended between the two looks
        return
    notifier = inotify.create()
    try:
        yield from _watch(file, notifier, ending, cancelled)
    finally:
        ending.close()
        os.close(notifier)


def _watch(file: LogFile, notifier: int, ending: Session, cancelled: Callable[[], bool] | None) -> Iterator[LogLine]:
    inode = 0
    while True:
        now = file.inode()
        if now and now != inode:
            if inode:  # rotated: finish the old file, which has moved aside
                yield from log_file.LogFile(f"{file.path}.1", file.position).lines()
                file.position = 0
            inotify.watch(notifier, file.path, _GROWS)
            inode = now
        if file.size() < file.position:  # cut by rotation to a single file
            file.position = 0
        yield from file.lines()
        if ending.fileno() < 0 or (cancelled and cancelled()):
            return
        wait_s = CANCEL_LATENCY_S if cancelled or not inode else None
        ready = select.select([notifier, ending.fileno()], [], [], wait_s)[0]
        if notifier in ready:
            inotify.drain(notifier)
        if ending.fileno() in ready and ending.read_available():
            ending.close()  # the container has ended; one more round for its last lines
