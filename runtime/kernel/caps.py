"""capget(2), capset(2) and the prctl(2) options about capabilities. Sets are integers, bit n is capability n."""

from __future__ import annotations

import ctypes
import errno
import struct

from . import prototypes

_VERSION_3 = 0x20080522
_CAPBSET_READ, _CAPBSET_DROP = 23, 24
_SET_KEEPCAPS = 8
_AMBIENT, _AMBIENT_RAISE, _AMBIENT_CLEAR_ALL = 47, 2, 4

_capget = prototypes.function("capget", ctypes.c_void_p, ctypes.c_void_p)
_capset = prototypes.function("capset", ctypes.c_void_p, ctypes.c_void_p)


def capget() -> tuple[int, int, int]:
    """Effective, permitted and inheritable set of the calling thread."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)
    if _capget(header, data):
        raise prototypes.failure("capget")
    words = struct.unpack("=6I", data.raw)
    return words[0] | words[3] << 32, words[1] | words[4] << 32, words[2] | words[5] << 32


def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Set the three sets; permitted can only shrink."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0), 8)
    sets = (effective, permitted, inheritable)
    low, high = (each & 0xFFFFFFFF for each in sets), (each >> 32 for each in sets)
    data = ctypes.create_string_buffer(struct.pack("=6I", *low, *high), 24)
    if _capset(header, data):
        raise prototypes.failure("capset")


def bounding_read(number: int) -> bool | None:
    """Whether a capability is in the bounding set; None when the kernel does not know the number."""
    result = prototypes.prctl(_CAPBSET_READ, number, 0, 0, 0)
    return None if result < 0 else bool(result)


def bounding_drop(number: int) -> None:
    """Take a capability out of the bounding set, for good; needs CAP_SETPCAP."""
    if prototypes.prctl(_CAPBSET_DROP, number, 0, 0, 0):
        raise prototypes.failure(f"prctl PR_CAPBSET_DROP {number}")


def keep_on_setuid(keep: bool) -> None:
    """Whether the permitted set outlives the change from uid 0 to another; cleared by execve."""
    if prototypes.prctl(_SET_KEEPCAPS, int(keep), 0, 0, 0):
        raise prototypes.failure("prctl PR_SET_KEEPCAPS")


def ambient_clear() -> None:
    """Empty the ambient set; kernels before 4.3 have none."""
    if prototypes.prctl(_AMBIENT, _AMBIENT_CLEAR_ALL, 0, 0, 0) and ctypes.get_errno() != errno.EINVAL:
        raise prototypes.failure("prctl PR_CAP_AMBIENT_CLEAR_ALL")


def ambient_raise(number: int) -> None:
    """Put a capability, permitted and inheritable already, into the ambient set."""
    if prototypes.prctl(_AMBIENT, _AMBIENT_RAISE, number, 0, 0):
        raise prototypes.failure(f"prctl PR_CAP_AMBIENT_RAISE {number}")
