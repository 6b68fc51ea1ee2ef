"""Files of a container, in and out, as tar: what `cp` and the API's archive endpoints do, by Docker's rules.

A path's last part is not followed when it is a symbolic link, unless the path ends in a slash or `/.`; all that lead
to it are, inside the container's root. What an archive of `/etc/ssl` holds is called `ssl/…`, that of `/etc/ssl/.` is
`./…`.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat

from runtime.rootfs import resolve

from ..errors import EngineError, InvalidRequest, NotFound
from ..record import Record
from ..tars import header
from ..tars.tree import TreeWriter, gathered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .view import View

_LINKS_MAX = 40
_GO_BITS = (
    (stat.S_IFDIR, 1 << 31),
    (stat.S_IFLNK, 1 << 27),
    (stat.S_IFBLK, 1 << 26),
    (stat.S_IFCHR, 1 << 26 | 1 << 21),
    (stat.S_IFIFO, 1 << 25),
    (stat.S_IFSOCK, 1 << 24),
)
# Made by the kernel; their files have no size to put in a header and no end to read to.
_KERNEL_ROOTS = (b"dev", b"proc", b"sys")


class PathStat(Record):
    """What a path in a container is. `mode` is st_mode, `link_target` the whole path that a symbolic link leads to."""

    name: str
    size: int
    mode: int
    mtime_ns: int
    link_target: str = ""

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def go_mode(self) -> int:
        """The mode in the bits of Go's os.FileMode, as the API tells it."""
        bits = self.mode & 0o777
        bits |= next((bit for kind, bit in _GO_BITS if stat.S_IFMT(self.mode) == kind), 0)
        for mask, bit in ((stat.S_ISUID, 1 << 23), (stat.S_ISGID, 1 << 22), (stat.S_ISVTX, 1 << 20)):
            bits |= bit if self.mode & mask else 0
        return bits


class Stream:
    """An archive in pieces, to be iterated once and closed; what it reads from is held open until then."""

    def __init__(self, pieces: Iterator[bytes], view: View) -> None:
        self._pieces = pieces
        self._view = view

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
        self._view.close()


def stat_path(view: View, path: str, container: str) -> PathStat:
    """Raises NotFound."""
    parent_fd, base = _open_parent(view.fd, path, container)
    try:
        found = os.stat(base, dir_fd=parent_fd, follow_symlinks=False)
    except OSError as error:
        raise _not_found(path, container, error) from error
    finally:
        os.close(parent_fd)
    target = _link_target(view.fd, _cleaned(path)) if stat.S_ISLNK(found.st_mode) else ""
    name = posixpath.basename(_cleaned(path)) or "/"
    return PathStat(name=name, size=found.st_size, mode=found.st_mode, mtime_ns=found.st_mtime_ns, link_target=target)


def read(view: View, path: str, container: str) -> Iterator[bytes]:
    """The archive of a path, in pieces. Raises NotFound before the first."""
    parent_fd, base = _open_parent(view.fd, path, container)
    try:
        os.stat(base, dir_fd=parent_fd, follow_symlinks=False)
    except OSError as error:
        os.close(parent_fd)
        raise _not_found(path, container, error) from error
    return gathered(_archive(view, parent_fd, base, path))


def write(
    view: View,
    path: str,
    container: str,
    read: Callable[[int], bytes],
    *,
    owner: tuple[int, int] | None = None,
    strict: bool = False,
) -> int:
    """Unpack an archive into a directory; the bytes of its files. `read(n)` gives up to n bytes, b"" at the end.

    Raises NotFound for a path that is not there, InvalidRequest for one that is no directory or read-only.
    """
    from ..tars.extract import Extraction
    from ..tars.read import open_archive

    folder = "/" + path.strip("/")
    try:
        fd = resolve.open_in_root(view.fd, folder)
    except OSError as error:
        raise _not_found(path, container, error) from error
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            raise InvalidRequest(f"extraction point is not a directory: {container}:{path}")
        if os.fstatvfs(fd).f_flag & os.ST_RDONLY:
            raise InvalidRequest(f"{container}:{path} is read-only: it cannot be copied to")
    finally:
        os.close(fd)
    extraction = Extraction(view.fd, folder, inside=True, owner=owner, strict=strict, id_base=view.id_base)
    extraction.run(open_archive(read))
    return extraction.size


def export(view: View) -> Iterator[bytes]:
    """The whole root as an archive, in pieces."""
    return gathered(_everything(view))


def _everything(view: View) -> Iterator[bytes]:
    fd = resolve.open_in_root(view.fd, "/", os.O_RDONLY | os.O_DIRECTORY)
    yield from TreeWriter(id_base=view.id_base).below(fd, b"")
    yield header.END


def _archive(view: View, parent_fd: int, base: bytes, path: str) -> Iterator[bytes]:
    root = os.stat(".", dir_fd=view.fd)
    whole = _cleaned(path) == "/"

    def skip_below(name: bytes, status: os.stat_result) -> bool:
        return whole and name.removeprefix(b"./") in _KERNEL_ROOTS and status.st_dev != root.st_dev

    writer = TreeWriter(skip_below=skip_below, id_base=view.id_base)
    name = b"." if whole or path.endswith("/.") else os.fsencode(posixpath.basename(_cleaned(path)))
    try:
        yield from writer.tree(parent_fd, base, name)
        yield header.END
    finally:
        os.close(parent_fd)


def _open_parent(root_fd: int, path: str, container: str) -> tuple[int, bytes]:
    """The directory that a path's last part is in, opened, and that part; "." where the path says a directory."""
    cleaned = _cleaned(path)
    asserted = cleaned == "/" or path.endswith(("/", "/."))
    folder, base = (cleaned, ".") if asserted else posixpath.split(cleaned)
    try:
        fd = resolve.open_in_root(root_fd, folder, os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        raise _not_found(path, container, error) from error
    return fd, os.fsencode(base)


def _link_target(root_fd: int, path: str) -> str:
    """Where a path leads with every link followed, as text, within the root."""
    waiting = [part for part in path.split("/") if part]
    walked: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            del walked[-1:]
            continue
        try:
            parent_fd = resolve.open_in_root(root_fd, "/".join(walked) or "/", os.O_PATH | os.O_DIRECTORY)
        except OSError:
            return "/" + "/".join([*walked, part, *waiting])
        try:
            target = os.readlink(part, dir_fd=parent_fd)
        except OSError:
            walked.append(part)
            continue
        finally:
            os.close(parent_fd)
        links += 1
        if links > _LINKS_MAX:
            break
        if target.startswith("/"):
            walked.clear()
        waiting[:0] = target.split("/")
    return "/" + "/".join(walked)


def _cleaned(path: str) -> str:
    return posixpath.normpath("/" + path.lstrip("/"))


def _not_found(path: str, container: str, error: OSError) -> EngineError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        if error.errno == errno.ENOTDIR and path.endswith(("/", "/.")):
            return InvalidRequest(f"not a directory: {container}:{path}")
        return NotFound(f"could not find the file {path} in container {container}")
    return EngineError(f"cannot open {container}:{path}: {os.strerror(error.errno or 0).lower()}")
