"""A file that never grows beyond its size, with its predecessors: log, log.1, log.2, … the higher the older.

No record is cut or lost by a rotation: a file ends with the last record that fits. (One that is larger than a whole
file has a file of its own.) Readers find a file under the first name at every moment, and notice that it is another by
its inode. With `compress` a child process packs what was rotated, into log.1.gz, while the container goes on printing.
"""

from __future__ import annotations

import os
import signal

from .log_compress import SUFFIX, compress
from .loop import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .loop import Loop


class RotatingFile:
    """`max_bytes` 0: never rotated; otherwise `files` of this size are kept, the one being written included."""

    def __init__(
        self, path: str, *, max_bytes: int = 0, files: int = 1, compress: bool = False, loop: Loop | None = None
    ) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._files = max(files, 1)
        self._compresses = compress
        self._loop = loop
        self._child = 0
        self._fd = _open(path)
        self._size = os.fstat(self._fd).st_size
        if compress and os.path.exists(f"{path}.1"):  # whoever was at it has been killed
            self._start_compression()

    def append(self, records: bytes) -> bool:
        """Write whole records, each ended by a newline. False when the disk refused some, which is then not written."""
        start, limit = 0, self._max_bytes
        while limit and self._size + len(records) - start > limit:
            cut = records.rfind(b"\n", start, max(start + limit - self._size, start)) + 1
            if not cut and not self._size:
                cut = records.index(b"\n", start) + 1
            if cut:
                if not self._write(records[start:cut]):
                    return False
                start = cut
                if start == len(records):
                    return True
            if not self._rotate():
                break  # better too large a file than none
        return self._write(records[start:])

    def close(self) -> None:
        """What is being compressed stays as it is; the next writer goes on with it."""
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            self._reap(wait=True)
        os.close(self._fd)

    def _write(self, data: bytes) -> bool:
        try:
            written = os.write(self._fd, data)
            if written < len(data):
                os.ftruncate(self._fd, self._size)
                return False
        except OSError:
            return False
        self._size += written
        return True

    def _rotate(self) -> bool:
        """Put the file aside and begin another; False when that cannot be."""
        self._reap(wait=True)
        path = self.path
        try:
            new = _open(f"{path}.new", os.O_TRUNC)
        except OSError:
            return False
        try:
            if self._files > 1:
                self._shift()
                try:
                    os.link(path, f"{path}.1")
                except PermissionError:  # a file system without links: for a moment there is no log under the name
                    os.replace(path, f"{path}.1")
            os.replace(f"{path}.new", path)
        except OSError:
            os.close(new)
            return False
        os.close(self._fd)
        self._fd, self._size = new, 0
        if self._compresses and self._files > 1:
            self._start_compression()
        return True

    def _shift(self) -> None:
        for number in range(self._files - 1, 0, -1):
            for suffix in ("", SUFFIX):
                older, target = f"{self.path}.{number - 1}{suffix}", f"{self.path}.{number}{suffix}"
                if number == self._files - 1:
                    _unlink(target)
                if number > 1 and os.path.exists(older):
                    os.replace(older, target)

    def _start_compression(self) -> None:
        try:
            child = os.fork()
        except OSError:
            return
        if child == 0:
            compress(f"{self.path}.1")
        self._child = child
        if self._loop:
            loop, pidfd = self._loop, os.pidfd_open(child)

            def ended(_events: int) -> None:
                loop.unwatch(pidfd)
                os.close(pidfd)
                self._reap(wait=False)

            loop.watch(pidfd, READ, ended)

    def _reap(self, *, wait: bool) -> None:
        if self._child:
            try:
                ended, _status = os.waitpid(self._child, 0 if wait else os.WNOHANG)
            except ChildProcessError:
                ended = self._child
            if ended:
                self._child = 0


def _open(path: str, flags: int = 0) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | flags, 0o640)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
