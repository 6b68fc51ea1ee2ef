"""Opening and making paths inside a root file system that may be hostile, by descriptor.

A container's root can hold symlinks that point anywhere, and another process may exchange them while we look
(CVE-2021-30465, CVE-2024-45310). So nothing here ever joins strings and hopes: openat2 resolves inside the root in
one system call, and what is made is made relative to a directory descriptor that was got that way.
"""

from __future__ import annotations

import errno
import os
import stat

from ..errors import SetupFailed
from ..kernel import calls
from ..kernel import constants as k

_IN_ROOT = k.RESOLVE_IN_ROOT | k.RESOLVE_NO_MAGICLINKS
_LINK_LIMIT = 40


def open_in_root(root_fd: int, path: str, flags: int = os.O_PATH, *, symlinks: bool = True) -> int:
    """Open an existing file as a process with that root would. Without `symlinks`, none may be on the way."""
    resolve = _IN_ROOT if symlinks else _IN_ROOT | k.RESOLVE_NO_SYMLINKS
    return calls.openat2(root_fd, path.lstrip("/") or ".", flags, resolve=resolve)


def open_root() -> int:
    """An O_PATH descriptor of this process's own root."""
    return os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def make_target(root_fd: int, path: str, *, directory: bool, symlinks: bool = True) -> tuple[int, bool]:
    """An O_PATH descriptor of a mount point, made with its parents where missing, and whether it was made.

    An existing file where a directory is wanted (or the reverse) is left to the mount to refuse. Raises SetupFailed
    when a symlink stands where none may, OSError otherwise.
    """
    try:
        return open_in_root(root_fd, path, symlinks=symlinks), False
    except OSError as error:
        if error.errno == errno.ELOOP and not symlinks:
            raise SetupFailed("must not be reached through a symlink", path=path, errno=errno.ELOOP) from None
        if error.errno != errno.ENOENT:
            raise
    parent, name = os.path.split(path.rstrip("/"))
    parent_fd = make_directories(root_fd, parent or "/")
    try:
        return _make_last(root_fd, parent_fd, parent, name, directory), True
    finally:
        os.close(parent_fd)


def make_directories(root_fd: int, path: str, links: int = _LINK_LIMIT) -> int:
    """mkdir -p inside the root: an O_PATH descriptor of the directory.

    Symlinks that exist are followed inside the root; one that dangles has its target made, as a process inside
    would find it.
    """
    current_fd = os.dup(root_fd)
    done = ""
    try:
        for name in [part for part in os.path.normpath("/" + path).split("/") if part]:
            done = f"{done}/{name}"
            try:
                next_fd = open_in_root(root_fd, done, os.O_PATH | os.O_DIRECTORY)
            except FileNotFoundError:
                next_fd = _make_directory(root_fd, current_fd, done, name, links)
            os.close(current_fd)
            current_fd = next_fd
    except BaseException:
        os.close(current_fd)
        raise
    return current_fd


def _make_directory(root_fd: int, parent_fd: int, path: str, name: str, links: int) -> int:
    try:
        os.mkdir(name, 0o755, dir_fd=parent_fd)
    except FileExistsError:
        target = _dangling_target(parent_fd, path, name, links)
        if target:
            return make_directories(root_fd, target, links - 1)
    return calls.openat2(parent_fd, name, os.O_PATH | os.O_DIRECTORY, resolve=k.RESOLVE_BENEATH | k.RESOLVE_NO_SYMLINKS)


def _make_last(root_fd: int, parent_fd: int, parent: str, name: str, directory: bool) -> int:
    if directory:
        return _make_directory(root_fd, parent_fd, f"{parent}/{name}", name, _LINK_LIMIT)
    resolve = k.RESOLVE_BENEATH | k.RESOLVE_NO_SYMLINKS
    try:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
        os.close(calls.openat2(parent_fd, name, flags, mode=0o644, resolve=resolve))
    except FileExistsError:
        target = _dangling_target(parent_fd, f"{parent}/{name}", name, _LINK_LIMIT)
        if target:
            return make_target(root_fd, target, directory=False)[0]
    return calls.openat2(parent_fd, name, os.O_PATH, resolve=resolve)


def _dangling_target(parent_fd: int, path: str, name: str, links: int) -> str:
    """Where the symlink `name` points, as a path from the root; "" when it is no symlink."""
    if not stat.S_ISLNK(os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_mode):
        return ""
    if links <= 0:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return os.path.join(os.path.dirname(path), os.readlink(name, dir_fd=parent_fd))
