"""A directory tree as a tar archive, in pieces as they are read.

The tree may belong to a container that changes it meanwhile, or means harm: every step goes by name from an open
directory and follows no link, nothing but regular files is opened, and an entry has the size that its header said,
cut or filled with zeros. Sockets are left out.
"""

from __future__ import annotations

import os
import stat

from ..errors import EngineError
from . import header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Skip = Callable[[bytes, os.stat_result], bool]

PIECE = 1 << 20
GATHERED = 1 << 17
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_IDS, _NOBODY = 1 << 16, 65534
_NOT_KEPT = ("trusted.overlay.", "user.overlay.", "security.selinux", "trusted.")


class TreeWriter:
    """Archives files and trees; remembers inodes with several names, so that hard links stay links.

    `skip_below(name, status)`: a directory whose content is left out. `precise`: times to the nanosecond. `id_base`:
    what is taken off every owner.
    """

    def __init__(self, *, skip_below: Skip | None = None, precise: bool = False, id_base: int = 0) -> None:
        self._id_base = id_base
        self._skip_below = skip_below
        self._precise = precise
        self._linked: dict[tuple[int, int], bytes] = {}

    def entry(self, parent_fd: int, base: bytes, name: bytes) -> Iterator[bytes]:
        """One file or directory, without what is in it. What vanished meanwhile gives nothing."""
        try:
            status = os.stat(base, dir_fd=parent_fd, follow_symlinks=False)
        except FileNotFoundError:
            return
        kind = header.kind_of(status.st_mode)
        if kind is None:
            return
        if kind == b"0":
            yield from self._file(parent_fd, base, name, status)
            return
        link = b""
        if kind == b"2":
            link = os.readlink(base, dir_fd=parent_fd)
        elif status.st_nlink > 1 and kind != b"5":
            first = self._linked.setdefault((status.st_dev, status.st_ino), name)
            if first != name:
                kind, link = header.HARD_LINK, first
        if kind == b"5":
            name = name.rstrip(b"/") + b"/"
        xattrs = _attributes(f"/proc/self/fd/{parent_fd}/".encode() + base) if kind == b"5" else None
        yield self._header(name, kind, status, link=link, xattrs=xattrs)

    def tree(self, parent_fd: int, base: bytes, name: bytes) -> Iterator[bytes]:
        """One file, or a directory and all below it, parents before children."""
        yield from self.entry(parent_fd, base, name)
        try:
            fd = os.open(base, FOLDER, dir_fd=parent_fd)
        except OSError:
            return  # no directory, or none any more
        yield from self.below(fd, name)

    def below(self, folder_fd: int, name: bytes) -> Iterator[bytes]:
        """All that is in an open directory, which is closed; `name` is its own name in the archive, "" for none."""
        waiting = [(folder_fd, name, _children(folder_fd, name, self._skip_below))]
        try:
            while waiting:
                fd, prefix, children = waiting[-1]
                if not children:
                    waiting.pop()
                    os.close(fd)
                    continue
                base = children.pop()
                inner = _joined(prefix, base)
                yield from self.entry(fd, base, inner)
                child_fd = _open_folder(fd, base)
                if child_fd >= 0:
                    waiting.append((child_fd, inner, _children(child_fd, inner, self._skip_below)))
        finally:
            for fd, _, _ in waiting:
                os.close(fd)

    def _header(
        self,
        name: bytes,
        kind: bytes,
        status: os.stat_result,
        *,
        size: int = 0,
        link: bytes = b"",
        xattrs: dict[str, bytes] | None = None,
    ) -> bytes:
        owner = (_inside(status.st_uid, self._id_base), _inside(status.st_gid, self._id_base))
        return header.encode(
            name, kind, status, owner=owner, size=size, link=link, xattrs=xattrs, precise=self._precise
        )

    def _file(self, parent_fd: int, base: bytes, name: bytes, status: os.stat_result) -> Iterator[bytes]:
        if status.st_nlink > 1:
            first = self._linked.setdefault((status.st_dev, status.st_ino), name)
            if first != name:
                yield self._header(name, header.HARD_LINK, status, link=first)
                return
        try:
            fd = os.open(base, _FILE, dir_fd=parent_fd)
        except OSError:
            return  # exchanged for something else since it was looked at
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return
            size = status.st_size
            yield self._header(name, b"0", status, size=size, xattrs=_attributes(fd))
            yield from _content(fd, size)
            yield bytes(header.padding(size))
        finally:
            os.close(fd)


def gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are worth a system call."""
    waiting: list[bytes] = []
    length = 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= GATHERED:
            yield b"".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield b"".join(waiting)


def _inside(identifier: int, base: int) -> int:
    """An owner as a user namespace that begins at `base` has it; others are nobody there."""
    return identifier - base if base <= identifier < base + _IDS or not base else _NOBODY


def _content(fd: int, size: int) -> Iterator[bytes]:
    while size:
        piece = os.read(fd, min(size, PIECE))
        if not piece:
            break
        size -= len(piece)
        yield piece
    while size:  # the file became shorter
        piece = bytes(min(size, PIECE))
        size -= len(piece)
        yield piece


def _children(fd: int, name: bytes, skip: Skip | None) -> list[bytes]:
    if skip is not None and skip(name, os.fstat(fd)):
        return []
    return sorted((os.fsencode(child) for child in os.listdir(fd)), reverse=True)


def _open_folder(parent_fd: int, base: bytes) -> int:
    """A descriptor of a directory; -1 for anything else."""
    try:
        if not stat.S_ISDIR(os.stat(base, dir_fd=parent_fd, follow_symlinks=False).st_mode):
            return -1
        return os.open(base, FOLDER, dir_fd=parent_fd)
    except OSError as error:
        import errno

        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise EngineError(
                "folders nested too deep for the descriptors that this process may have", hint="ulimit -n"
            ) from error
        return -1


def _joined(prefix: bytes, base: bytes) -> bytes:
    return prefix.rstrip(b"/") + b"/" + base if prefix else base


def _attributes(where: int | bytes) -> dict[str, bytes] | None:
    """Extended attributes that mean the same elsewhere. By descriptor, or by a path whose last part is no link."""
    try:
        names = os.listxattr(where, follow_symlinks=isinstance(where, int))
        found = {}
        for name in names:
            if not name.startswith(_NOT_KEPT):
                found[name] = os.getxattr(where, name, follow_symlinks=isinstance(where, int))
    except OSError:
        return None  # a file system without them, or the file is gone
    return found or None
