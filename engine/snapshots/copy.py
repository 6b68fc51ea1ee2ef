"""Root file systems by plain copying, for hosts where overlayfs cannot be had (the data root is itself an overlay).

Slow and large, and otherwise the same: the layers are copied over each other, whiteouts and opaque directories
honoured, into `rootfs/`, which then is the container's own. Both sides are untrusted trees: everything is opened
from its parent's descriptor and no link is followed.
"""

from __future__ import annotations

import errno
import os
import stat

from ..errors import HostUnfit

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE = "trusted.overlay.opaque"
_OVERLAY = "trusted.overlay."
_PIECE = 1 << 24

TYPE_CHECKING = False
if TYPE_CHECKING:
    Inodes = dict[tuple[int, int], tuple[int, bytes]]


def mount(container_dir: str, lower_dirs: tuple[str, ...], *, volatile: bool = False) -> None:
    """See `snapshotter`. Copies on the first call only; `copied` tells that it came to its end."""
    rootfs = f"{container_dir}/rootfs"
    done = f"{container_dir}/copied"
    if os.path.exists(done):
        return
    os.makedirs(rootfs, exist_ok=True)
    target_fd = os.open(rootfs, _FOLDER)
    inodes: Inodes = {}
    try:
        for layer in lower_dirs:
            layer_fd = os.open(layer, _FOLDER)
            try:
                _merge(layer_fd, target_fd, inodes)
            finally:
                os.close(layer_fd)
                for fd, _ in inodes.values():
                    os.close(fd)
                inodes.clear()
    except OSError as error:
        raise HostUnfit(f"cannot copy the image to {rootfs}: {os.strerror(error.errno or 0).lower()}") from error
    except RecursionError as error:
        raise HostUnfit(f"cannot copy the image to {rootfs}: its folders are nested too deep") from error
    finally:
        os.close(target_fd)
    os.close(os.open(done, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def unmount(container_dir: str) -> None:
    """See `snapshotter`; there is nothing to undo."""


def _merge(source_fd: int, target_fd: int, inodes: Inodes) -> None:
    for text in sorted(os.listdir(source_fd)):
        name = os.fsencode(text)
        status = os.lstat(name, dir_fd=source_fd)
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            _remove(target_fd, name)
        elif stat.S_ISDIR(status.st_mode):
            _merge_folder(source_fd, target_fd, name, inodes)
        else:
            _remove(target_fd, name)
            _copy(source_fd, target_fd, name, status, inodes)
    _copy_attributes(source_fd, target_fd, os.fstat(source_fd))


def _merge_folder(source_fd: int, target_fd: int, name: bytes, inodes: Inodes) -> None:
    child_fd = os.open(name, _FOLDER, dir_fd=source_fd)
    try:
        if _is_opaque(child_fd) or not _is_folder(target_fd, name):
            _remove(target_fd, name)
            os.mkdir(name, 0o755, dir_fd=target_fd)
        copy_fd = os.open(name, _FOLDER, dir_fd=target_fd)
        try:
            _merge(child_fd, copy_fd, inodes)
        finally:
            os.close(copy_fd)
    finally:
        os.close(child_fd)


def _copy(source_fd: int, target_fd: int, name: bytes, status: os.stat_result, inodes: Inodes) -> None:
    inode = (status.st_dev, status.st_ino)
    if inode in inodes:
        first_fd, first = inodes[inode]
        os.link(first, name, src_dir_fd=first_fd, dst_dir_fd=target_fd, follow_symlinks=False)
        return
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=source_fd), name, dir_fd=target_fd)
        os.chown(name, status.st_uid, status.st_gid, dir_fd=target_fd, follow_symlinks=False)
    elif stat.S_ISREG(status.st_mode):
        _copy_file(source_fd, target_fd, name, status)
    else:
        os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target_fd)
        os.chown(name, status.st_uid, status.st_gid, dir_fd=target_fd)
        os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target_fd)
    times = (status.st_atime_ns, status.st_mtime_ns)
    os.utime(name, ns=times, dir_fd=target_fd, follow_symlinks=False)
    if status.st_nlink > 1:
        inodes[inode] = (os.dup(target_fd), name)


def _copy_file(source_fd: int, target_fd: int, name: bytes, status: os.stat_result) -> None:
    from_fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source_fd)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        to_fd = os.open(name, flags, 0o600, dir_fd=target_fd)
        try:
            while os.sendfile(to_fd, from_fd, None, _PIECE):
                pass
            _copy_attributes(from_fd, to_fd, status)
        finally:
            os.close(to_fd)
    finally:
        os.close(from_fd)


def _copy_attributes(from_fd: int, to_fd: int, status: os.stat_result) -> None:
    os.fchown(to_fd, status.st_uid, status.st_gid)
    os.fchmod(to_fd, stat.S_IMODE(status.st_mode))
    for key in os.listxattr(from_fd):
        if key.startswith(_OVERLAY):
            continue
        try:
            os.setxattr(to_fd, key, os.getxattr(from_fd, key))
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise
    os.utime(to_fd, ns=(status.st_atime_ns, status.st_mtime_ns))


def _remove(parent_fd: int, name: bytes) -> None:
    try:
        if _is_folder(parent_fd, name):
            fd = os.open(name, _FOLDER, dir_fd=parent_fd)
            try:
                for child in os.listdir(fd):
                    _remove(fd, os.fsencode(child))
            finally:
                os.close(fd)
            os.rmdir(name, dir_fd=parent_fd)
        else:
            os.unlink(name, dir_fd=parent_fd)
    except FileNotFoundError:
        pass


def _is_folder(parent_fd: int, name: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(name, dir_fd=parent_fd).st_mode)
    except FileNotFoundError:
        return False


def _is_opaque(fd: int) -> bool:
    try:
        return os.getxattr(fd, _OPAQUE) == b"y"
    except OSError:
        return False
