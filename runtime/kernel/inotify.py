"""Being told of changes to a file: inotify(7), which the standard library lacks."""

from __future__ import annotations

import ctypes
import os

from . import prototypes

IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_MOVE_SELF = 0x800
IN_DELETE_SELF = 0x400

_init = prototypes.function("inotify_init1", ctypes.c_int)
_add = prototypes.function("inotify_add_watch", ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)


def create() -> int:
    """A new inotify descriptor: non-blocking, close-on-exec, the caller's."""
    fd = _init(os.O_NONBLOCK | os.O_CLOEXEC)
    if fd < 0:
        raise prototypes.failure("inotify_init1")
    return fd


def watch(fd: int, path: str, mask: int) -> None:
    """Have the descriptor become readable when these things happen to the path."""
    if _add(fd, os.fsencode(path), mask) < 0:
        raise prototypes.failure("inotify_add_watch", path)


def drain(fd: int) -> None:
    """Forget what was told so far."""
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass
