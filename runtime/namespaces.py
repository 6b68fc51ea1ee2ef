"""Which namespaces a container gets: new ones by flags, others joined by path.

A single clone(2) makes all new ones at once. Some cases cannot be had that way and go through a stage, a child that
joins and unshares and then gives birth to init as the caller's child: a pid or user namespace to join, a
new time namespace (it takes only children), and a new user namespace beside others to join (their owners
would refuse its root).
"""

from __future__ import annotations

import os
import stat

from .errors import SetupFailed
from .kernel import calls
from .kernel import constants as k

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLAGS = k.NAMESPACE_FLAGS
FILES = {
    "user": "user",
    "mount": "mnt",
    "network": "net",
    "ipc": "ipc",
    "uts": "uts",
    "pid": "pid",
    "cgroup": "cgroup",
    "time": "time",
}


class NamespacePlan:
    """`new`: flags to clone or unshare with, without the cgroup one, which has to wait for the cgroup.
    `joins`: (type, descriptor, path), opened here so that a wrong path fails before anything is made."""

    __slots__ = ("joins", "new", "new_cgroup")

    def __init__(self, wanted: dict[str, str]) -> None:
        self.new = 0
        self.new_cgroup = False
        self.joins: list[tuple[str, int, str]] = []
        for kind, path in wanted.items():
            if path:
                self.joins.append((kind, _open(kind, path), path))
            elif kind == "cgroup":
                self.new_cgroup = True
            else:
                self.new |= FLAGS[kind]

    def needs_stage(self) -> bool:
        """Whether one clone is not enough."""
        joined = {kind for kind, _fd, _path in self.joins}
        if joined & {"pid", "user"} or self.new & k.CLONE_NEWTIME:
            return True
        return bool(joined) and bool(self.new & k.CLONE_NEWUSER)

    def join(self) -> None:
        """Enter all that are to be joined. What a foreign owner refuses at first is tried again after the user
        namespace has been entered."""
        later = []
        for kind, fd, path in self.joins:
            if kind != "user" and not _enter(kind, fd, path, final=False):
                later.append((kind, fd, path))
        for kind, fd, path in self.joins:
            if kind == "user":
                _enter(kind, fd, path, final=True)
                become_root()
        for kind, fd, path in later:
            _enter(kind, fd, path, final=True)

    def close(self) -> None:
        """Close the descriptors of the namespaces to join."""
        for _kind, fd, _path in self.joins:
            os.close(fd)
        self.joins = []


def become_root() -> None:
    """Take uid and gid 0 of a user namespace just entered, where they are mapped."""
    for change in (os.setresgid, os.setresuid):
        try:
            change(0, 0, 0)
        except OSError:
            continue


def differing(pid: int) -> int:
    """The flags of all namespaces in which process `pid` is and the caller is not."""
    flags = 0
    for kind, name in FILES.items():
        try:
            theirs = os.stat(f"/proc/{pid}/ns/{name}")
            ours = os.stat(f"/proc/self/ns/{name}")
        except FileNotFoundError:
            continue
        if (theirs.st_ino, theirs.st_dev) != (ours.st_ino, ours.st_dev):
            flags |= FLAGS[kind]
    return flags


def paths_of(pid: int) -> dict[str, str]:
    """The namespace files of a process, by type."""
    return {kind: f"/proc/{pid}/ns/{name}" for kind, name in FILES.items() if os.path.exists(f"/proc/{pid}/ns/{name}")}


def write_time_offsets(pid: int, offsets: dict[str, Any]) -> None:
    """The clocks of the time namespace that children of `pid` will be in (time_namespaces(7))."""
    lines = [f"{clock} {value.get('secs') or 0} {value.get('nanosecs') or 0}\n" for clock, value in offsets.items()]
    try:
        fd = os.open(f"/proc/{pid}/timens_offsets", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, "".join(lines).encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise SetupFailed(str(error.strerror), path="linux.timeOffsets", errno=error.errno or 0) from error


def _open(kind: str, path: str) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SetupFailed(
            f"cannot open the {kind} namespace {path}: {error.strerror}",
            path="linux.namespaces",
            errno=error.errno or 0,
        ) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise SetupFailed(f"{path} is not a namespace", path="linux.namespaces")
    return fd


def _enter(kind: str, fd: int, path: str, *, final: bool) -> bool:
    try:
        calls.setns(fd, FLAGS[kind], path)
    except OSError as error:
        if not final and error.errno == 1:
            return False
        raise SetupFailed(
            f"cannot join the {kind} namespace {path}: {os.strerror(error.errno or 0)}",
            path="linux.namespaces",
            errno=error.errno or 0,
        ) from error
    return True
