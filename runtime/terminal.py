"""The container's terminal: a pair from its own devpts, and the way of the master to whoever holds it.

The pair is opened inside the container's root but verified to be what it should be before it is used: the
multiplexer of a devpts, and the peer got from it by ioctl, never by a path (CVE-2025-52565).
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct

from .errors import SetupFailed
from .kernel import calls, mounts, sockets
from .kernel import constants as k
from .rootfs import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MULTIPLEXER = (5, 2)


def open_pair(root_fd: int) -> tuple[int, int]:
    """Master and slave of a new terminal of the devpts at /dev/pts inside the root."""
    try:
        master_fd = resolve.open_in_root(root_fd, "/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY, symlinks=False)
    except OSError as error:
        raise SetupFailed(
            f"cannot open a terminal: {os.strerror(error.errno or 0)}",
            path="/dev/pts/ptmx",
            hint="A terminal needs a devpts mounted on /dev/pts.",
            errno=error.errno or 0,
        ) from error
    try:
        number = os.fstat(master_fd).st_rdev
        if calls.filesystem_type(master_fd) != k.DEVPTS_SUPER_MAGIC or number != os.makedev(*_MULTIPLEXER):
            raise SetupFailed("is not a terminal multiplexer", path="/dev/pts/ptmx")
        fcntl.ioctl(master_fd, k.TIOCSPTLCK, struct.pack("i", 0))
        slave_fd = fcntl.ioctl(master_fd, k.TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except BaseException:
        os.close(master_fd)
        raise
    return master_fd, slave_fd


def set_size(fd: int, console_size: dict[str, Any] | None) -> None:
    """Apply process.consoleSize, when given."""
    if console_size:
        size = struct.pack("HHHH", console_size["height"], console_size["width"], 0, 0)
        fcntl.ioctl(fd, k.TIOCSWINSZ, size)


def bind_console(root_fd: int, slave_fd: int) -> None:
    """Bind the slave onto /dev/console inside the root."""
    mount_fd = mounts.open_tree(slave_fd, "")
    try:
        target_fd, _made = resolve.make_target(root_fd, "/dev/console", directory=False, symlinks=False)
        try:
            mounts.attach(mount_fd, target_fd)
        finally:
            os.close(target_fd)
    finally:
        os.close(mount_fd)


def send_master(socket_fd: int, master_fd: int) -> None:
    """Give the master away over a --console-socket; the message is the terminal's name, as runc's callers expect."""
    sockets.send_descriptor(socket_fd, b"/dev/ptmx", master_fd)


def take_control(slave_fd: int) -> None:
    """Make the slave standard input, output and error, and the controlling terminal of this new session."""
    for fd in (0, 1, 2):
        os.dup2(slave_fd, fd)
    if slave_fd > 2:
        os.close(slave_fd)
    fcntl.ioctl(0, k.TIOCSCTTY, 0)


def take_own_null() -> None:
    """Let standard streams that are the host's null device be the container's: it lies on a mount that the container
    does not have, and criu could not find it again. Whatever else is at /dev/null is left alone."""
    null = os.makedev(1, 3)
    streams = [fd for fd in (0, 1, 2) if _device(fd) == null]
    if not streams:
        return
    try:
        own_fd = os.open("/dev/null", os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    if _device(own_fd) == null:
        os.set_blocking(own_fd, True)
        for fd in streams:
            os.dup2(own_fd, fd)
    os.close(own_fd)


def _device(fd: int) -> int:
    try:
        status = os.fstat(fd)
    except OSError:
        return -1
    return status.st_rdev if stat.S_ISCHR(status.st_mode) else -1


def give_stdio_to(uid: int) -> None:
    """Let the container's user own its standard streams, so that it can open /dev/stdout again.

    The null device and what cannot be changed (a file on a read-only mount, another user's) are left alone.
    """
    null = os.makedev(1, 3)
    for fd in (0, 1, 2):
        try:
            status = os.fstat(fd)
            if status.st_rdev != null and status.st_uid != uid:
                os.fchown(fd, uid, -1)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EPERM, errno.EROFS, errno.EBADF):
                raise
