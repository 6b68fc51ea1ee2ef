"""Blobs by digest: the `blobs/` of the OCI image layout, and those still on their way.

A blob lies under its digest only when it is complete, checked and on disk. While it is fetched it grows in
`tmp/ingest/<hex>`, under an exclusive flock that makes every other process wait for the one that fetches it;
what a killed process leaves there is hashed again and continued by the next one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time

from ..errors import Cancelled, CorruptContent, NotFound
from .index import sync_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..paths import Paths

PIECE = 1 << 20
STALE_S = 24 * 3600
LOCK_POLL_S = 0.05


class ContentStore:
    """Complete blobs, and the way in."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths

    def has(self, digest: str) -> bool:
        return os.path.exists(self.paths.blob(digest))

    def size(self, digest: str) -> int:
        """Bytes of a blob that is here. Raises NotFound."""
        try:
            return os.stat(self.paths.blob(digest)).st_size
        except FileNotFoundError as error:
            raise NotFound(f"blob {digest} is not in the content store") from error

    def open(self, digest: str) -> int:
        """A descriptor to read the blob from; the caller closes it. Raises NotFound."""
        try:
            return os.open(self.paths.blob(digest), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise NotFound(f"blob {digest} is not in the content store", hint="Pull the image again.") from error

    def read(self, digest: str, limit: int) -> bytes:
        """A small document, checked against its digest. Raises NotFound and CorruptContent."""
        fd = self.open(digest)
        with open(fd, "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise CorruptContent(f"document {digest} is larger than {limit} bytes")
        check_digest(data, digest, self.paths.blob(digest))
        return data

    def add(self, data: bytes) -> str:
        """Store a document and return its digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if not self.has(digest):
            with self.ingest(digest, len(data)) as ingest:
                if not ingest.complete:
                    ingest.restart()
                    ingest.write(data)
                    ingest.commit()
        return digest

    def ingest(self, digest: str, size: int = -1, *, cancelled: Callable[[], bool] | None = None) -> Ingest:
        """The right to bring this blob in; waits while another process or thread has it. Use as a context.

        `complete` is True when the blob arrived while waiting. Raises Cancelled when `cancelled` says so.
        """
        os.makedirs(self.paths.ingest, mode=0o700, exist_ok=True)
        os.makedirs(os.path.dirname(self.paths.blob(digest)), mode=0o755, exist_ok=True)
        path = f"{self.paths.ingest}/{digest.partition(':')[2]}"
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _lock(fd, cancelled)
                if self.has(digest):
                    _unlink_same(path, fd)
                    os.close(fd)
                    return Ingest(self, digest, size, path, -1)
                if _is_at(path, fd):
                    return Ingest(self, digest, size, path, fd)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)  # renamed or removed by the one we waited for: look again

    def sweep(self, stale_s: float = STALE_S) -> None:
        """Forget beginnings of blobs that nobody has continued for so long."""
        try:
            leftovers = list(os.scandir(self.paths.ingest))
        except FileNotFoundError:
            return
        for leftover in leftovers:
            if time.time() - leftover.stat().st_mtime < stale_s:
                continue
            fd = os.open(leftover.path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _unlink_same(leftover.path, fd)
            except BlockingIOError:
                pass
            finally:
                os.close(fd)

    def take(self, path: str, digest: str) -> None:
        """Make the file at `path`, on the same file system and of this digest, a blob; it is moved."""
        target = self.paths.blob(digest)
        os.makedirs(os.path.dirname(target), mode=0o755, exist_ok=True)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fchmod(fd, 0o644)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(path, target)
        sync_folder(os.path.dirname(target))

    def remove(self, digest: str) -> int:
        """Delete a blob; returns its bytes, 0 when it was not here."""
        path = self.paths.blob(digest)
        try:
            size = os.stat(path).st_size
            os.unlink(path)
        except FileNotFoundError:
            return 0
        return size

    def digests(self) -> list[str]:
        """Every complete blob."""
        try:
            return [f"sha256:{name}" for name in os.listdir(f"{self.paths.oci}/blobs/sha256")]
        except FileNotFoundError:
            return []


class Ingest:
    """A blob on its way in. `offset` bytes are here and hashed; write the rest, then `commit`.

    Leaving the context without a commit keeps the bytes, so that the next attempt continues; `restart` drops them.
    """

    def __init__(self, store: ContentStore, digest: str, size: int, path: str, fd: int) -> None:
        self.digest = digest
        self.size = size
        self.complete = fd < 0
        self.offset = 0
        self._store = store
        self._path = path
        self._fd = fd
        self._hash = hashlib.new(digest.partition(":")[0])
        if fd >= 0:
            self._hash_what_is_here()

    def __enter__(self) -> Ingest:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def write(self, data: bytes | memoryview) -> None:
        """Append. Raises CorruptContent as soon as there is more than the announced size."""
        if 0 <= self.size < self.offset + len(data):
            self.restart()
            raise CorruptContent(f"blob {self.digest} is longer than the {self.size} bytes announced")
        self._hash.update(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self.offset += len(data)

    def restart(self) -> None:
        """Drop what is here and begin at offset 0."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._hash = hashlib.new(self.digest.partition(":")[0])
        self.offset = 0

    def verify(self) -> None:
        """Raise CorruptContent, dropping the bytes, unless they are the announced ones."""
        if 0 <= self.size != self.offset:
            offset = self.offset
            self.restart()
            raise CorruptContent(f"blob {self.digest} has {offset} bytes, not {self.size}")
        found = f"{self.digest.partition(':')[0]}:{self._hash.hexdigest()}"
        if found != self.digest:
            self.restart()
            raise CorruptContent(f"blob {self.digest} is corrupt: its content has the digest {found}")

    def reader(self) -> int:
        """A descriptor of its own to read the verified bytes from, before or after the commit."""
        return os.open(f"/proc/self/fd/{self._fd}", os.O_RDONLY | os.O_CLOEXEC)

    def commit(self) -> None:
        """Verify, put on disk, and give the blob its name."""
        self.verify()
        os.fchmod(self._fd, 0o644)
        os.fsync(self._fd)
        target = self._store.paths.blob(self.digest)
        os.rename(self._path, target)
        sync_folder(os.path.dirname(target))
        self.complete = True

    def _hash_what_is_here(self) -> None:
        while piece := os.read(self._fd, PIECE):
            self._hash.update(piece)
            self.offset += len(piece)
        if 0 <= self.size < self.offset:
            self.restart()


def check_digest(data: bytes, digest: str, where: str) -> None:
    """Raise CorruptContent unless `data` has this digest."""
    algorithm = digest.partition(":")[0]
    found = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    if found != digest:
        raise CorruptContent(f"{where}: expected {digest}, the content has {found}")


def _lock(fd: int, cancelled: Callable[[], bool] | None) -> None:
    # Polled, because a blocked flock cannot be woken by a cancel that comes from another thread.
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if cancelled is not None and cancelled():
                raise Cancelled("cancelled while another pull was fetching the same layer") from None
            time.sleep(LOCK_POLL_S)


def _is_at(path: str, fd: int) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(fd)
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _unlink_same(path: str, fd: int) -> None:
    if _is_at(path, fd):
        os.unlink(path)
