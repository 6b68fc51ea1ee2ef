"""/dev of the container: the default devices, those that config.json adds, and the usual links.

Made before pivot_root relative to a descriptor of the container's own /dev, which must be a directory and no symlink
(CVE-2026-41579: a rootfs whose /dev points at the host's would have nodes made there).
"""

from __future__ import annotations

import errno
import os
import stat

from ..errors import SetupFailed
from ..kernel import constants as k
from ..kernel import mounts
from ..spec import items
from . import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Linux documentation, admin-guide/devices.txt
_DEFAULT = (
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
)
# What every container may do, whatever linux.resources.devices says before: make nodes (opening them is another
# matter), use the default devices and its own terminals.
_ALWAYS_ALLOWED: tuple[dict[str, Any], ...] = (
    {"allow": True, "type": "c", "access": "m"},
    {"allow": True, "type": "b", "access": "m"},
    *(
        {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
        for _path, major, minor in _DEFAULT
    ),
    {"allow": True, "type": "c", "major": 5, "minor": 2, "access": "rwm"},
    {"allow": True, "type": "c", "major": 136, "access": "rwm"},
)
_LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
)
_TYPES = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


class Device:
    """One node to be made; `place` is where config.json asks for it, "" for a default one."""

    __slots__ = ("gid", "mode", "number", "path", "place", "uid")

    def __init__(self, path: str, mode: int, number: int, uid: int, gid: int, place: str) -> None:
        self.path = path
        self.mode = mode
        self.number = number
        self.uid = uid
        self.gid = gid
        self.place = place


def plan_devices(config: dict[str, Any]) -> list[Device]:
    """Default devices, replaced or followed by those of linux.devices."""
    planned = {
        path: Device(path, stat.S_IFCHR | 0o666, os.makedev(major, minor), 0, 0, "") for path, major, minor in _DEFAULT
    }
    for index, entry in enumerate(items(config, "linux", "devices")):
        kind = _TYPES[entry["type"]]
        mode = entry.get("fileMode")
        number = 0 if kind == stat.S_IFIFO else os.makedev(entry["major"], entry["minor"])
        path = os.path.normpath(entry["path"])
        permissions = 0o666 if mode is None else stat.S_IMODE(mode)
        planned[path] = Device(
            path,
            kind | permissions,
            number,
            entry.get("uid") or 0,
            entry.get("gid") or 0,
            f"linux.devices[{index}]",
        )
    return list(planned.values())


def wants_devices(config: dict[str, Any]) -> bool:
    """Whether /dev is the container's own; a bind mount there means that the host's is wanted as it is."""
    for mount in items(config, "mounts"):
        if os.path.normpath("/" + mount["destination"]).lstrip("/") == "dev":
            options = mount.get("options") or []
            if mount.get("type") == "bind" or "bind" in options or "rbind" in options:
                return False
    return True


def device_rules(resources: dict[str, Any]) -> dict[str, Any]:
    """The resources with their device rules completed: nothing but the default devices where none are given."""
    rules = resources.get("devices")
    if rules is None:
        rules = [{"allow": False, "access": "rwm"}]
    return {**resources, "devices": [*rules, *_ALWAYS_ALLOWED]}


def make_devices(root_fd: int, devices: list[Device], *, bind: bool) -> None:
    """Make the nodes; with `bind` (a user namespace, where mknod is refused) the host's are bound instead."""
    for device in devices:
        try:
            if bind and not stat.S_ISFIFO(device.mode):
                _bind_device(root_fd, device)
            else:
                _make_node(root_fd, device)
        except OSError as error:
            number = error.errno or 0
            raise SetupFailed(
                f"cannot make the device {device.path}: {os.strerror(number)}",
                path=device.place,
                errno=number,
            ) from error


def make_links(root_fd: int) -> None:
    """The links in /dev: descriptors, core, and ptmx to the container's own devpts."""
    dev_fd = _open_dev(root_fd)
    try:
        for name, target in _LINKS:
            if name == "core" and not os.path.exists("/proc/kcore"):
                continue
            try:
                os.symlink(target, name, dir_fd=dev_fd)
            except FileExistsError:
                continue
        try:
            os.unlink("ptmx", dir_fd=dev_fd)
        except FileNotFoundError:
            pass
        os.symlink("pts/ptmx", "ptmx", dir_fd=dev_fd)
    except OSError as error:
        raise SetupFailed(f"cannot make the links in /dev: {error.strerror}", errno=error.errno or 0) from error
    finally:
        os.close(dev_fd)


def _open_dev(root_fd: int) -> int:
    try:
        fd, _made = resolve.make_target(root_fd, "/dev", directory=True, symlinks=False)
    except SetupFailed as error:
        raise SetupFailed(f"/dev {error.message}", path="/dev", errno=error.errno) from error
    return fd


def _make_node(root_fd: int, device: Device) -> None:
    parent, name = os.path.split(device.path)
    if parent == "/dev":
        parent_fd = _open_dev(root_fd)
    else:
        if parent.startswith("/dev/"):
            os.close(_open_dev(root_fd))
        parent_fd = resolve.make_directories(root_fd, parent)
    try:
        try:
            os.mknod(name, device.mode, device.number, dir_fd=parent_fd)
        except FileExistsError:
            _verify(os.stat(name, dir_fd=parent_fd, follow_symlinks=False), device)
            return
        os.chown(name, device.uid, device.gid, dir_fd=parent_fd, follow_symlinks=False)
    finally:
        os.close(parent_fd)


def _bind_device(root_fd: int, device: Device) -> None:
    if device.path.startswith("/dev/"):
        os.close(_open_dev(root_fd))
    source_fd = mounts.open_tree(k.AT_FDCWD, device.path)
    try:
        _verify(os.fstat(source_fd), device)
        target_fd, _made = resolve.make_target(root_fd, device.path, directory=False, symlinks=False)
        try:
            mounts.attach(source_fd, target_fd)
        finally:
            os.close(target_fd)
    finally:
        os.close(source_fd)


def _verify(status: os.stat_result, device: Device) -> None:
    """What stands there already must be that device: a planted file would be written to as if it were."""
    if stat.S_IFMT(status.st_mode) != stat.S_IFMT(device.mode) or status.st_rdev != device.number:
        raise SetupFailed(
            f"{device.path} exists and is another file than the device",
            path=device.place,
            errno=errno.EEXIST,
        )
