"""Carrying out planned mounts inside the new root, each by descriptor.

Order and rule: the source is opened first, as the host sees it; the target is resolved inside the root at the
moment of mounting (mounts made before are walked through); the detached mount gets its attributes before anyone
can see it, is attached, and only then its propagation. A mount must not land inside a procfs, however it was
spelled (CVE-2019-16884, CVE-2019-19921).
"""

from __future__ import annotations

import errno
import os
import stat

from ..errors import SetupFailed
from ..kernel import calls, mounts
from ..kernel import constants as k
from . import resolve
from .plan import REMOUNT, PlannedMount, may_cover_procfs

_REAL_ROOTS = ("/proc", "/sys")
_HINTS = {
    errno.EPERM: "The host's kernel does not allow this mount to this user, or in this user namespace.",
    errno.ENODEV: "This kernel does not know the file system type.",
}


def open_sources(planned: list[PlannedMount]) -> None:
    """Open the bind mounts' sources as detached mounts, with their attributes set.

    Done before the namespaces are made where a user namespace is involved: inside it the host's paths may not
    be reachable, and attributes not changeable.
    """
    for mount in planned:
        if mount.fs_type == "bind" and mount.source_fd < 0:
            mount.source_fd = _open_source(mount)


def close_sources(planned: list[PlannedMount]) -> None:
    """Close what `open_sources` opened in this process."""
    for mount in planned:
        if mount.source_fd >= 0:
            os.close(mount.source_fd)
            mount.source_fd = -1


def perform(root_fd: int, mount: PlannedMount, label: str = "") -> None:
    """Make one mount inside the root, or change one. Raises SetupFailed naming the mount."""
    if mount.fs_type == REMOUNT:
        _remount(root_fd, mount)
        return
    if mount.fs_type == "bind":
        if mount.source_fd < 0:
            mount.source_fd = _open_source(mount)
        directory = stat.S_ISDIR(os.fstat(mount.source_fd).st_mode)
    else:
        directory = True
    target_fd, made = _open_target(root_fd, mount, directory)
    try:
        _check_target(mount, target_fd)
        if mount.fs_type == "bind":
            mount_fd = mount.source_fd
        else:
            mount_fd = _new_filesystem(mount, target_fd, made, label)
        try:
            if mount.options.copy_up:
                _copy_up(root_fd, mount, mount_fd)
            attach(mount_fd, target_fd, mount)
        finally:
            os.close(mount_fd)
            mount.source_fd = -1
    finally:
        os.close(target_fd)


def attach(mount_fd: int, target_fd: int, mount: PlannedMount) -> None:
    """Attach a detached mount and set its propagation."""
    try:
        mounts.attach(mount_fd, target_fd)
        for propagation, recursive in mount.options.propagation:
            mounts.set_attributes(mount_fd, propagation=propagation, recursive=recursive)
    except OSError as error:
        raise _failed(mount, "cannot be mounted", error) from error


def _remount(root_fd: int, mount: PlannedMount) -> None:
    """Change the attributes of the mount there, and the options of a file system that the config itself has mounted:
    one that came by bind is the host's, and stays as the host has it."""
    try:
        target_fd = resolve.open_in_root(root_fd, mount.destination)
    except OSError as error:
        raise _failed(mount, "is not there", error) from error
    try:
        _set_attributes(target_fd, mount)
        if not mount.options.bind and mount.options.data:
            mounts.reconfigure(target_fd, mount.options.data)
        for propagation, recursive in mount.options.propagation:
            mounts.set_attributes(target_fd, propagation=propagation, recursive=recursive)
    except OSError as error:
        raise _failed(mount, "cannot be remounted", error) from error
    finally:
        os.close(target_fd)


def _open_source(mount: PlannedMount) -> int:
    try:
        fd = mounts.open_tree(k.AT_FDCWD, mount.source, recursive=mount.options.recursive)
    except OSError as error:
        number = error.errno or 0
        raise SetupFailed(
            f"{mount.source}: {os.strerror(number)}", path=f"{mount.place}.source", errno=number
        ) from error
    try:
        _set_attributes(fd, mount)
        if mount.options.idmap or mount.mappings[0]:
            from . import idmapped

            idmapped.apply(fd, mount)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _set_attributes(fd: int, mount: PlannedMount) -> None:
    options = mount.options
    try:
        if options.recursive_set or options.recursive_clear:
            mounts.set_attributes(fd, add=options.recursive_set, clear=options.recursive_clear, recursive=True)
        if options.set or options.clear:
            mounts.set_attributes(fd, add=options.set, clear=options.clear)
    except OSError as error:
        raise _failed(mount, "cannot have these options", error) from error


def _open_target(root_fd: int, mount: PlannedMount, directory: bool) -> tuple[int, bool]:
    # /proc and /sys as symlinks would send every later write of the runtime elsewhere (CVE-2019-19921).
    symlinks = mount.destination not in _REAL_ROOTS
    try:
        return resolve.make_target(root_fd, mount.destination, directory=directory, symlinks=symlinks)
    except SetupFailed as error:
        raise SetupFailed(
            f"{mount.destination} {error.message}", path=f"{mount.place}.destination", errno=error.errno
        ) from error
    except OSError as error:
        raise _failed(mount, "cannot be made as a mount point", error) from error


def _check_target(mount: PlannedMount, target_fd: int) -> None:
    if mount.destination == "/proc":
        if mount.fs_type == "bind" and calls.filesystem_type(mount.source_fd) != k.PROC_SUPER_MAGIC:
            raise SetupFailed(
                f"only procfs may be mounted on /proc, and {mount.source} is none",
                path=f"{mount.place}.source",
            )
    elif calls.filesystem_type(target_fd) == k.PROC_SUPER_MAGIC and not may_cover_procfs(mount):
        raise SetupFailed(f"{mount.destination} leads into /proc", path=f"{mount.place}.destination", errno=errno.EPERM)


def _new_filesystem(mount: PlannedMount, target_fd: int, made: bool, label: str) -> int:
    data = list(mount.options.data)
    if mount.fs_type == "tmpfs" and not made and not any(word.startswith("mode=") for word in data):
        # A tmpfs takes the place of a directory, so it takes its mode too.
        data.append(f"mode={stat.S_IMODE(os.fstat(target_fd).st_mode):o}")
    if label and mount.fs_type not in ("proc", "sysfs", "cgroup", "cgroup2"):
        data.append(f'context="{label}"')
    try:
        fd = mounts.new_filesystem(mount.fs_type, mount.source, data)
    except OSError as error:
        raise _failed(mount, "cannot be mounted", error) from error
    try:
        _set_attributes(fd, mount)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _copy_up(root_fd: int, mount: PlannedMount, mount_fd: int) -> None:
    from . import copy_up

    source_fd = resolve.open_in_root(root_fd, mount.destination, os.O_RDONLY | os.O_DIRECTORY)
    try:
        copy_up.copy_tree(source_fd, mount_fd)
    except OSError as error:
        raise _failed(mount, "cannot be filled with what it covers", error) from error
    finally:
        os.close(source_fd)


def _failed(mount: PlannedMount, what: str, error: OSError) -> SetupFailed:
    number = error.errno or 0
    detail = error.strerror or os.strerror(number)
    if error.filename and error.filename not in detail:
        detail = f"{error.filename}: {detail}"
    return SetupFailed(
        f"{mount.fs_type} on {mount.destination} {what}: {detail}",
        path=mount.place,
        hint=_HINTS.get(number, ""),
        errno=number,
    )
