"""Masked and read-only paths, and what the host's /dev/null has to be for that.

A file is masked by the real null device, a directory by one empty read-only tmpfs that all of them share. The
device is the host's, opened before the container's own /dev exists, and verified (CVE-2025-31133); paths are
resolved inside the root.
"""

from __future__ import annotations

import errno
import os
import stat

from ..errors import SetupFailed
from ..kernel import constants as k
from ..kernel import mounts
from . import resolve

_NULL_DEVICE = (1, 3)
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def open_null() -> int:
    """An O_PATH descriptor of the host's null device, verified to be it."""
    fd = os.open("/dev/null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    status = os.fstat(fd)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(*_NULL_DEVICE):
        os.close(fd)
        raise SetupFailed("is not the null device", path="/dev/null")
    return fd


def mask_paths(root_fd: int, paths: list[str], null_fd: int, label: str = "") -> None:
    """Hide each path that exists."""
    empty_fd = -1
    for index, path in enumerate(paths):
        target_fd = _open(root_fd, path)
        if target_fd < 0:
            continue
        try:
            if not stat.S_ISDIR(os.fstat(target_fd).st_mode):
                mount_fd = mounts.open_tree(null_fd, "")
            elif empty_fd < 0:
                options = ["nr_blocks=1", "nr_inodes=1", *([f'context="{label}"'] if label else [])]
                empty_fd = mounts.new_filesystem("tmpfs", "tmpfs", options, k.MOUNT_ATTR_RDONLY)
                mount_fd = empty_fd
            else:
                mount_fd = mounts.open_tree(empty_fd, "")
            try:
                mounts.attach(mount_fd, target_fd)
            finally:
                if mount_fd != empty_fd:
                    os.close(mount_fd)
        except OSError as error:
            raise _failed("linux.maskedPaths", index, path, error) from error
        finally:
            os.close(target_fd)
    if empty_fd >= 0:
        os.close(empty_fd)


def make_read_only(root_fd: int, paths: list[str]) -> None:
    """Bind each path that exists onto itself, read-only with everything mounted below it."""
    for index, path in enumerate(paths):
        target_fd = _open(root_fd, path)
        if target_fd < 0:
            continue
        try:
            mount_fd = mounts.open_tree(target_fd, "", recursive=True)
            try:
                mounts.set_attributes(mount_fd, add=k.MOUNT_ATTR_RDONLY, recursive=True)
                mounts.attach(mount_fd, target_fd)
            finally:
                os.close(mount_fd)
        except OSError as error:
            raise _failed("linux.readonlyPaths", index, path, error) from error
        finally:
            os.close(target_fd)


def _open(root_fd: int, path: str) -> int:
    try:
        return resolve.open_in_root(root_fd, path)
    except OSError as error:
        if error.errno in _ABSENT:
            return -1
        raise


def _failed(place: str, index: int, path: str, error: OSError) -> SetupFailed:
    number = error.errno or 0
    return SetupFailed(f"{path}: {error.strerror}", path=f"{place}[{index}]", errno=number)
