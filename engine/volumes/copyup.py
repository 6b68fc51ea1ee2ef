"""Fills a new, empty volume with what the image has at its mount point, as Docker does.

Ownership, modes, times, extended attributes (file capabilities among them), links, devices and holes come along,
and the volume's own directory takes those of the image's. Both sides are hostile: the target is resolved inside
the root by openat2(2), and every step below goes by the name in an open directory, never through a link
(CVE-2018-15664 is the class). The copy is made beside the volume and moved in when it is whole, under a
lock, so that neither a crash nor a second container's start shows half of it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from runtime.kernel import calls, constants

from ..errors import EngineError

_STAGING = ".copy-up"
_READY = ".copy-up-ready"
_DEPTH_MAX = 256
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def copy_up(rootfs_path: str, target: str, volume_path: str) -> bool:
    """Copy `target` of the mounted root into the volume's data directory; False when there was nothing to do:
    the volume holds something, or the image has no directory there. Blocks while another copies."""
    volume_fd = os.open(os.path.dirname(volume_path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(volume_fd, fcntl.LOCK_EX)
        data_fd = os.open(os.path.basename(volume_path), _FOLDER, dir_fd=volume_fd)
        try:
            if _exists(_READY, volume_fd):
                _move_in(volume_fd, data_fd)
                return True
            if os.listdir(data_fd):
                return False
            return _copy(rootfs_path, target, volume_fd, data_fd)
        finally:
            os.close(data_fd)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise EngineError(f"cannot fill the volume for {target} at {volume_path}: {reason}") from error
    finally:
        os.close(volume_fd)


def _copy(rootfs_path: str, target: str, volume_fd: int, data_fd: int) -> bool:
    root_fd = os.open(rootfs_path, os.O_PATH | os.O_DIRECTORY)
    try:
        resolve = constants.RESOLVE_IN_ROOT | constants.RESOLVE_NO_MAGICLINKS
        try:
            source_fd = calls.openat2(root_fd, target, os.O_RDONLY | os.O_DIRECTORY, resolve=resolve)
        except (FileNotFoundError, NotADirectoryError):
            return False
    finally:
        os.close(root_fd)
    try:
        _remove_tree(volume_fd, _STAGING)
        os.mkdir(_STAGING, 0o700, dir_fd=volume_fd)
        staging_fd = os.open(_STAGING, _FOLDER, dir_fd=volume_fd)
        try:
            _Copier(staging_fd).folder(source_fd, staging_fd, ())
        finally:
            os.close(staging_fd)
    finally:
        os.close(source_fd)
    os.rename(_STAGING, _READY, src_dir_fd=volume_fd, dst_dir_fd=volume_fd)
    _move_in(volume_fd, data_fd)
    return True


def _move_in(volume_fd: int, data_fd: int) -> None:
    """Move what is ready into the volume; takes up again where a crash left it."""
    ready_fd = os.open(_READY, _FOLDER, dir_fd=volume_fd)
    try:
        found = os.fstat(ready_fd)
        for name in os.listdir(ready_fd):
            if not _exists(name, data_fd):
                os.rename(name, name, src_dir_fd=ready_fd, dst_dir_fd=data_fd)
        _attributes(ready_fd, data_fd)
        os.fchown(data_fd, found.st_uid, found.st_gid)
        os.fchmod(data_fd, stat.S_IMODE(found.st_mode))
        os.utime(data_fd, ns=(found.st_atime_ns, found.st_mtime_ns))
    finally:
        os.close(ready_fd)
    _remove_tree(volume_fd, _READY)


class _Copier:
    """One tree's copy; remembers inodes with several names, so that hard links stay links."""

    def __init__(self, top_fd: int) -> None:
        self._top_fd = top_fd
        self._linked: dict[tuple[int, int], str] = {}

    def folder(self, source_fd: int, target_fd: int, parts: tuple[str, ...]) -> None:
        if len(parts) > _DEPTH_MAX:
            raise OSError(errno.ELOOP, f"folders nested deeper than {_DEPTH_MAX}")
        for name in os.listdir(source_fd):
            found = os.stat(name, dir_fd=source_fd, follow_symlinks=False)
            if stat.S_ISDIR(found.st_mode):
                self._subfolder(source_fd, target_fd, (*parts, name))
            elif stat.S_ISREG(found.st_mode):
                self._file(source_fd, target_fd, (*parts, name), found)
            elif stat.S_ISLNK(found.st_mode):
                os.symlink(os.readlink(name, dir_fd=source_fd), name, dir_fd=target_fd)
                os.chown(name, found.st_uid, found.st_gid, dir_fd=target_fd, follow_symlinks=False)
            else:
                os.mknod(name, found.st_mode, found.st_rdev, dir_fd=target_fd)
                os.chown(name, found.st_uid, found.st_gid, dir_fd=target_fd, follow_symlinks=False)
                os.chmod(name, stat.S_IMODE(found.st_mode), dir_fd=target_fd)
        _finish(source_fd, target_fd)

    def _subfolder(self, source_fd: int, target_fd: int, parts: tuple[str, ...]) -> None:
        name = parts[-1]
        os.mkdir(name, 0o700, dir_fd=target_fd)
        inner_source = os.open(name, _FOLDER, dir_fd=source_fd)
        try:
            inner_target = os.open(name, _FOLDER, dir_fd=target_fd)
            try:
                self.folder(inner_source, inner_target, parts)
            finally:
                os.close(inner_target)
        finally:
            os.close(inner_source)

    def _file(self, source_fd: int, target_fd: int, parts: tuple[str, ...], found: os.stat_result) -> None:
        name = parts[-1]
        key = (found.st_dev, found.st_ino)
        first = self._linked.get(key) if found.st_nlink > 1 else None
        if first is not None:
            # By path, which is safe in the staging folder: no container sees it.
            os.link(first, name, src_dir_fd=self._top_fd, dst_dir_fd=target_fd, follow_symlinks=False)
            return
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        source = os.open(name, flags, dir_fd=source_fd)
        try:
            target = os.open(
                name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=target_fd
            )
            try:
                _data(source, target, os.fstat(source).st_size)
                _finish(source, target)
            finally:
                os.close(target)
        finally:
            os.close(source)
        self._linked[key] = "/".join(parts)


def _data(source: int, target: int, size: int) -> None:
    """Only what is data: a sparse file stays sparse."""
    offset = 0
    while offset < size:
        try:
            offset = os.lseek(source, offset, os.SEEK_DATA)
            end = os.lseek(source, offset, os.SEEK_HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break
            raise
        os.lseek(source, offset, os.SEEK_SET)
        os.lseek(target, offset, os.SEEK_SET)
        while offset < end:
            block = os.read(source, min(end - offset, 1 << 20))
            if not block:
                return
            view = memoryview(block)
            while view:
                view = view[os.write(target, view) :]
            offset += len(block)
    os.ftruncate(target, size)


def _finish(source_fd: int, target_fd: int) -> None:
    """Owner before mode and capabilities: chown clears set-id bits and file capabilities."""
    found = os.fstat(source_fd)
    os.fchown(target_fd, found.st_uid, found.st_gid)
    os.fchmod(target_fd, stat.S_IMODE(found.st_mode))
    _attributes(source_fd, target_fd)
    os.utime(target_fd, ns=(found.st_atime_ns, found.st_mtime_ns))


def _attributes(source_fd: int, target_fd: int) -> None:
    for name in os.listxattr(source_fd):
        if name.startswith(("trusted.overlay.", "user.overlay.")):
            continue
        try:
            os.setxattr(target_fd, name, os.getxattr(source_fd, name))
        except OSError as error:
            # A file system without them, or a label of a security module that is not ours to set.
            if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.ENODATA):
                raise


def _exists(name: str, folder_fd: int) -> bool:
    try:
        os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _remove_tree(folder_fd: int, name: str) -> None:
    if _exists(name, folder_fd):
        import shutil

        shutil.rmtree(name, dir_fd=folder_fd)
