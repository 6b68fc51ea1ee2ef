"""Puts a layer's archive into the current root directory, as overlayfs wants it.

Runs in a process that was chrooted into the layer's directory, so links lead nowhere else; beyond that no
file that exists is ever opened for writing: an entry whose name is taken replaces it. Whiteouts become what
overlayfs reads as such: a character device 0:0, and `trusted.overlay.opaque` on a directory; a layer cannot
bring other `trusted.overlay.*` attributes, because a redirect would show another directory's files.
Directories that an archive only implies are made and reported, for their true attributes are those of a layer
below. Times of directories are set last, since every new child changes them.

Sources: OCI image-spec layer.md; kernel Documentation/filesystems/overlayfs.rst; Docker's behaviour, except
that a whiteout never hides an entry of its own layer, whichever of them comes first.
"""

from __future__ import annotations

import errno
import os
import stat

from . import tar
from .errors import BadLayer
from .remove import remove_tree
from .tar import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .source import Source

WHITEOUT = b".wh."
OPAQUE_MARK = b".wh..wh..opq"
METADATA = b".wh..wh."
OPAQUE = "trusted.overlay.opaque"
OVERLAY_ATTRIBUTES = "trusted.overlay."
PATH_MAX = 4096
NAME_MAX = 255
CACHED_FOLDERS = 64
MAXIMUM_ID = (1 << 32) - 2
LATEST_NS = (1 << 34) * tar.SECOND_NS
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Applied:
    """What came of it: bytes of file content, entries, and the directories that were only implied."""

    def __init__(self) -> None:
        self.size = 0
        self.entries = 0
        self.implied: set[bytes] = set()


def apply_layer(source: Source, budget: int) -> Applied:
    """Unpack everything. `budget` bounds the bytes written. Raises BadLayer, and OSError from the file system."""
    return _Layer(source, budget).run()


class _Layer:
    def __init__(self, source: Source, budget: int) -> None:
        self._source = source
        self._budget = budget
        self._applied = Applied()
        self._applied.implied.add(b"")
        self._folders: dict[bytes, int] = {}
        self._folder_times: dict[bytes, int] = {}
        self._whiteouts: set[bytes] = set()
        # Set once a directory hands its group or a default ACL down to its children.
        self._inherits = False

    def run(self) -> Applied:
        os.umask(0)
        self._root_fd = os.open(b"/", _FOLDER)
        while (entry := tar.next_entry(self._source)) is not None:
            self._applied.entries += 1
            left = entry.size + tar.padding(entry.size)
            name = _clean(entry.name)
            try:
                left -= self._put(name, entry)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE):
                    raise
                raise BadLayer(f"{show(entry.name)}: {os.strerror(error.errno or 0).lower()}") from error
            self._source.skip(left, show(entry.name))
        self._set_folder_times()
        self._forget_folders()
        os.close(self._root_fd)
        return self._applied

    def _put(self, name: bytes, entry: tar.Entry) -> int:
        """Make one entry; returns how many bytes of its content were read."""
        if not 0 <= entry.uid <= MAXIMUM_ID or not 0 <= entry.gid <= MAXIMUM_ID:
            raise BadLayer(f"{show(entry.name)}: impossible owner {entry.uid}:{entry.gid}")
        entry.mtime_ns = max(0, min(entry.mtime_ns, LATEST_NS))
        entry.mode &= 0o7777
        if not name:
            self._root(entry)
            return 0
        folder, _, base = name.rpartition(b"/")
        if base.startswith(WHITEOUT):
            self._whiteout(folder, base, entry)
            return 0
        folder_fd = self._folder(folder)
        kind = entry.kind
        if kind == tar.REGULAR:
            return self._file(name, folder_fd, base, entry)
        if kind == tar.DIRECTORY:
            self._directory(name, folder_fd, base, entry)
        elif kind == tar.SYMLINK:
            if not entry.link:
                raise BadLayer(f"{show(entry.name)}: symbolic link to nothing")
            self._make(name, folder_fd, base, lambda: os.symlink(entry.link, base, dir_fd=folder_fd))
            self._attributes(folder_fd, base, entry, mode=False)
        elif kind == tar.HARD_LINK:
            self._hard_link(name, folder_fd, base, entry)
        elif kind in (tar.CHARACTER, tar.BLOCK_DEVICE, tar.FIFO):
            self._special(name, folder_fd, base, entry)
        else:
            raise BadLayer(f"{show(entry.name)}: entries of type {show(kind)} are not supported")
        return 0

    def _file(self, name: bytes, folder_fd: int, base: bytes, entry: tar.Entry) -> int:
        self._budget -= entry.size
        if self._budget < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            fd = os.open(base, _NEW_FILE, entry.mode & 0o777, dir_fd=folder_fd)
        except FileExistsError:
            self._clear(name, folder_fd, base)
            fd = os.open(base, _NEW_FILE, entry.mode & 0o777, dir_fd=folder_fd)
        try:
            if entry.parts is None:
                self._copy(fd, entry.size, entry)
            else:
                for offset, length in entry.parts:
                    os.lseek(fd, offset, os.SEEK_SET)
                    self._copy(fd, length, entry)
                os.ftruncate(fd, entry.real_size)
            if entry.uid or entry.gid or self._inherits:
                os.fchown(fd, entry.uid, entry.gid)
            # A change of owner takes setuid away, so the mode comes after it, and file capabilities after both.
            if entry.mode & 0o7000 or self._inherits:
                os.fchmod(fd, entry.mode)
            if entry.xattrs:
                _set_xattrs(fd, entry)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(fd)
        self._applied.size += entry.real_size
        return entry.size

    def _copy(self, fd: int, size: int, entry: tar.Entry) -> None:
        while size:
            part = self._source.some(size)
            if not part:
                raise BadLayer(f"the archive ends inside {show(entry.name)}")
            size -= len(part)
            while part:
                part = part[os.write(fd, part) :]

    def _directory(self, name: bytes, folder_fd: int, base: bytes, entry: tar.Entry) -> None:
        if not self._existing_directory(name, folder_fd, base):
            hidden = name in self._whiteouts
            self._make(name, folder_fd, base, lambda: os.mkdir(base, entry.mode, dir_fd=folder_fd))
            if hidden:
                self._set_opaque(folder_fd, base)
        self._folder_times[name] = entry.mtime_ns
        self._applied.implied.discard(name)
        self._attributes(folder_fd, base, entry, mode=True)
        if entry.mode & stat.S_ISGID or (entry.xattrs and "system.posix_acl_default" in entry.xattrs):
            self._inherits = True

    def _existing_directory(self, name: bytes, folder_fd: int, base: bytes) -> bool:
        """True for a directory that this archive already made. A symbolic link to one gives way."""
        if name in self._whiteouts:
            return False
        try:
            return stat.S_ISDIR(os.lstat(base, dir_fd=folder_fd).st_mode)
        except FileNotFoundError:
            return False

    def _hard_link(self, name: bytes, folder_fd: int, base: bytes, entry: tar.Entry) -> None:
        target = _clean(entry.link)
        target_folder, _, target_base = target.rpartition(b"/")
        if target == name:
            raise BadLayer(f"{show(entry.name)}: hard link to itself")
        try:
            target_fd = os.open(target_folder or b".", os.O_PATH | _FOLDER, dir_fd=self._root_fd)
        except OSError:
            raise BadLayer(f"{show(entry.name)}: hard link to {show(entry.link)}, not in this layer") from None
        try:
            if target in self._whiteouts:
                raise FileNotFoundError
            os.lstat(target_base, dir_fd=target_fd)
            self._make(
                name,
                folder_fd,
                base,
                lambda: os.link(target_base, base, src_dir_fd=target_fd, dst_dir_fd=folder_fd, follow_symlinks=False),
            )
        except FileNotFoundError:
            raise BadLayer(f"{show(entry.name)}: hard link to {show(entry.link)}, not in this layer") from None
        finally:
            os.close(target_fd)

    def _special(self, name: bytes, folder_fd: int, base: bytes, entry: tar.Entry) -> None:
        file_type = {tar.CHARACTER: stat.S_IFCHR, tar.BLOCK_DEVICE: stat.S_IFBLK}.get(entry.kind, stat.S_IFIFO)
        if not 0 <= entry.major < 1 << 12 or not 0 <= entry.minor < 1 << 20:
            raise BadLayer(f"{show(entry.name)}: impossible device {entry.major}:{entry.minor}")
        device = os.makedev(entry.major, entry.minor)
        self._make(name, folder_fd, base, lambda: os.mknod(base, file_type | entry.mode, device, dir_fd=folder_fd))
        self._attributes(folder_fd, base, entry, mode=True)

    def _whiteout(self, folder: bytes, base: bytes, entry: tar.Entry) -> None:
        if base == OPAQUE_MARK:
            os.setxattr(self._folder(folder), OPAQUE, b"y")
            return
        if base.startswith(METADATA):
            return  # bookkeeping of aufs, which is no content
        hidden = base[len(WHITEOUT) :]
        if hidden in (b"", b".", b".."):
            raise BadLayer(f"{show(entry.name)}: whiteout of no name")
        name = folder + b"/" + hidden if folder else hidden
        folder_fd = self._folder(folder)
        try:
            os.mknod(hidden, stat.S_IFCHR, 0, dir_fd=folder_fd)
            self._whiteouts.add(name)
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(hidden, dir_fd=folder_fd).st_mode):
                self._set_opaque(folder_fd, hidden)

    def _make(self, name: bytes, folder_fd: int, base: bytes, create: Creation) -> None:
        try:
            create()
        except FileExistsError:
            self._clear(name, folder_fd, base)
            create()

    def _clear(self, name: bytes, folder_fd: int, base: bytes) -> None:
        """Remove what has this name, a whole tree if it is one."""
        self._forget_folders(keep=folder_fd)
        self._whiteouts.discard(name)
        if not stat.S_ISDIR(os.lstat(base, dir_fd=folder_fd).st_mode):
            os.unlink(base, dir_fd=folder_fd)
            return
        remove_tree(folder_fd, base)
        below = name + b"/"
        for known in (self._whiteouts, self._applied.implied):
            known.difference_update([path for path in known if path == name or path.startswith(below)])
        for path in [path for path in self._folder_times if path == name or path.startswith(below)]:
            del self._folder_times[path]

    def _attributes(self, folder_fd: int, base: bytes, entry: tar.Entry, *, mode: bool) -> None:
        """Owner, mode, extended attributes and time of anything that is not a regular file."""
        if entry.uid or entry.gid or self._inherits:
            os.chown(base, entry.uid, entry.gid, dir_fd=folder_fd, follow_symlinks=False)
        if mode:
            os.chmod(base, entry.mode, dir_fd=folder_fd)
        if entry.xattrs:
            os.fchdir(folder_fd)
            _set_xattrs(base, entry)
        if entry.kind != tar.DIRECTORY:
            os.utime(base, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=folder_fd, follow_symlinks=False)

    def _root(self, entry: tar.Entry) -> None:
        if entry.kind != tar.DIRECTORY:
            raise BadLayer("the root of the layer is not a directory")
        self._applied.implied.discard(b"")
        os.fchown(self._root_fd, entry.uid, entry.gid)
        os.fchmod(self._root_fd, entry.mode)
        if entry.xattrs:
            _set_xattrs(self._root_fd, entry)
        self._folder_times[b""] = entry.mtime_ns
        if entry.mode & stat.S_ISGID:
            self._inherits = True

    def _folder(self, folder: bytes) -> int:
        """A descriptor of the directory, which is made when missing; stays owned by the cache.

        Links in the path are followed, as tar does: the chroot ends them at the layer's root.
        """
        if not folder:
            return self._root_fd
        fd = self._folders.get(folder)
        if fd is not None:
            return fd
        if len(self._folders) >= CACHED_FOLDERS:
            self._forget_folders()
        if folder in self._whiteouts:
            fd = -1
        else:
            try:
                fd = os.open(folder, _FOLDER, dir_fd=self._root_fd)
            except (FileNotFoundError, NotADirectoryError):
                fd = -1
        if fd < 0:
            self._imply(folder)
            fd = os.open(folder, _FOLDER, dir_fd=self._root_fd)
        self._folders[folder] = fd
        return fd

    def _imply(self, folder: bytes) -> None:
        parent, _, base = folder.rpartition(b"/")
        parent_fd = self._folder(parent)
        try:
            os.mkdir(base, 0o755, dir_fd=parent_fd)
        except FileExistsError:
            if folder not in self._whiteouts:
                raise BadLayer(f"{show(folder)} is not a directory, nor a link to one") from None
            os.unlink(base, dir_fd=parent_fd)
            os.mkdir(base, 0o755, dir_fd=parent_fd)
            self._set_opaque(parent_fd, base)
            self._whiteouts.discard(folder)
            return  # nothing below shows through, so there are no attributes to adopt
        self._applied.implied.add(folder)

    def _set_opaque(self, folder_fd: int, base: bytes) -> None:
        os.fchdir(folder_fd)
        os.setxattr(base, OPAQUE, b"y", follow_symlinks=False)

    def _forget_folders(self, keep: int = -1) -> None:
        kept = {path: fd for path, fd in self._folders.items() if fd == keep}
        for fd in self._folders.values():
            if fd != keep:
                os.close(fd)
        self._folders = kept

    def _set_folder_times(self) -> None:
        for name, time_ns in self._folder_times.items():
            try:
                os.utime(name or b".", ns=(time_ns, time_ns), dir_fd=self._root_fd, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                continue  # its way led through a link that was replaced later


if TYPE_CHECKING:
    from collections.abc import Callable

    Creation = Callable[[], None]


def _clean(name: bytes) -> bytes:
    """The name without `.`, `//` and a leading slash. Raises BadLayer when it climbs above the root."""
    if len(name) >= PATH_MAX:
        raise BadLayer(f"{show(name)}: longer than {PATH_MAX - 1} bytes")
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                raise BadLayer(f"{show(name)}: leads outside the layer")
            parts.pop()
        elif part and part != b".":
            if len(part) > NAME_MAX:
                raise BadLayer(f"{show(name)}: a part of the name is longer than {NAME_MAX} bytes")
            parts.append(part)
    return b"/".join(parts)


def _set_xattrs(where: int | bytes, entry: tar.Entry) -> None:
    for key, value in (entry.xattrs or {}).items():
        if key.startswith(OVERLAY_ATTRIBUTES):
            continue
        try:
            if isinstance(where, int):
                os.setxattr(where, key, value)
            else:
                os.setxattr(where, key, value, follow_symlinks=False)
        except (OSError, UnicodeEncodeError, ValueError) as error:
            # As Docker: a file system or a kind of file without such attributes is no reason to refuse.
            if isinstance(error, OSError) and error.errno in (errno.ENOTSUP, errno.EPERM, errno.EINVAL):
                continue
            raise BadLayer(f"{show(entry.name)}: attribute {key!r}: {error}") from error
