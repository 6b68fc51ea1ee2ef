"""Acting on files as another user while keeping every capability: setfsuid(2), and the secure bit that allows it."""

from __future__ import annotations

import ctypes

from . import calls, prototypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

# linux/prctl.h, linux/securebits.h
_PR_GET_SECUREBITS = 27
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2

_setfsuid = prototypes.function("setfsuid", ctypes.c_uint32)
_setfsgid = prototypes.function("setfsgid", ctypes.c_uint32)


class FileSystemUser:
    """`with FileSystemUser(uid, gid):`. Without the secure bit the kernel would take the capabilities about files from
    whoever stops being root for them. Raises OSError without CAP_SETPCAP."""

    def __init__(self, uid: int, gid: int) -> None:
        self._ids = (uid, gid)
        self._before = (0, 0)
        self._bits = 0

    def __enter__(self) -> Self:
        self._bits = calls.prctl(_PR_GET_SECUREBITS)
        calls.prctl(_PR_SET_SECUREBITS, self._bits | _SECBIT_NO_SETUID_FIXUP)
        self._before = (_setfsuid(self._ids[0]), _setfsgid(self._ids[1]))
        return self

    def __exit__(self, *_error: object) -> None:
        _setfsuid(self._before[0])
        _setfsgid(self._before[1])
        calls.prctl(_PR_SET_SECUREBITS, self._bits)
