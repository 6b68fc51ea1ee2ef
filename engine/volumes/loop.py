"""Loop devices for volumes that are an image in a file: found or made, and gone with their last mount.

Source: loop(4); `struct loop_config` of linux/loop.h.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct

from ..errors import HostUnfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_CONTROL = "/dev/loop-control"
_GET_FREE, _CONFIGURE, _GET_STATUS = 0x4C82, 0x4C0A, 0x4C05
_STATUS_BYTES = 232
_READ_ONLY, _AUTOCLEAR = 1, 4
_TRIES = 32


@contextlib.contextmanager
def attach_loop(path: str, *, read_only: bool) -> Iterator[str]:
    """The block device of an image, to be mounted within the context: the kernel frees it when it is unmounted.

    Raises HostUnfit without loop devices, OSError for a file that cannot be opened.
    """
    flags = os.O_CLOEXEC | (os.O_RDONLY if read_only else os.O_RDWR)
    image_fd = os.open(path, flags)
    try:
        found = _attached(image_fd, flags)
        device, fd = found or _attach(image_fd, flags, _AUTOCLEAR | (_READ_ONLY if read_only else 0))
        try:
            yield device
        finally:
            os.close(fd)
    finally:
        os.close(image_fd)


def _attached(image_fd: int, flags: int) -> tuple[str, int] | None:
    """The device that has the file already. Two over one file would be two file systems that know nothing of each
    other; one stays for as long as any mount namespace has it, that of an ending container too."""
    image = os.fstat(image_fd)
    for entry in sorted(os.listdir("/sys/block")):
        if not entry.startswith("loop") or not os.path.exists(f"/sys/block/{entry}/loop/backing_file"):
            continue
        try:
            fd = os.open(f"/dev/{entry}", flags)
        except OSError:
            continue
        try:
            status = fcntl.ioctl(fd, _GET_STATUS, bytes(_STATUS_BYTES))
        except OSError:  # freed this moment
            status = bytes(_STATUS_BYTES)
        device, inode = struct.unpack_from("<QQ", status)
        if inode == image.st_ino and device in (image.st_dev, _encoded(image.st_dev)):
            return f"/dev/{entry}", fd
        os.close(fd)
    return None


def _encoded(device: int) -> int:
    """A device number as the kernel's huge_encode_dev has it."""
    major, minor = os.major(device), os.minor(device)
    return (minor & 0xFF) | (major << 8) | ((minor & ~0xFF) << 12)


def _attach(image_fd: int, flags: int, loop_flags: int) -> tuple[str, int]:
    try:
        control = os.open(_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise HostUnfit("this machine has no loop devices", hint="modprobe loop") from None
    try:
        for _ in range(_TRIES):
            number = fcntl.ioctl(control, _GET_FREE)
            device = f"/dev/loop{number}"
            if not os.path.exists(device):
                os.mknod(device, 0o60660, os.makedev(7, number))
            fd = os.open(device, flags)
            try:
                _configure(fd, image_fd, loop_flags)
            except OSError as error:
                os.close(fd)
                if error.errno != errno.EBUSY:  # else another was faster
                    raise
                continue
            return device, fd
    finally:
        os.close(control)
    raise HostUnfit("no loop device is free", hint="losetup -a lists them.")


def _configure(fd: int, image_fd: int, loop_flags: int) -> None:
    # fd, block size, then struct loop_info64: device, inode, rdevice, offset, sizelimit, number, encrypt type and
    # key size, flags, file name, crypt name, key, init; then reserved.
    info = struct.pack("<5Q4I64s64s32s2Q", 0, 0, 0, 0, 0, 0, 0, 0, loop_flags, b"", b"", b"", 0, 0)
    fcntl.ioctl(fd, _CONFIGURE, struct.pack("<II", image_fd, 0) + info + bytes(64))
