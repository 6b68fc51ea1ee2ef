"""AppArmor profile and SELinux label for the container's program, put on by its execve.

Asked for on a host without that security module: an error that names the missing file, unless the profile is
`unconfined`; a container that its author wanted confined must not run unconfined in silence.
"""

from __future__ import annotations

import os

from ..errors import SetupFailed
from ..kernel import calls
from ..kernel import constants as k

_APPARMOR = ("/proc/thread-self/attr/apparmor/exec", "/proc/thread-self/attr/exec")
_SELINUX = ("/proc/thread-self/attr/exec",)


def check(apparmor: str, selinux: str) -> None:
    """Refuse at once what this host cannot do."""
    if apparmor and apparmor != "unconfined" and not os.path.isdir("/sys/kernel/security/apparmor"):
        raise SetupFailed(
            f'profile "{apparmor}" needs AppArmor, and /sys/kernel/security/apparmor does not exist',
            path="process.apparmorProfile",
        )
    if selinux and not os.path.isdir("/sys/fs/selinux"):
        raise SetupFailed(
            f'label "{selinux}" needs SELinux, and /sys/fs/selinux does not exist', path="process.selinuxLabel"
        )


def open_attributes(apparmor: str, selinux: str) -> list[tuple[int, bytes]]:
    """Open the attribute files while the host's procfs is still at /proc; for `set_for_exec`."""
    opened = []
    if apparmor and apparmor != "unconfined":
        opened.append((_open(_APPARMOR), f"exec {apparmor}".encode()))
    if selinux:
        opened.append((_open(_SELINUX), selinux.encode()))
    return opened


def set_for_exec(opened: list[tuple[int, bytes]]) -> None:
    """Write what the next execve is to put on; closes the descriptors."""
    for fd, value in opened:
        try:
            os.write(fd, value)
        except OSError as error:
            raise SetupFailed(
                f"the security module refused {value.decode()}: {error.strerror}", errno=error.errno or 0
            ) from error
        finally:
            os.close(fd)


def _open(paths: tuple[str, ...]) -> int:
    for path in paths:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        if calls.filesystem_type(fd) != k.PROC_SUPER_MAGIC:
            os.close(fd)
            raise SetupFailed("is not on a procfs", path=path)
        return fd
    raise SetupFailed("does not exist", path=paths[0])
