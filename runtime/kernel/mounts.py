"""The mount system calls: the descriptor-based API (Linux 5.12) and the old ones still needed.

A mount is made detached (`fsmount` of a new file system, `open_tree` of an existing one), gets its attributes,
and is attached by `move_mount` onto a descriptor, never onto a path that a container could have changed
meanwhile. Descriptors returned are close-on-exec and belong to the caller.
"""

from __future__ import annotations

import ctypes
import os

from . import constants, prototypes
from .structs import mount_attr

_MESSAGE_BYTES = 4096


def mount(source: str, target: str, fs_type: str, flags: int, data: str = "") -> None:
    """mount(2)"""
    arguments = (os.fsencode(source), os.fsencode(target), fs_type.encode(), flags, os.fsencode(data))
    if prototypes.mount(*arguments):
        raise prototypes.failure("mount", target)


def umount(target: str, flags: int = constants.MNT_DETACH) -> None:
    """umount2(2)"""
    if prototypes.umount2(os.fsencode(target), flags):
        raise prototypes.failure("umount2", target)


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)"""
    if prototypes.pivot_root(os.fsencode(new_root), os.fsencode(put_old)):
        raise prototypes.failure("pivot_root", new_root)


def new_filesystem(fs_type: str, source: str, options: list[str], attributes: int = 0) -> int:
    """fsopen, fsconfig and fsmount: a detached mount of a new file system instance.

    `options` are the strings of mount(8)'s -o that the file system itself reads, in order. A refusal carries the
    kernel's own explanation, which mount(2) would have sent to the kernel log.
    """
    context_fd = prototypes.fsopen(fs_type.encode(), constants.FSOPEN_CLOEXEC)
    if context_fd < 0:
        raise prototypes.failure("fsopen", fs_type)
    try:
        if source:
            _configure(context_fd, constants.FSCONFIG_SET_STRING, "source", source)
        for option in options:
            key, equals, value = option.partition("=")
            if equals:
                _configure(context_fd, constants.FSCONFIG_SET_STRING, key, value)
            else:
                _configure(context_fd, constants.FSCONFIG_SET_FLAG, key, None)
        _configure(context_fd, constants.FSCONFIG_CMD_CREATE, None, None)
        mount_fd = prototypes.fsmount(context_fd, constants.FSMOUNT_CLOEXEC, attributes)
        if mount_fd < 0:
            raise prototypes.failure("fsmount", fs_type)
        return mount_fd
    finally:
        os.close(context_fd)


def reconfigure(mount_fd: int, options: list[str]) -> None:
    """fspick and fsconfig: change options of the file system instance that is mounted there, in order."""
    context_fd = prototypes.fspick(mount_fd, b"", constants.FSPICK_CLOEXEC | constants.FSPICK_EMPTY_PATH)
    if context_fd < 0:
        raise prototypes.failure("fspick")
    try:
        for option in options:
            key, equals, value = option.partition("=")
            command = constants.FSCONFIG_SET_STRING if equals else constants.FSCONFIG_SET_FLAG
            _configure(context_fd, command, key, value if equals else None)
        _configure(context_fd, constants.FSCONFIG_CMD_RECONFIGURE, None, None)
    finally:
        os.close(context_fd)


def open_tree(directory_fd: int, path: str, *, recursive: bool = False) -> int:
    """A detached copy of the mount (tree) at `path`; an empty path means `directory_fd` itself."""
    flags = constants.OPEN_TREE_CLONE | constants.OPEN_TREE_CLOEXEC
    if recursive:
        flags |= constants.AT_RECURSIVE
    if not path:
        flags |= constants.AT_EMPTY_PATH
    fd = prototypes.open_tree(directory_fd, os.fsencode(path), flags)
    if fd < 0:
        raise prototypes.failure("open_tree", path or None)
    return fd


def attach(mount_fd: int, target_fd: int) -> None:
    """move_mount(2) of a detached mount onto the file or directory behind `target_fd`."""
    flags = constants.MOVE_MOUNT_F_EMPTY_PATH | constants.MOVE_MOUNT_T_EMPTY_PATH
    if prototypes.move_mount(mount_fd, b"", target_fd, b"", flags):
        raise prototypes.failure("move_mount")


def set_attributes(
    mount_fd: int,
    *,
    add: int = 0,
    clear: int = 0,
    propagation: int = 0,
    userns_fd: int = 0,
    recursive: bool = False,
) -> None:
    """mount_setattr(2) on the mount at whose root `mount_fd` is open."""
    attr = mount_attr(add, clear, propagation, userns_fd)
    flags = constants.AT_EMPTY_PATH | (constants.AT_RECURSIVE if recursive else 0)
    if prototypes.mount_setattr(mount_fd, b"", flags, ctypes.byref(attr), ctypes.sizeof(attr)):
        raise prototypes.failure("mount_setattr")


def _configure(context_fd: int, command: int, key: str | None, value: str | None) -> None:
    raw_key = None if key is None else os.fsencode(key)
    raw_value = None if value is None else os.fsencode(value)
    if prototypes.fsconfig(context_fd, command, raw_key, raw_value, 0) < 0:
        number = ctypes.get_errno()
        reason = _explanation(context_fd) or os.strerror(number)
        raise OSError(number, reason, key)


def _explanation(context_fd: int) -> str:
    """The last message of the mount context's log, without its severity prefix."""
    text = ""
    while True:
        try:
            message = os.read(context_fd, _MESSAGE_BYTES)
        except OSError:
            return text
        text = message.decode(errors="replace").strip()[2:]
