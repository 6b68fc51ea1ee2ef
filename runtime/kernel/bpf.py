"""bpf(2), as far as cgroup device programs need it (linux/bpf.h).

Descriptors returned are close-on-exec (the kernel makes all BPF descriptors so) and belong to the caller.
Every function raises OSError. `union bpf_attr` is written with struct, because only its first fields are used
and the kernel takes a shorter one.
"""

from __future__ import annotations

import ctypes
import os
import struct

from . import prototypes

_PROG_LOAD, _PROG_ATTACH, _PROG_DETACH = 5, 8, 9
_PROG_GET_FD_BY_ID, _PROG_QUERY = 13, 16
_PROG_TYPE_CGROUP_DEVICE = 15
_CGROUP_DEVICE = 6
_F_ALLOW_MULTI, _F_REPLACE = 2, 4
_MOST_PROGRAMS = 64
_LOG_BYTES = 1 << 16

_call = prototypes.syscall(321 if os.uname().machine == "x86_64" else 280, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint)


def load_device_program(instructions: bytes) -> int:
    """A descriptor of the loaded program. EINVAL or EACCES: the verifier refused it, and its log is in the
    error's text."""
    code = ctypes.create_string_buffer(instructions, len(instructions))
    # The program calls no helper, so the kernel does not care for its licence.
    licence = ctypes.create_string_buffer(b"Apache-2.0")

    def attributes(log: ctypes.Array[ctypes.c_char] | None) -> bytes:
        return struct.pack(
            "=IIQQIIQII16s",
            _PROG_TYPE_CGROUP_DEVICE,
            len(instructions) // 8,
            ctypes.addressof(code),
            ctypes.addressof(licence),
            1 if log is not None else 0,
            _LOG_BYTES if log is not None else 0,
            ctypes.addressof(log) if log is not None else 0,
            0,
            0,
            b"pydock_devices",
        )

    try:
        return _bpf(_PROG_LOAD, attributes(None), "load")[0]
    except OSError as error:
        log = ctypes.create_string_buffer(_LOG_BYTES)
        try:
            return _bpf(_PROG_LOAD, attributes(log), "load")[0]
        except OSError:
            said = log.value.decode(errors="replace").strip()
            raise OSError(error.errno, f"{error.strerror}: {said}" if said else error.strerror) from None


def attached_device_programs(cgroup_fd: int) -> list[int]:
    """Ids of the device programs attached to this very cgroup, not to its ancestors."""
    ids = (ctypes.c_uint32 * _MOST_PROGRAMS)()
    attributes = struct.pack("=IIIIQI", cgroup_fd, _CGROUP_DEVICE, 0, 0, ctypes.addressof(ids), _MOST_PROGRAMS)
    _result, after = _bpf(_PROG_QUERY, attributes, "query")
    count: int = struct.unpack_from("=I", after, 24)[0]
    return list(ids[:count])


def program_by_id(number: int) -> int:
    """A descriptor of a loaded program."""
    return _bpf(_PROG_GET_FD_BY_ID, struct.pack("=III", number, 0, 0), "get program")[0]


def attach_device_program(cgroup_fd: int, program_fd: int, *, replace: int = -1) -> None:
    """Attach, in place of the program `replace` when one is given (BPF_F_REPLACE, Linux 5.6)."""
    flags = _F_ALLOW_MULTI | (_F_REPLACE if replace >= 0 else 0)
    attributes = struct.pack("=IIIII", cgroup_fd, program_fd, _CGROUP_DEVICE, flags, max(replace, 0))
    _bpf(_PROG_ATTACH, attributes, "attach")


def detach_device_program(cgroup_fd: int, program_fd: int) -> None:
    """Detach one of several programs."""
    _bpf(_PROG_DETACH, struct.pack("=IIIII", cgroup_fd, program_fd, _CGROUP_DEVICE, 0, 0), "detach")


def _bpf(command: int, attributes: bytes, name: str) -> tuple[int, bytes]:
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result = _call(command, buffer, len(attributes))
    if result < 0:
        raise prototypes.failure(f"bpf {name}")
    return result, buffer.raw
