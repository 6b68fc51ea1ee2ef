"""The processes of a cgroup directory: list them, end them, and delete the directory after them."""

from __future__ import annotations

import errno
import os
import time

from ..kernel.signals import SIGKILL
from .fault import CgroupFault
from .files import read_text

_FIRST_WAIT_S = 0.0005
_LONGEST_WAIT_S = 0.05


def is_directory(path: str) -> bool:
    """Like os.path.isdir, without following the error paths."""
    try:
        return os.stat(path).st_mode & 0o170000 == 0o040000
    except OSError:
        return False


def make_directory(path: str) -> None:
    """Make a cgroup and the parents that are missing; one that is there is fine. Raises OSError."""
    try:
        os.mkdir(path, 0o755)
    except FileNotFoundError:
        make_directory(os.path.dirname(path))
        make_directory(path)
    except FileExistsError:
        pass


def children(path: str) -> list[str]:
    """The cgroups directly below; none when the directory is gone."""
    try:
        with os.scandir(path) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def tree(path: str) -> list[str]:
    """The directory and all cgroups below it, parents first."""
    found = [path]
    for directory in found:
        found.extend(children(directory))
    return found


def pids(path: str, recursive: bool = True) -> list[int]:
    """Thread-group ids in it. A threaded v2 cgroup cannot list its own (EOPNOTSUPP); its root lists them."""
    found: dict[int, None] = {}
    for directory in tree(path) if recursive else [path]:
        try:
            text = read_text(f"{directory}/cgroup.procs")
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
                continue
            raise CgroupFault(f"cannot read {directory}/cgroup.procs: {error.strerror}", path=directory) from error
        for line in text.split():
            found[int(line)] = None
    # A process of a pid namespace that is not below ours shows as 0, and kill(0) would be our own group.
    found.pop(0, None)
    return list(found)


def signal_all(path: str, sig: int) -> int:
    """Signal every process that is in it now; how many there were. One that is gone already is no error."""
    listed = pids(path)
    for pid in listed:
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass
    return len(listed)


def kill_until_empty(path: str, timeout_s: float = 2.0) -> None:
    """SIGKILL until nothing new appears: a fork bomb is faster than one pass over its list."""
    deadline = time.monotonic() + timeout_s
    wait = _FIRST_WAIT_S
    while signal_all(path, SIGKILL) and time.monotonic() < deadline:
        time.sleep(wait)
        wait = min(wait * 2, _LONGEST_WAIT_S)


def remove_trees(paths: list[str], timeout_s: float) -> None:
    """rmdir each directory with all below it, retried while the kernel still says busy."""
    deadline = time.monotonic() + timeout_s
    wait = _FIRST_WAIT_S
    left = paths
    while left := [path for path in left if not _removed(path)]:
        if time.monotonic() >= deadline:
            holders = ", ".join(str(pid) for pid in pids(left[0])) or "none that is visible here"
            raise CgroupFault(
                f"cannot remove {left[0]}: still in use (processes: {holders})",
                path=left[0],
                hint="end these processes first",
                errno=errno.EBUSY,
            )
        time.sleep(wait)
        wait = min(wait * 2, _LONGEST_WAIT_S)


def _removed(path: str) -> bool:
    try:
        os.rmdir(path)
        return True
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
            raise CgroupFault(f"cannot remove {path}: {error.strerror}", path=path) from error
    removed_some = False
    for directory in reversed(tree(path)[1:]):
        try:
            os.rmdir(directory)
            removed_some = True
        except OSError:
            pass
    if not removed_some:
        return False
    try:
        os.rmdir(path)
        return True
    except FileNotFoundError:
        return True
    except OSError:
        return False
