"""Reads an image's files without mounting it: the overlay's rules, walked by hand.

The layers are whatever an image brought, so a path in them is hostile: nothing here follows a symbolic link of
the file system. Every component is opened relative to its parent's descriptor with O_NOFOLLOW; links are
resolved by text, inside the image's own root, at most 40 of them as in the kernel. Whiteouts (a character
device 0:0) and opaque directories (`trusted.overlay.opaque`) hide what lies below, see the kernel's
Documentation/filesystems/overlayfs.rst. A container's upper directory has the same form, so it can be given as
the topmost layer.
"""

from __future__ import annotations

import errno
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

_LINKS_MAX = 40
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


def read_file(layers: tuple[str, ...], path: str, limit: int = 4 << 20) -> bytes | None:
    """The content of the regular file `path` as the stack shows it; None when there is none.

    `layers` are directories, bottom first. A file longer than `limit` bytes counts as absent: no sane passwd
    is, and the engine's memory is not the image's to fill.
    """
    fd = _open(layers, path)
    if fd < 0:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        content = b""
        while block := os.read(fd, 65536):
            content += block
            if len(content) > limit:
                return None
        return content
    finally:
        os.close(fd)


class Stack:
    """Layers, bottom first, seen as one tree; names are bytes relative to its root, and no link is followed."""

    def __init__(self, layers: tuple[str, ...]) -> None:
        self._layers = layers

    def stat(self, name: bytes) -> os.stat_result | None:
        """What the entry of this name is; None when there is none."""
        parts = [os.fsdecode(part) for part in name.split(b"/") if part]
        found = _find(self._layers, parts) if parts else None
        if found is None:
            return None
        try:
            return os.stat(parts[-1], dir_fd=found[0], follow_symlinks=False)
        finally:
            os.close(found[0])

    def names(self, folder: bytes) -> set[bytes]:
        """What the directory of this name shows; nothing when it is none."""
        parts = [os.fsdecode(part) for part in folder.split(b"/") if part]
        shown: set[bytes] = set()
        whiteouts: set[bytes] = set()
        for layer in reversed(self._layers):
            if not _list(layer, parts, shown, whiteouts):
                break
        return shown


def _list(layer: str, parts: list[str], shown: set[bytes], whiteouts: set[bytes]) -> bool:
    """Add what one layer has in a directory; False when nothing below this layer shows there."""
    try:
        fd = os.open(layer, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return True
    opaque = False
    for part in parts:
        try:
            child = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        except OSError as error:
            os.close(fd)
            return error.errno not in (errno.ENOTDIR, errno.ELOOP) and not opaque
        os.close(fd)
        fd = child
        opaque = opaque or _is_opaque(fd)
    try:
        for entry in os.scandir(fd):
            base = os.fsencode(entry.name)
            if base in shown or base in whiteouts:
                continue
            found = entry.stat(follow_symlinks=False)
            (whiteouts if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0 else shown).add(base)
    finally:
        os.close(fd)
    return not opaque


def _open(layers: tuple[str, ...], path: str) -> int:
    """A descriptor of what `path` leads to, -1 when it leads nowhere."""
    waiting = [part for part in path.split("/") if part]
    walked: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop(0)
        if part == ".":
            continue
        if part == "..":
            if walked:
                walked.pop()
            continue
        found = _find(layers, [*walked, part])
        if found is None:
            return -1
        directory_fd, mode = found
        try:
            if stat.S_ISLNK(mode):
                links += 1
                if links > _LINKS_MAX:
                    return -1
                target = os.readlink(part, dir_fd=directory_fd)
                if target.startswith("/"):
                    walked.clear()
                waiting[:0] = [name for name in target.split("/") if name]
            elif stat.S_ISDIR(mode):
                walked.append(part)
            elif waiting:
                return -1
            else:
                # O_NONBLOCK: opening a FIFO must not wait for a writer that never comes.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
                return os.open(part, flags, dir_fd=directory_fd) if stat.S_ISREG(mode) else -1
        except OSError:
            return -1
        finally:
            os.close(directory_fd)
    return -1


def _find(layers: tuple[str, ...], parts: list[str]) -> tuple[int, int] | None:
    """The topmost layer that shows the entry: a descriptor of the entry's directory, and the entry's mode."""
    for layer in reversed(layers):
        verdict = _look(layer, parts)
        if verdict is False:
            return None
        if verdict is not None:
            return verdict
    return None


def _look(layer: str, parts: list[str]) -> tuple[int, int] | Literal[False] | None:
    """What one layer says: found, False when it hides the entry from below, None when it says nothing."""
    try:
        fd = os.open(layer, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    opaque = False
    for part in parts[:-1]:
        try:
            child = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
        except OSError as error:
            # A whiteout, a file or a link instead of the directory that an upper layer showed us.
            hides = error.errno in (errno.ENOTDIR, errno.ELOOP) or opaque
            os.close(fd)
            return False if hides else None
        os.close(fd)
        fd = child
        opaque = opaque or _is_opaque(fd)
    try:
        found = os.stat(parts[-1], dir_fd=fd, follow_symlinks=False)
    except OSError:
        os.close(fd)
        return False if opaque else None
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
        os.close(fd)
        return False
    return fd, found.st_mode


def _is_opaque(fd: int) -> bool:
    for name in _OPAQUE:
        try:
            if os.getxattr(fd, name) == b"y":
                return True
        except OSError:
            continue
    return False
