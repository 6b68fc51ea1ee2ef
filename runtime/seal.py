"""Running from an interpreter that nobody can write to, whoever gets hold of /proc/self/exe.

A container whose program is /proc/self/exe executes whatever its init ran from: the host's Python. Opened for writing
later, it would replace the host's program (CVE-2019-5736). So the process that containers are forked from runs
from a read-only clone of the mount its interpreter lies on, one that is attached nowhere and has no other
user: writing through it fails with EROFS, for root as well.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_MARK = "_PYDOCK_RUNTIME_SEALED"
_EXECUTABLE = "/proc/self/exe"


def is_sealed() -> bool:
    """Whether this process's interpreter lies on a read-only mount."""
    return bool(os.statvfs(_EXECUTABLE).f_flag & os.ST_RDONLY)


def ensure_sealed(arguments: list[str] | None = None) -> None:
    """Go on sealed: returns at once in a process that is, else re-executes it.

    `arguments` are the interpreter's for that, by default those it was started with.

    For processes that have not opened, spawned or threaded anything yet. Where the kernel refuses (no root, or
    older than 5.12) the process goes on as it is; init is not dumpable in any case.
    """
    if os.environ.pop(_MARK, None) is not None or is_sealed():
        return
    try:
        reexec_sealed(list(sys.orig_argv[1:]) if arguments is None else arguments)
    except OSError:
        return


def reexec_sealed(arguments: list[str]) -> NoReturn:
    """Replace this process by a sealed interpreter with these arguments (without its own name). Raises OSError."""
    from .kernel import calls, mounts
    from .kernel import constants as k

    fd = mounts.open_tree(k.AT_FDCWD, _EXECUTABLE)
    try:
        mounts.set_attributes(fd, add=k.MOUNT_ATTR_RDONLY)
        environment = [f"{name}={value}" for name, value in os.environ.items() if name != _MARK]
        # argv[0] must be the full path, or a virtual environment is not recognised as one.
        calls.execveat(fd, [sys.executable, *arguments], [*environment, f"{_MARK}=1"])
    finally:
        os.close(fd)
    raise AssertionError
