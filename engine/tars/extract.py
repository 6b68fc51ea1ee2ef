"""Puts an archive into a directory that others may write to meanwhile: a container's, or a person's.

What an entry's name leads to is decided by the kernel at the moment of use: `inside` a container links are followed
within its root and never beyond (openat2, RESOLVE_IN_ROOT); on the host no link is followed at all. The last part of a
name is never followed; what is there is replaced, only a directory takes a directory. Docker's rules otherwise.
"""

from __future__ import annotations

import errno
import os
import stat

from runtime.kernel import calls
from runtime.kernel import constants as k
from runtime.rootfs import resolve

from ..errors import EngineError, InvalidRequest
from ..images.unpack import tar
from ..images.unpack.errors import BadLayer
from ..images.unpack.tar import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..images.unpack.source import Source
    from ..images.unpack.tar import Entry

    Rename = Callable[[bytes], bytes]

_CACHED = 32
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_IDS = 1 << 16
_MAXIMUM_ID = (1 << 32) - 2
_LATEST_NS = (1 << 34) * 10**9
_SPECIAL = {tar.CHARACTER: stat.S_IFCHR, tar.BLOCK_DEVICE: stat.S_IFBLK, tar.FIFO: stat.S_IFIFO}


class Extraction:
    """One archive into one directory.

    `root_fd`: with `inside`, the container's root, and `folder` a path in it; else the directory itself. `owner`: who
    owns everything, None for the archive's word. `strict`: neither does a file replace a directory nor the reverse.
    `id_base`: the root of the user namespace that all of it belongs to, whose owners the archive tells. `with_root`:
    the directory takes the attributes that the archive has for it.
    """

    def __init__(
        self,
        root_fd: int,
        folder: str = "",
        *,
        inside: bool,
        owner: tuple[int, int] | None = None,
        strict: bool = False,
        with_root: bool = False,
        id_base: int = 0,
    ) -> None:
        self._root_fd = root_fd
        self._folder = folder.strip("/")
        self._inside = inside
        self._owner = owner
        self._strict = strict
        self._with_root = with_root
        self._id_base = id_base
        self._folders: dict[bytes, int] = {}
        self._times: dict[bytes, int] = {}
        self._root_time_ns = -1
        self.entries = 0
        self.size = 0

    def run(self, source: Source, rename: Rename | None = None) -> None:
        """Unpack everything; `rename` gives each name its new one. Raises InvalidRequest for an archive that is none
        or breaks out, EngineError from the file system."""
        if not self._id_base:
            self._run(source, rename)
            return
        from runtime.kernel.fsuid import FileSystemUser

        # What this machine's root makes would belong to nobody there, which the kernel refuses.
        with FileSystemUser(self._id_base, self._id_base):
            self._run(source, rename)

    def _run(self, source: Source, rename: Rename | None) -> None:
        try:
            while (entry := tar.next_entry(source)) is not None:
                self.entries += 1
                if rename is not None:
                    entry.name = rename(entry.name)
                    if entry.kind == tar.HARD_LINK:
                        entry.link = rename(entry.link)
                left = entry.size + tar.padding(entry.size)
                try:
                    left -= self._put(_clean(entry.name), entry, source)
                except OSError as error:
                    raise _failed(entry.name, error) from error
                source.skip(left, show(entry.name))
            source.drain()
            self._set_times()
        except BadLayer as error:
            raise InvalidRequest(f"invalid archive: {error}") from error
        finally:
            self._forget()

    def _put(self, name: bytes, entry: Entry, source: Source) -> int:
        """Make one entry; returns how much of its content was read."""
        if not name:
            if self._with_root and entry.kind == tar.DIRECTORY:
                self._root(entry)
            return 0  # else the directory itself is the receiver's
        if self._owner is not None:
            entry.uid, entry.gid = self._owner
        if not 0 <= entry.uid <= _MAXIMUM_ID or not 0 <= entry.gid <= _MAXIMUM_ID:
            raise BadLayer(f"{show(name)}: impossible owner {entry.uid}:{entry.gid}")
        if self._id_base:
            if max(entry.uid, entry.gid) >= _IDS:
                raise BadLayer(f"{show(name)}: the container's user namespace has no owner {entry.uid}:{entry.gid}")
            entry.uid, entry.gid = entry.uid + self._id_base, entry.gid + self._id_base
        entry.mtime_ns = max(0, min(entry.mtime_ns, _LATEST_NS))
        parent, _, base = name.rpartition(b"/")
        parent_fd = self._open(parent)
        there = _mode(parent_fd, base)
        if there and self._make_room(name, parent_fd, base, there, entry):
            self._attributes(name, parent_fd, base, entry)
            return 0
        kind = entry.kind
        if kind == tar.REGULAR:
            return self._file(parent_fd, base, entry, source)
        if kind == tar.DIRECTORY:
            os.mkdir(base, 0o700, dir_fd=parent_fd)
        elif kind == tar.SYMLINK:
            os.symlink(entry.link, base, dir_fd=parent_fd)
        elif kind == tar.HARD_LINK:
            self._hard_link(parent_fd, base, entry)
            return 0
        elif kind in _SPECIAL:
            device = os.makedev(entry.major, entry.minor)
            os.mknod(base, _SPECIAL[kind] | 0o600, device, dir_fd=parent_fd)
        else:
            raise BadLayer(f"{show(name)}: entries of type {show(kind)} are not supported")
        self._attributes(name, parent_fd, base, entry)
        return 0

    def _root(self, entry: Entry) -> None:
        os.fchown(self._root_fd, entry.uid, entry.gid)
        os.fchmod(self._root_fd, entry.mode & 0o7777)
        _set_xattrs(self._root_fd, entry)
        self._root_time_ns = max(0, min(entry.mtime_ns, _LATEST_NS))

    def _make_room(self, name: bytes, parent_fd: int, base: bytes, there: int, entry: Entry) -> bool:
        """True when what is there takes the entry's place: a directory that gets a directory."""
        is_folder, becomes_folder = stat.S_ISDIR(there), entry.kind == tar.DIRECTORY
        if is_folder and becomes_folder:
            return True
        if self._strict and is_folder != becomes_folder:
            kinds = ("directory", "non-directory") if is_folder else ("non-directory", "directory")
            raise InvalidRequest(f"cannot overwrite {kinds[0]} {show(name)} with {kinds[1]}")
        if is_folder:
            import shutil

            self._forget(keep=parent_fd)
            shutil.rmtree(base, dir_fd=parent_fd)
        else:
            os.unlink(base, dir_fd=parent_fd)
        return False

    def _file(self, parent_fd: int, base: bytes, entry: Entry, source: Source) -> int:
        fd = os.open(base, _NEW_FILE, 0o600, dir_fd=parent_fd)
        try:
            for offset, length in entry.parts if entry.parts is not None else [(0, entry.size)]:
                os.lseek(fd, offset, os.SEEK_SET)
                while length:
                    part = source.some(length)
                    if not part:
                        raise BadLayer(f"the archive ends inside {show(entry.name)}")
                    length -= len(part)
                    while part:
                        part = part[os.write(fd, part) :]
            if entry.parts is not None:
                os.ftruncate(fd, entry.real_size)
            # A change of owner takes set-id bits and file capabilities away.
            os.fchown(fd, entry.uid, entry.gid)
            os.fchmod(fd, entry.mode & 0o7777)
            _set_xattrs(fd, entry)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(fd)
        self.size += entry.real_size
        return entry.size

    def _hard_link(self, parent_fd: int, base: bytes, entry: Entry) -> None:
        target = _clean(entry.link)
        folder, _, target_base = target.rpartition(b"/")
        if not target_base:
            raise BadLayer(f"{show(entry.name)}: hard link to nothing")
        folder_fd = self._open(folder, make=False)
        os.link(target_base, base, src_dir_fd=folder_fd, dst_dir_fd=parent_fd, follow_symlinks=False)

    def _attributes(self, name: bytes, parent_fd: int, base: bytes, entry: Entry) -> None:
        os.chown(base, entry.uid, entry.gid, dir_fd=parent_fd, follow_symlinks=False)
        if entry.kind == tar.DIRECTORY:
            fd = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
            try:
                os.fchmod(fd, entry.mode & 0o7777)
                _set_xattrs(fd, entry)
            finally:
                os.close(fd)
            self._times[name] = entry.mtime_ns
            return
        if entry.kind != tar.SYMLINK:
            fd = calls.openat2(parent_fd, os.fsdecode(base), os.O_PATH | os.O_NOFOLLOW)
            try:
                os.chmod(f"/proc/self/fd/{fd}", entry.mode & 0o7777)
            finally:
                os.close(fd)
        os.utime(base, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent_fd, follow_symlinks=False)

    def _open(self, folder: bytes, *, make: bool = True) -> int:
        """A descriptor of a directory of the archive, which is made when missing; owned by the cache."""
        fd = self._folders.get(folder)
        if fd is None:
            if len(self._folders) >= _CACHED:
                self._forget()
            fd = self._open_inside(folder, make) if self._inside else self._open_beneath(folder, make)
            self._folders[folder] = fd
        return fd

    def _open_inside(self, folder: bytes, make: bool) -> int:
        path = f"/{self._folder}/{os.fsdecode(folder)}"
        try:
            return resolve.open_in_root(self._root_fd, path, os.O_PATH | os.O_DIRECTORY)
        except FileNotFoundError:
            if not make:
                raise
        return resolve.make_directories(self._root_fd, path)

    def _open_beneath(self, folder: bytes, make: bool) -> int:
        fd = os.dup(self._root_fd)
        for part in folder.split(b"/") if folder else ():
            inner = -1
            try:
                if make and not _mode(fd, part):
                    os.mkdir(part, 0o755, dir_fd=fd)
                flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
                inner = calls.openat2(fd, os.fsdecode(part), flags, resolve=k.RESOLVE_BENEATH | k.RESOLVE_NO_SYMLINKS)
            finally:
                os.close(fd)
            fd = inner
        return fd

    def _set_times(self) -> None:
        """Last, for every new child changes them; deepest first."""
        for name, time_ns in sorted(self._times.items(), reverse=True):
            parent, _, base = name.rpartition(b"/")
            try:
                os.utime(base, ns=(time_ns, time_ns), dir_fd=self._open(parent, make=False), follow_symlinks=False)
            except OSError:
                continue  # exchanged or removed meanwhile
        if self._root_time_ns >= 0:
            os.utime(self._root_fd, ns=(self._root_time_ns, self._root_time_ns))

    def _forget(self, keep: int = -1) -> None:
        kept = {name: fd for name, fd in self._folders.items() if fd == keep}
        for fd in self._folders.values():
            if fd != keep:
                os.close(fd)
        self._folders = kept


def _clean(name: bytes) -> bytes:
    """Without `.`, `//` and a leading slash. Raises BadLayer for a name that climbs out."""
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                raise BadLayer(f"{show(name)} leads out of the directory")
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


def _mode(parent_fd: int, base: bytes) -> int:
    """The mode of what has this name, 0 for nothing."""
    try:
        return os.stat(base, dir_fd=parent_fd, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0


def _set_xattrs(fd: int, entry: Entry) -> None:
    for name, value in (entry.xattrs or {}).items():
        if name.startswith(("trusted.", "user.overlay.")):
            continue  # an overlay's own; a redirect would show other files
        try:
            os.setxattr(fd, name, value)
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise


def _failed(name: bytes, error: OSError) -> EngineError:
    number = error.errno or 0
    if number == errno.EROFS:
        return InvalidRequest(f"cannot write {show(name)}: it lies on a read-only mount")
    if number in (errno.ENOSPC, errno.EDQUOT):
        return EngineError(f"cannot write {show(name)}: {os.strerror(number).lower()}", hint="Free some space.")
    return EngineError(f"cannot write {show(name)}: {os.strerror(number).lower()}")
