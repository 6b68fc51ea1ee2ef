"""tmpcopyup: fill a new tmpfs with what it is about to cover, owners, modes and attributes included."""

from __future__ import annotations

import os
import stat

_CHUNK_BYTES = 1 << 20


def copy_tree(source_fd: int, target_fd: int) -> None:
    """Copy the contents of one open directory into another. Symlinks are copied, never followed."""
    _copy_metadata(source_fd, target_fd)
    # target_fd may be an O_PATH mount descriptor, which names files but cannot be listed
    for name in os.listdir(source_fd):
        status = os.stat(name, dir_fd=source_fd, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            os.mkdir(name, 0o700, dir_fd=target_fd)
            _descend(source_fd, target_fd, name)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source_fd), name, dir_fd=target_fd)
            os.chown(name, status.st_uid, status.st_gid, dir_fd=target_fd, follow_symlinks=False)
        elif stat.S_ISREG(status.st_mode):
            _copy_file(source_fd, target_fd, name)
        else:
            os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target_fd)
            os.chown(name, status.st_uid, status.st_gid, dir_fd=target_fd, follow_symlinks=False)


def _descend(source_fd: int, target_fd: int, name: str) -> None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    inner_source = os.open(name, flags, dir_fd=source_fd)
    try:
        inner_target = os.open(name, flags, dir_fd=target_fd)
        try:
            copy_tree(inner_source, inner_target)
        finally:
            os.close(inner_target)
    finally:
        os.close(inner_source)


def _copy_file(source_fd: int, target_fd: int, name: str) -> None:
    reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=source_fd)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        writer = os.open(name, flags, 0o600, dir_fd=target_fd)
        try:
            while os.sendfile(writer, reader, None, _CHUNK_BYTES):
                pass
            _copy_metadata(reader, writer)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _copy_metadata(source_fd: int, target_fd: int) -> None:
    status = os.fstat(source_fd)
    here = f"/proc/self/fd/{target_fd}"
    os.chown(here, status.st_uid, status.st_gid)
    os.chmod(here, stat.S_IMODE(status.st_mode))
