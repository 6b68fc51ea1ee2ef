"""The lock on one container's life cycle, and the question whether its shim lives.

Both are flock(2) on files in the run folder: the kernel gives them back when their holder dies.
"""

from __future__ import annotations

import fcntl
import os
import time

from ..errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from ..paths import Paths

WAIT_S = 30.0


class LifecycleLock:
    """`with LifecycleLock(paths, id):` create, start and remove of one container happen one at a time.

    The lock's folder goes with the container. Whoever waited for the lock meanwhile gets it on a new file, and takes
    the folder away again when there is no container.
    """

    def __init__(self, paths: Paths, container_id: str, *, wait_s: float = WAIT_S) -> None:
        self._path = paths.lifecycle_lock(container_id)
        self._bundle = paths.container(container_id)
        self._id = container_id
        self._wait_s = wait_s
        self._fd = -1

    def __enter__(self) -> Self:
        while True:
            try:
                os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
                self._fd = _locked(self._path, self._wait_s)
            except (FileNotFoundError, FileExistsError):  # removed between two looks of either
                continue
            if self._fd < 0:
                raise Conflict(f"container {self._id[:12]} is being changed by another process", hint="Try again.")
            if _is_at(self._fd, self._path):
                return self
            os.close(self._fd)

    def __exit__(self, *_error: object) -> None:
        if not os.path.exists(self._bundle) and _is_at(self._fd, self._path):
            folder = os.path.dirname(self._path)
            for name in ("shim.lock", "lock"):  # its own last: until then nobody else can have it
                try:
                    os.unlink(f"{folder}/{name}")
                except FileNotFoundError:
                    pass
            try:
                os.rmdir(folder)
            except OSError:  # somebody waits there already
                pass
        os.close(self._fd)


def shim_alive(paths: Paths, container_id: str) -> bool:
    """Whether the container has a living shim."""
    try:
        fd = os.open(paths.shim_lock(container_id), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def wait_for_shim(paths: Paths, container_id: str, *, wait_s: float = WAIT_S) -> bool:
    """Wait until the shim is gone; False when it still lives after that time."""
    try:
        fd = _locked(paths.shim_lock(container_id), wait_s, create=False)
    except FileNotFoundError:
        return True
    if fd < 0:
        return False
    os.close(fd)
    return True


def _locked(path: str, wait_s: float, *, create: bool = True) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    fd = os.open(path, flags, 0o600)
    deadline = time.monotonic() + wait_s
    pause_s = 0.0005
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(fd)
                return -1
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.05)


def _is_at(fd: int, path: str) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return False
    mine = os.fstat(fd)
    return (found.st_ino, found.st_dev) == (mine.st_ino, mine.st_dev)
