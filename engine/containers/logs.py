"""Reading a container's log: from its end, from a time, and as it grows, through rotations and restarts."""

from __future__ import annotations

import os
import select
import time

from runtime.kernel import inotify

from ..errors import EngineError
from . import log_file, rows
from .locks import shim_alive
from .session import request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..models import Container, LogLine
    from ..paths import Paths
    from ..store import Store
    from .log_file import LogFile
    from .session import Session

CANCEL_LATENCY_S = 0.25
RESTART_S = 60.0
"""How long a follower waits for a container that is being restarted by somebody."""
_POLL_S = 0.05
_CHANGES = inotify.IN_MODIFY | inotify.IN_ATTRIB | inotify.IN_MOVE_SELF | inotify.IN_DELETE_SELF


class Unreadable(EngineError):
    """The log driver keeps nothing that could be read."""


def read(
    store: Store,
    paths: Paths,
    container: Container,
    *,
    driver: str = "json-file",
    follow: bool = False,
    tail: int | None = None,
    since_ns: int = 0,
    until_ns: int = 0,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[LogLine]:
    """Lines in order; with `follow` as they come, until the container ends, `cancelled()` or the caller stops.

    Raises Unreadable at once for a container whose log is not kept.
    """
    if driver == "none":
        raise Unreadable(
            "configured logging driver does not support reading", hint="It was made with --log-driver none."
        )
    if driver == "journald":
        from . import journal

        ending = None
        if follow:
            try:
                ending, _reply = request(paths.shim_socket(container.id), {"op": "wait", "final": True})
            except (FileNotFoundError, ConnectionError):
                follow = False  # it has ended: what there is is all
        return journal.read(
            container,
            follow=follow,
            tail=tail,
            since_ns=since_ns,
            until_ns=until_ns,
            cancelled=cancelled,
            ending=ending,
        )
    return _chosen(_all(store, paths, container, follow, tail, since_ns, cancelled), since_ns, until_ns)


def _chosen(lines: Iterator[LogLine], since_ns: int, until_ns: int) -> Iterator[LogLine]:
    for line in lines:
        if until_ns and line.time_ns > until_ns:
            return
        if line.time_ns >= since_ns:
            yield line


def _all(
    store: Store,
    paths: Paths,
    container: Container,
    follow: bool,
    tail: int | None,
    since_ns: int,
    cancelled: Callable[[], bool] | None,
) -> Iterator[LogLine]:
    files = log_file.files(paths.log(container.id))
    newest = files.pop()
    end = newest.size()  # what comes while this reads is for the follower
    if tail is not None:
        missing = newest.skip_to_tail(tail, end)
        needed: list[LogFile] = []
        while missing and files:
            needed.insert(0, files.pop())
            missing = needed[0].skip_to_tail(missing, needed[0].size())
        files = needed
    for file in files:
        if file.modified_ns >= since_ns:
            yield from file.lines()
        file.close()
    yield from newest.lines(end)
    if follow:
        yield from _follow(store, paths, container, newest, cancelled)


def _follow(
    store: Store, paths: Paths, container: Container, file: LogFile, cancelled: Callable[[], bool] | None
) -> Iterator[LogLine]:
    follower = _Follower(paths.log(container.id), file)
    notifier = inotify.create()
    try:
        while True:
            try:
                ending, _reply = request(paths.shim_socket(container.id), {"op": "wait", "final": True})
            except (FileNotFoundError, ConnectionError):
                pass  # it has ended; its last lines are there
            else:
                with ending:
                    yield from follower.watch(notifier, ending, cancelled)
            if cancelled and cancelled():
                return
            yield from follower.rest()
            if not _restarts(store, paths, container.id, cancelled):
                return
    finally:
        os.close(notifier)


class _Follower:
    """Reads on from where a file was read to, through the files that are begun after it."""

    def __init__(self, path: str, file: LogFile) -> None:
        self._path = path
        self._file = file

    def watch(self, notifier: int, ending: Session, cancelled: Callable[[], bool] | None) -> Iterator[LogLine]:
        """Lines as they come, until the container ends."""
        watched = 0
        while True:
            now = _inode(self._path)
            if now and now != watched:
                try:
                    inotify.watch(notifier, self._path, _CHANGES)
                except FileNotFoundError:
                    continue
                watched = now
            yield from self.rest()
            if ending.fileno() < 0 or (cancelled and cancelled()):
                return
            if _inode(self._path) != watched:
                continue
            wait_s = CANCEL_LATENCY_S if cancelled or not watched else None
            ready = select.select([notifier, ending.fileno()], [], [], wait_s)[0]
            if notifier in ready:
                inotify.drain(notifier)
            if ending.fileno() in ready and ending.read_available():
                ending.close()  # the container has ended; one more round for its last lines

    def rest(self) -> Iterator[LogLine]:
        """All that is there now."""
        while True:
            # The order matters: a file that is found set aside has got its last record, so reading it now is enough.
            newest = _inode(self._path)
            yield from self._file.lines()
            if not newest or self._file.inode in (0, newest):
                return
            self._file = log_file.successor(self._path, self._file)


def _inode(path: str) -> int:
    """0 when it is not there."""
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0


def _restarts(store: Store, paths: Paths, container_id: str, cancelled: Callable[[], bool] | None) -> bool:
    """Whether it goes on: somebody restarts it, and its shim is there again."""
    deadline = time.monotonic() + RESTART_S
    while time.monotonic() < deadline and not (cancelled and cancelled()):
        found = store.query("SELECT state FROM containers WHERE id = ?", (container_id,))
        if not found or found[0][0] not in rows.LIVE_STATES:
            return False
        time.sleep(_POLL_S)
        if shim_alive(paths, container_id) and os.path.exists(paths.shim_socket(container_id)):
            return True
    return False
