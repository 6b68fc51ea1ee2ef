"""A classic BPF machine for seccomp programs, and libseccomp as the second opinion about what they should say."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Any

X86_64, I386, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7
ALLOW, KILL_PROCESS, KILL_THREAD = 0x7FFF0000, 0x80000000, 0
X32_BIT = 0x40000000


def errno_result(number: int) -> int:
    return 0x00050000 | number


def run(program: bytes, arch: int, number: int, args: tuple[int, ...] = ()) -> int:
    """What the kernel would do with this call; AssertionError when it would have refused the program."""
    words = [*args, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, arch, 0, *(word & (1 << 64) - 1 for word in words))
    code = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    accumulator = at = 0
    while True:
        operation, when_true, when_false, value = code[at]
        at += 1
        if operation == 0x20:
            assert value % 4 == 0
            assert value < 64
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif operation == 0x54:
            accumulator &= value
        elif operation == 0x06:
            return int(value)
        elif operation == 0x05:
            at += value
        else:
            holds = {
                0x15: accumulator == value,
                0x25: accumulator > value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[operation]
            at += when_true if holds else when_false


class _Compare(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


_OPERATORS = ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")
_RESULTS = {"ALLOW": ALLOW, "ERRNO": 0x00050000, "KILL_PROCESS": KILL_PROCESS, "LOG": 0x7FFC0000, "TRAP": 0x00030000}


def libseccomp(profile: dict[str, Any]) -> tuple[bytes, set[str]]:
    """The program that libseccomp makes of the profile, and the names that it does not know."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_arch_add.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_void_p,
    )
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.seccomp_release.argtypes = (ctypes.c_void_p,)
    library.seccomp_arch_resolve_name.argtypes = (ctypes.c_char_p,)
    library.seccomp_arch_resolve_name.restype = ctypes.c_uint32

    def action(rule: dict[str, Any], key: str, errno_key: str) -> int:
        name = rule[key].removeprefix("SCMP_ACT_")
        return _RESULTS[name] | (rule.get(errno_key, 1) if name == "ERRNO" else 0)

    default = action(profile, "defaultAction", "defaultErrnoRet")
    context = library.seccomp_init(default)
    unknown = set()
    try:
        for name in profile.get("architectures", ()):
            token = library.seccomp_arch_resolve_name(name.removeprefix("SCMP_ARCH_").lower().encode())
            library.seccomp_arch_add(context, token)
        for rule in profile["syscalls"]:
            verdict = action(rule, "action", "errnoRet")
            if verdict == default:
                continue
            compares = (_Compare * len(rule.get("args", ())))()
            for slot, argument in zip(compares, rule.get("args", ()), strict=True):
                slot.arg, slot.op = (
                    argument["index"],
                    _OPERATORS.index(argument["op"].removeprefix("SCMP_CMP_")) + 1,
                )
                slot.a, slot.b = argument["value"], argument.get("valueTwo", 0)
            for name in rule["names"]:
                number = library.seccomp_syscall_resolve_name(name.encode())
                if number == -1:
                    unknown.add(name)
                    continue
                result = library.seccomp_rule_add_array(context, verdict, number, len(compares), compares)
                assert result in (0, -17), f"{name}: {os.strerror(-result)}"
        file = os.memfd_create("filter")
        try:
            assert library.seccomp_export_bpf(context, file) == 0
            os.lseek(file, 0, os.SEEK_SET)
            return os.read(file, 1 << 20), unknown
        finally:
            os.close(file)
    finally:
        library.seccomp_release(context)
