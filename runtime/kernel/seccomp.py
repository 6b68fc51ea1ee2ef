"""seccomp(2): put a filter on this process."""

from __future__ import annotations

import ctypes
import os

from . import prototypes

_SET_MODE_FILTER = 1
FLAG_TSYNC, FLAG_LOG, FLAG_SPEC_ALLOW = 1, 2, 4
FLAG_NEW_LISTENER, FLAG_WAIT_KILLABLE_RECV = 8, 32
_INSTRUCTION_BYTES = 8

_call = prototypes.syscall(
    317 if os.uname().machine == "x86_64" else 277, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p
)


class _Program(ctypes.Structure):
    """struct sock_fprog (linux/filter.h)"""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def set_mode_filter(program: bytes, flags: int) -> int:
    """Install classic BPF on the calling thread, for good; raises OSError.

    Needs CAP_SYS_ADMIN in the user namespace, or no_new_privs (else EACCES). With FLAG_NEW_LISTENER the
    result is the notification descriptor, else 0. Nothing is allocated after the call, so that a filter that
    forbids mmap does not stop Python from returning.
    """
    code = ctypes.create_string_buffer(program, len(program))
    fprog = _Program(len(program) // _INSTRUCTION_BYTES, ctypes.addressof(code))
    result = _call(_SET_MODE_FILTER, flags, ctypes.byref(fprog))
    if result < 0:
        raise prototypes.failure("seccomp")
    return result
