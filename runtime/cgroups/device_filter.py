"""Device rules as an eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE.

The kernel calls it with `struct bpf_cgroup_dev_ctx { u32 access_type, major, minor }` (linux/bpf.h) for each open and
mknod; access_type holds the wanted access in its upper half and the device type in its lower. The result 1
allows. Registers while it runs: r2 type, r3 the access bits not yet decided, r4 major, r5 minor.

Rules are asked from the last to the first. A matching deny that concerns an undecided bit ends with 0; a
matching allow decides its bits, and ends with 1 when none is left. So each bit follows the last rule that
speaks of it, however the rules split r, w and m.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .devices import Rule

_ACCESS = {"m": 1, "r": 2, "w": 4}
_TYPES = {"b": 1, "c": 2}

# linux/bpf_common.h and linux/bpf.h
_LDX_MEM_W = 0x61
_AND64_K, _RSH64_K, _MOV64_K = 0x57, 0x77, 0xB7
_MOV64_X = 0xBF
_JEQ_K, _JNE_K = 0x15, 0x55
_EXIT = 0x95


def assemble(rules: list[Rule]) -> bytes:
    """The program's instructions, 8 bytes each. No rules: everything is denied."""
    program = [
        _instruction(_LDX_MEM_W, destination=2, source=1, offset=0),
        _instruction(_MOV64_X, destination=3, source=2),
        _instruction(_AND64_K, destination=2, immediate=0xFFFF),
        _instruction(_RSH64_K, destination=3, immediate=16),
        _instruction(_LDX_MEM_W, destination=4, source=1, offset=4),
        _instruction(_LDX_MEM_W, destination=5, source=1, offset=8),
    ]
    default = 0
    for rule in reversed(rules):
        if rule.everything:
            # It speaks of every bit of every device: older rules are never asked.
            default = int(rule.allow)
            break
        program += _rule(rule)
    return b"".join([*program, *_result(default)])


def _rule(rule: Rule) -> list[bytes]:
    mask = sum(_ACCESS[letter] for letter in set(rule.access))
    if rule.allow:
        verdict = [
            _instruction(_AND64_K, destination=3, immediate=~mask & 7),
            _instruction(_JNE_K, destination=3, immediate=0, offset=2),
            *_result(1),
        ]
    else:
        verdict = [
            _instruction(_MOV64_X, destination=0, source=3),
            _instruction(_AND64_K, destination=0, immediate=mask),
            _instruction(_JEQ_K, destination=0, immediate=0, offset=2),
            *_result(0),
        ]
    tests = [(2, _TYPES[rule.type])]
    if rule.major is not None:
        tests.append((4, rule.major))
    if rule.minor is not None:
        tests.append((5, rule.minor))
    lines = []
    for position, (register, value) in enumerate(tests):
        to_next_rule = len(tests) - position - 1 + len(verdict)
        lines.append(_instruction(_JNE_K, destination=register, immediate=value, offset=to_next_rule))
    return lines + verdict


def _result(value: int) -> list[bytes]:
    return [_instruction(_MOV64_K, destination=0, immediate=value), _instruction(_EXIT)]


def _instruction(code: int, *, destination: int = 0, source: int = 0, offset: int = 0, immediate: int = 0) -> bytes:
    return struct.pack("<BBhi", code, source << 4 | destination, offset, immediate)
