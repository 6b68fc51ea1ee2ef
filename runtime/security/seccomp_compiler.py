"""From linux.seccomp of config.json to classic BPF.

The program looks at `struct seccomp_data { int nr; u32 arch; u64 ip; u64 args[6] }` (seccomp(2)). It picks the
architecture, then finds the call's number in a binary tree over runs of numbers with the same verdict. All
supported machines are little-endian, so an argument's low word comes first.

Effects that are fixed here, because profiles rely on them:

* Rules of one call are alternatives, asked in their order, but one without conditions decides alone wherever
  it stands (so does libseccomp). Conditions of one rule must all hold; two on the same argument mean either
  of them, as they always did in runc.
* A number above every call that the profile names is a call that its author did not know: it gets ENOSYS, so
  that a C library falls back, unless the default action lets calls through or passes them to a supervisor.
* Unknown names are left out. Calls by an architecture that is not listed end the process.
* x32 shares x86-64's architecture value and most numbers, told by bit 30. Where it is listed, the bit is
  dropped and one tree serves both.
* i386 has two ways to the socket and IPC calls; a rule without conditions covers both.
"""

from __future__ import annotations

import errno
import os
import struct

from ..errors import InvalidConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Instruction = tuple[int, int, int, int]
    Block = list[Instruction]

MOST_INSTRUCTIONS = 4096
_AT = "linux.seccomp"

# linux/bpf_common.h: class | size or operation | source
_LD_W_ABS = 0x20
_JA, _JEQ, _JGT, _JGE, _JSET = 0x05, 0x15, 0x25, 0x35, 0x45
_AND, _RET = 0x54, 0x06
_NUMBER_OFFSET, _ARCH_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16

_KILL_PROCESS, _ALLOW = 0x80000000, 0x7FFF0000
_ERRNO = 0x00050000
# linux/seccomp.h
_ACTIONS = {
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": _KILL_PROCESS,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": _ERRNO,
    "SCMP_ACT_NOTIFY": 0x7FC00000,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": _ALLOW,
}
_WITH_DATA = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_SEES_NEW_CALLS = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", "SCMP_ACT_NOTIFY")
# linux/audit.h
_AUDIT = {"SCMP_ARCH_X86_64": 0xC000003E, "SCMP_ARCH_X86": 0x40000003, "SCMP_ARCH_AARCH64": 0xC00000B7}
# Every one that the specification knows: those of other machines never run here, and need no instructions.
_EVERY_ARCHITECTURE = (
    "X86 X86_64 X32 ARM AARCH64 MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X "
    "PARISC PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB NATIVE"
)
_ARCHITECTURES = frozenset(_EVERY_ARCHITECTURE.split())
_X32_BIT = 0x40000000
_X32_FIRST = 512
_NATIVE = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "aarch64": ("SCMP_ARCH_AARCH64",),
}
# linux/net.h, linux/ipc.h
_SOCKETCALLS_IN_ORDER = (
    "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown "
    "setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg"
)
_SOCKETCALL = {name: number for number, name in enumerate(_SOCKETCALLS_IN_ORDER.split(), 1)}
_IPC = {"semop": 1, "semget": 2, "semctl": 3, "semtimedop": 4, "msgsnd": 11, "msgrcv": 12, "msgget": 13}
_IPC |= {"msgctl": 14, "shmat": 21, "shmdt": 22, "shmget": 23, "shmctl": 24}


def assemble(profile: dict[str, Any], machine: str = "") -> bytes:
    """The program, 8 bytes an instruction. `machine` is the host's by default.

    Raises InvalidConfig with the JSON path for an unknown action, operator or value, and for a machine or a
    profile that is too much for it.
    """
    machine = machine or os.uname().machine
    native = _NATIVE.get(machine)
    if native is None:
        raise InvalidConfig(f"{_AT}: no system call table for {machine}", path=_AT)
    default = _action(profile, "defaultAction", "defaultErrnoRet", _AT)
    for index, name in enumerate(profile.get("architectures") or ()):
        if name.removeprefix("SCMP_ARCH_") not in _ARCHITECTURES:
            raise InvalidConfig(f"unknown architecture {name!r}", path=f"{_AT}.architectures[{index}]")
    wanted = [native[0], *(profile.get("architectures") or native)]
    x32 = "SCMP_ARCH_X32" in wanted
    program: Block = [(_LD_W_ABS, 0, 0, _ARCH_OFFSET)]
    for name in dict.fromkeys(wanted):
        if name in _AUDIT and name in native:
            block = _architecture(profile, name, default, x32 and name == "SCMP_ARCH_X86_64")
            program += [(_JEQ, 1, 0, _AUDIT[name]), (_JA, 0, 0, len(block)), *block]
    program.append((_RET, 0, 0, _KILL_PROCESS))
    if len(program) > MOST_INSTRUCTIONS:
        raise InvalidConfig(
            f"{_AT}: the filter has {len(program)} instructions, the kernel takes {MOST_INSTRUCTIONS}",
            path=_AT,
            hint="name fewer argument conditions",
        )
    pack = struct.Struct("=HBBI").pack
    return b"".join([pack(*instruction) for instruction in program])


def _architecture(profile: dict[str, Any], name: str, default: int, x32: bool) -> Block:
    """Everything after the architecture is known; always ends in a RET."""
    numbers = _table(name, x32)
    multiplexes = name == "SCMP_ARCH_X86"
    rules: dict[int, list[tuple[list[Any], int]]] = {}
    for index, rule in enumerate(profile.get("syscalls") or ()):
        at = f"{_AT}.syscalls[{index}]"
        verdict = _action(rule, "action", "errnoRet", at)
        conditions = _conditions(rule.get("args") or (), at)
        for call in rule.get("names") or (rule["name"],):
            for number in numbers.get(call, ()):
                rules.setdefault(number, []).extend([(each, verdict) for each in conditions])
            if multiplexes and conditions == [[]]:
                for number, selector in _multiplexed(numbers, call):
                    rules.setdefault(number, []).append(([(0, "SCMP_CMP_EQ", selector, 0)], verdict))
    block: Block = [(_LD_W_ABS, 0, 0, _NUMBER_OFFSET)]
    if x32:
        block += [(_JSET, 0, 1, _X32_BIT), (_AND, 0, 0, ~_X32_BIT & 0xFFFFFFFF)]
    elif name == "SCMP_ARCH_X86_64":
        # -1 is how a tracer cancels a call, not x32.
        block += [(_JGE, 0, 2, _X32_BIT), (_JEQ, 1, 0, 0xFFFFFFFF), (_RET, 0, 0, _KILL_PROCESS)]
    if profile["defaultAction"] not in _SEES_NEW_CALLS:
        block += [(_JGT, 0, 1, max(rules, default=0)), (_RET, 0, 0, _ERRNO | errno.ENOSYS)]
        # Between the ordinary numbers and those of x32 alone lies where new calls will be.
        newest = max((number for number in rules if number < _X32_FIRST), default=0)
        if any(number >= _X32_FIRST for number in rules):
            rules.update((number, [([], _ERRNO | errno.ENOSYS)]) for number in range(newest + 1, _X32_FIRST))
    return block + _tree(_runs(rules, default))


def _runs(rules: dict[int, list[tuple[list[Any], int]]], default: int) -> list[tuple[int, Block]]:
    """Where each run of equal verdicts begins, and the verdict's instructions."""
    runs: list[tuple[int, Block]] = [(0, [(_RET, 0, 0, default)])]
    following = 0
    for number in sorted(rules):
        if number != following and runs[-1][1] != [(_RET, 0, 0, default)]:
            runs.append((following, [(_RET, 0, 0, default)]))
        block = _verdict(rules[number], default)
        if block != runs[-1][1]:
            if runs[-1][0] == number:
                runs.pop()
            runs.append((number, block))
        following = number + 1
    if runs[-1][1] != [(_RET, 0, 0, default)]:
        runs.append((following, [(_RET, 0, 0, default)]))
    return runs


def _tree(runs: list[tuple[int, Block]]) -> Block:
    """Binary search for the run that the number in the accumulator lies in."""
    if len(runs) == 1:
        return runs[0][1]
    middle = len(runs) // 2
    left, right = _tree(runs[:middle]), _tree(runs[middle:])
    if len(left) < 256:
        return [(_JGE, len(left), 0, runs[middle][0]), *left, *right]
    return [(_JGE, 0, 1, runs[middle][0]), (_JA, 0, 0, len(left)), *left, *right]


def _verdict(rules: list[tuple[list[Any], int]], default: int) -> Block:
    """The verdict without conditions that differs from the default, or else the rules in order, then the default."""
    for conditions, verdict in rules:
        if not conditions and verdict != default:
            return [(_RET, 0, 0, verdict)]
    block: Block = []
    index = 0
    while index < len(rules):
        conditions, verdict = rules[index]
        together = _equalities(rules, index)
        if len(together) > 1:
            block += _one_of(conditions[0][0], together, verdict)
        elif conditions:
            block += _all_of(conditions, verdict)
        index += max(1, len(together))
    return [*block, (_RET, 0, 0, default)]


def _equalities(rules: list[tuple[list[Any], int]], start: int) -> list[int]:
    """Values of the rules from `start` on that compare the same argument for equality and agree in all but the
    low word: a socket rule for each of 40 address families is one load and 40 jumps."""
    values: list[int] = []
    first, verdict = rules[start]
    for conditions, other in rules[start : start + 250]:
        if len(conditions) != 1 or other != verdict:
            break
        argument, operator, value, _second = conditions[0]
        if operator != "SCMP_CMP_EQ" or argument != first[0][0] or value >> 32 != first[0][2] >> 32:
            break
        values.append(value)
    return values


def _one_of(argument: int, values: list[int], verdict: int) -> Block:
    count = len(values)
    low = _ARGUMENTS_OFFSET + 8 * argument
    block: Block = [(_LD_W_ABS, 0, 0, low + 4), (_JEQ, 0, count + 2, values[0] >> 32), (_LD_W_ABS, 0, 0, low)]
    for index, value in enumerate(values):
        last = index == count - 1
        block.append((_JEQ, count - 1 - index, 1 if last else 0, value & 0xFFFFFFFF))
    return [*block, (_RET, 0, 0, verdict)]


def _all_of(conditions: list[Any], verdict: int) -> Block:
    """One rule: `verdict` when every condition holds, else on to what follows the block."""
    parts = [_condition(*condition) for condition in conditions]
    total = sum(len(part) for part in parts) + 1
    block: Block = []
    for part in parts:
        end = len(block) + len(part)
        for code, when_true, when_false, value in part:
            here = len(block) + 1
            target = {"next": here, "hold": end, "fail": total}
            if code in (_LD_W_ABS, _AND):
                block.append((code, 0, 0, value))
            else:
                block.append((code, target[when_true] - here, target[when_false] - here, value))
    return [*block, (_RET, 0, 0, verdict)]


def _condition(argument: int, operator: str, value: int, second: int) -> list[tuple[int, str, str, int]]:
    """A 64-bit comparison in 32-bit steps. `hold` and `fail` leave the condition."""
    low = _ARGUMENTS_OFFSET + 8 * argument
    mask = None
    if operator == "SCMP_CMP_MASKED_EQ":
        mask, value, operator = value, second & value, "SCMP_CMP_EQ"
    high_word, low_word = value >> 32, value & 0xFFFFFFFF
    steps: list[tuple[int, str, str, int]] = [(_LD_W_ABS, "", "", low + 4)]
    if mask is not None:
        steps.append((_AND, "", "", mask >> 32))
    if operator in ("SCMP_CMP_GT", "SCMP_CMP_GE"):
        steps.append((_JGT, "hold", "next", high_word))
    elif operator in ("SCMP_CMP_LT", "SCMP_CMP_LE"):
        steps.append((_JGT, "fail", "next", high_word))
    steps.append((_JEQ, "next", _HIGH_DIFFERS[operator], high_word))
    steps.append((_LD_W_ABS, "", "", low))
    if mask is not None:
        steps.append((_AND, "", "", mask & 0xFFFFFFFF))
    code, when_true, when_false = _LOW_WORD[operator]
    steps.append((code, when_true, when_false, low_word))
    return steps


_HIGH_DIFFERS = {
    "SCMP_CMP_EQ": "fail",
    "SCMP_CMP_NE": "hold",
    "SCMP_CMP_GT": "fail",
    "SCMP_CMP_GE": "fail",
    "SCMP_CMP_LT": "hold",
    "SCMP_CMP_LE": "hold",
}
_LOW_WORD = {
    "SCMP_CMP_EQ": (_JEQ, "hold", "fail"),
    "SCMP_CMP_NE": (_JEQ, "fail", "hold"),
    "SCMP_CMP_GT": (_JGT, "hold", "fail"),
    "SCMP_CMP_GE": (_JGE, "hold", "fail"),
    "SCMP_CMP_LT": (_JGE, "fail", "hold"),
    "SCMP_CMP_LE": (_JGT, "fail", "hold"),
}


def _conditions(arguments: Sequence[dict[str, Any]], at: str) -> list[list[Any]]:
    """The alternatives of one rule: usually one, of all its conditions."""
    parsed = []
    for index, argument in enumerate(arguments):
        here = f"{at}.args[{index}]"
        operator, position = argument.get("op"), argument.get("index")
        if operator not in _LOW_WORD and operator != "SCMP_CMP_MASKED_EQ":
            raise InvalidConfig(f"{here}.op: unknown operator {operator!r}", path=f"{here}.op")
        if not isinstance(position, int) or not 0 <= position <= 5:
            raise InvalidConfig(f"{here}.index: {position!r} is not 0 to 5", path=f"{here}.index")
        values = []
        for key in ("value", "valueTwo"):
            value = argument.get(key) or 0
            if not isinstance(value, int) or not 0 <= value < 1 << 64:
                raise InvalidConfig(f"{here}.{key}: {value!r} is not a 64-bit number", path=f"{here}.{key}")
            values.append(value)
        parsed.append((position, operator, *values))
    if len({condition[0] for condition in parsed}) < len(parsed):
        return [[condition] for condition in parsed]
    return [parsed]


def _action(holder: dict[str, Any], key: str, errno_key: str, at: str) -> int:
    """The value that the filter returns for an action, its data included; EPERM when none is given."""
    name = holder.get(key)
    if name not in _ACTIONS:
        raise InvalidConfig(f"{at}.{key}: unknown action {name!r}", path=f"{at}.{key}")
    data = holder.get(errno_key)
    if name not in _WITH_DATA:
        if data is not None:
            raise InvalidConfig(f"{at}.{errno_key}: {name} has no error number", path=f"{at}.{errno_key}")
        return _ACTIONS[name]
    if data is None:
        data = errno.EPERM
    if not isinstance(data, int) or not 0 <= data <= 0xFFFF:
        raise InvalidConfig(f"{at}.{errno_key}: {data!r} is not 0 to 65535", path=f"{at}.{errno_key}")
    return _ACTIONS[name] | data


def _multiplexed(numbers: dict[str, tuple[int, ...]], call: str) -> list[tuple[int, int]]:
    """The i386 call behind which `call` hides too, and its selector in the first argument."""
    if call in _SOCKETCALL:
        return [(numbers["socketcall"][0], _SOCKETCALL[call])]
    if call in _IPC:
        return [(numbers["ipc"][0], _IPC[call])]
    return []


def _table(architecture: str, x32: bool) -> dict[str, tuple[int, ...]]:
    """Name to numbers; two where x32 has one of its own."""
    if architecture == "SCMP_ARCH_X86_64":
        from . import seccomp_x86_64 as module

        texts = [module.TABLE, module.X32_TABLE] if x32 else [module.TABLE]
    elif architecture == "SCMP_ARCH_X86":
        from .seccomp_i386 import TABLE

        texts = [TABLE]
    else:
        from .seccomp_aarch64 import TABLE

        texts = [TABLE]
    numbers: dict[str, tuple[int, ...]] = {}
    for line in "".join(texts).split("\n"):
        words = line.split()
        for number, name in enumerate(words[1:], int(words[0]) if words else 0):
            numbers[name] = (*numbers.get(name, ()), number)
    return numbers
