"""What a container has changed in its root file system, read from the overlay's upper directory.

Whiteouts (character device 0:0) and opaque directories hide what the layers have there; see the kernel's
Documentation/filesystems/overlayfs.rst. Mount points that every container has, and the directories made for them, are
no change of its own. The tree is the container's, and may change meanwhile: no link is followed.
"""

from __future__ import annotations

import os
import stat

from ..bundle.layers import Stack
from ..errors import HostUnfit
from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    Kind = Literal["A", "C", "D"]

#: Made in every root by the engine, as Docker makes them in a layer of their own.
OF_THE_ENGINE = frozenset(
    (
        *("dev", "dev/console", "dev/mqueue", "dev/pts", "dev/shm", "proc", "sys", "sys/fs/cgroup"),
        *("etc", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", ".dockerenv", "sbin", "sbin/docker-init"),
    )
)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


class Change(Record):
    """`kind`: A added, C changed, D deleted. `path` begins with a slash."""

    kind: Kind
    path: str


class Changed:
    """One change while the tree is walked: `parent_fd` and `base` are where it can be read, for A and C."""

    __slots__ = ("base", "kind", "name", "parent_fd")

    def __init__(self, kind: Kind, name: bytes, parent_fd: int, base: bytes) -> None:
        self.kind: Kind = kind
        self.name = name
        self.parent_fd = parent_fd
        self.base = base


def walk(bundle: str, layers: tuple[str, ...]) -> Iterator[Changed]:
    """Every change, parents before children, by name. Raises HostUnfit where the root is a plain copy."""
    if os.path.exists(f"{bundle}/copied"):
        raise HostUnfit("this container's root is a copy: what it changed is not known", hint="It needs overlayfs.")
    try:
        upper_fd = os.open(f"{bundle}/upper", _FOLDER)
    except FileNotFoundError:
        return  # never started
    try:
        yield from _folder(upper_fd, b"", Stack(layers), hidden=False)
    finally:
        os.close(upper_fd)


def listing(bundle: str, layers: tuple[str, ...]) -> list[Change]:
    """All changes by path."""
    found = [Change(kind=item.kind, path="/" + os.fsdecode(item.name)) for item in walk(bundle, layers)]
    return sorted(found, key=lambda change: change.path)


def _folder(fd: int, name: bytes, lower: Stack, *, hidden: bool) -> Iterator[Changed]:
    """The changes in one directory of the upper layer. `hidden`: nothing of the layers shows through here."""
    below = set() if hidden else lower.names(name)
    names = sorted(os.fsencode(entry) for entry in os.listdir(fd))
    if hidden:
        names_below = lower.names(name)
        gone = sorted(names_below.difference(names))
        yield from (Changed("D", _joined(name, base), fd, base) for base in gone)
        below = names_below
    for base in names:
        inner = _joined(name, base)
        try:
            status = os.stat(base, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            if base in below:
                yield Changed("D", inner, fd, base)
        elif stat.S_ISDIR(status.st_mode):
            yield from _subfolder(fd, base, inner, lower, status, known=base in below, hidden=hidden)
        elif os.fsdecode(inner) not in OF_THE_ENGINE or status.st_size:
            yield Changed("C" if base in below else "A", inner, fd, base)


def _subfolder(
    parent_fd: int, base: bytes, name: bytes, lower: Stack, status: os.stat_result, *, known: bool, hidden: bool
) -> Iterator[Changed]:
    try:
        fd = os.open(base, _FOLDER, dir_fd=parent_fd)
    except OSError:
        return  # exchanged meanwhile
    try:
        was = lower.stat(name) if known else None
        of_layers = was is not None and stat.S_ISDIR(was.st_mode)
        inner = _folder(fd, name, lower, hidden=of_layers and (hidden or _is_opaque(fd)))
        if not of_layers:
            inner = _folder(fd, name, Stack(()), hidden=False)
        own = Changed("C" if known else "A", name, parent_fd, base)
        mine = os.fsdecode(name) in OF_THE_ENGINE
        if was is not None and of_layers:
            same = (was.st_mode, was.st_uid, was.st_gid) == (status.st_mode, status.st_uid, status.st_gid)
            mine = same and (mine or was.st_mtime_ns == status.st_mtime_ns)
        if not mine:
            yield own
            yield from inner
            return
        # Copied up for a mount point, or for what is below it: a change only when something there is one.
        first = next(inner, None)
        if first is not None:
            yield own
            yield first
            yield from inner
    finally:
        os.close(fd)


def _joined(folder: bytes, base: bytes) -> bytes:
    return folder + b"/" + base if folder else base


def _is_opaque(fd: int) -> bool:
    for name in _OPAQUE:
        try:
            if os.getxattr(fd, name) == b"y":
                return True
        except OSError:
            continue
    return False
