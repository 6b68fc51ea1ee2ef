"""linux.sysctl: written before the container's mounts exist, through the host's own procfs.

The kernel gives /proc/sys/net and the IPC values of the writer's namespaces whichever procfs it came through,
so nothing that an image has put at /proc can catch these writes (CVE-2025-52881).
"""

from __future__ import annotations

import os

from .errors import SetupFailed
from .kernel import calls
from .kernel import constants as k

_ROOT = "/proc/sys"


def write_sysctls(values: dict[str, str]) -> None:
    """Set each value in the calling process's namespaces. Keys may use dots or slashes as separators."""
    if not values:
        return
    root_fd = os.open(_ROOT, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if calls.filesystem_type(root_fd) != k.PROC_SUPER_MAGIC:
            raise SetupFailed("is not a procfs", path=_ROOT)
        for key, value in values.items():
            _write(root_fd, key, value)
    finally:
        os.close(root_fd)


def _write(root_fd: int, key: str, value: str) -> None:
    # A key with slashes may have dots in its parts (an interface called eth0.1), as in sysctl(8).
    relative = key if "/" in key else key.replace(".", "/")
    try:
        fd = calls.openat2(
            root_fd, relative, os.O_WRONLY, resolve=k.RESOLVE_BENEATH | k.RESOLVE_NO_SYMLINKS | k.RESOLVE_NO_XDEV
        )
        try:
            os.write(fd, value.encode())
        finally:
            os.close(fd)
    except OSError as error:
        number = error.errno or 0
        raise SetupFailed(
            f'cannot set it to "{value}": {os.strerror(number)}', path=f"linux.sysctl.{key}", errno=number
        ) from error
