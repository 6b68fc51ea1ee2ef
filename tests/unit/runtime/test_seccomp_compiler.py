"""What a compiled filter answers, asked in a BPF machine; libseccomp is the second opinion."""

from __future__ import annotations

import ctypes
import errno
from typing import Any

import pytest

from engine.bundle.seccomp import default_profile
from runtime.errors import InvalidConfig
from runtime.security import seccomp
from runtime.security.seccomp_compiler import assemble

from .bpf_machine import (
    AARCH64,
    ALLOW,
    I386,
    KILL_PROCESS,
    X32_BIT,
    X86_64,
    errno_result,
    libseccomp,
    run,
)

EPERM, ENOSYS = errno_result(errno.EPERM), errno_result(errno.ENOSYS)
READ, SOCKET, CLONE, PERSONALITY, UNSHARE, CLONE3 = 0, 41, 56, 135, 272, 435


def profile_of(*rules: dict[str, Any], default: str = "SCMP_ACT_ERRNO", **more: Any) -> dict[str, Any]:
    return {"defaultAction": default, "syscalls": list(rules), **more}


def rule(names: str, action: str = "SCMP_ACT_ALLOW", *args: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"names": names.split(), "action": action, "args": list(args), **more}


def arg(index: int, operator: str, value: int, second: int = 0) -> dict[str, Any]:
    return {"index": index, "op": f"SCMP_CMP_{operator}", "value": value, "valueTwo": second}


@pytest.mark.parametrize(
    ("operator", "holds"),
    [
        ("EQ", lambda x, v: x == v),
        ("NE", lambda x, v: x != v),
        ("LT", lambda x, v: x < v),
        ("LE", lambda x, v: x <= v),
        ("GT", lambda x, v: x > v),
        ("GE", lambda x, v: x >= v),
    ],
)
def test_operators_compare_all_64_bits(operator: str, holds: Any) -> None:
    edges = (0, 1, 5, 6, 7, 0xFFFFFFFF, 1 << 32, 5 << 32, (5 << 32) + 6, (5 << 32) + 7, (1 << 64) - 1)
    for value in edges:
        program = assemble(profile_of(rule("read", "SCMP_ACT_ALLOW", arg(2, operator, value))), "x86_64")
        for given in edges:
            expected = ALLOW if holds(given, value) else EPERM
            assert run(program, X86_64, READ, (9, 9, given)) == expected, (operator, value, given)


def test_masked_equality_looks_at_the_masked_bits_only() -> None:
    program = assemble(
        profile_of(rule("read", "SCMP_ACT_ALLOW", arg(0, "MASKED_EQ", 0xF0000000F0, 0x1000000010))), "x86_64"
    )
    assert run(program, X86_64, READ, (0x100000001F,)) == ALLOW
    assert run(program, X86_64, READ, (0x10,)) == EPERM
    assert run(program, X86_64, READ, (0x1000000030,)) == EPERM


def test_conditions_of_one_rule_must_all_hold_and_rules_are_alternatives() -> None:
    program = assemble(
        profile_of(
            rule("read", "SCMP_ACT_ALLOW", arg(0, "EQ", 1), arg(1, "GT", 10)),
            rule("read", "SCMP_ACT_LOG", arg(0, "EQ", 2)),
        ),
        "x86_64",
    )
    assert run(program, X86_64, READ, (1, 11)) == ALLOW
    assert run(program, X86_64, READ, (1, 10)) == EPERM
    assert run(program, X86_64, READ, (2, 0)) == 0x7FFC0000
    assert run(program, X86_64, READ, (3, 99)) == EPERM


def test_two_conditions_on_one_argument_are_alternatives_as_in_runc() -> None:
    program = assemble(profile_of(rule("read", "SCMP_ACT_ALLOW", arg(0, "EQ", 1), arg(0, "EQ", 2))), "x86_64")
    assert [run(program, X86_64, READ, (value,)) for value in (1, 2, 3)] == [ALLOW, ALLOW, EPERM]


@pytest.mark.parametrize("order", [1, -1])
def test_a_rule_without_conditions_decides_wherever_it_stands(order: int) -> None:
    rules = [rule("read", "SCMP_ACT_ALLOW", arg(0, "EQ", 3)), rule("read", "SCMP_ACT_ERRNO", errnoRet=7)]
    program = assemble(profile_of(*rules[::order], default="SCMP_ACT_LOG"), "x86_64")
    assert run(program, X86_64, READ, (3,)) == errno_result(7)


@pytest.mark.parametrize(
    ("action", "result"),
    [
        ("SCMP_ACT_KILL", 0),
        ("SCMP_ACT_KILL_THREAD", 0),
        ("SCMP_ACT_KILL_PROCESS", KILL_PROCESS),
        ("SCMP_ACT_TRAP", 0x00030000),
        ("SCMP_ACT_ERRNO", errno_result(42)),
        ("SCMP_ACT_TRACE", 0x7FF0002A),
        ("SCMP_ACT_LOG", 0x7FFC0000),
        ("SCMP_ACT_ALLOW", ALLOW),
        ("SCMP_ACT_NOTIFY", 0x7FC00000),
    ],
)
def test_every_action(action: str, result: int) -> None:
    data = {"errnoRet": 42} if result & 0xFFFF == 42 else {}
    program = assemble(profile_of(rule("read", action, **data)), "x86_64")
    assert run(program, X86_64, READ) == result


def test_calls_newer_than_the_profile_are_not_implemented() -> None:
    """A C library that tries a new call and sees EPERM gives up; with ENOSYS it takes the old one."""
    program = assemble(profile_of(rule("read write openat2")), "x86_64")
    assert run(program, X86_64, 437) == ALLOW
    assert run(program, X86_64, 436) == EPERM
    assert run(program, X86_64, 438) == ENOSYS
    assert run(program, X86_64, 0xFFFFFFFF) == ENOSYS
    permissive = assemble(profile_of(rule("read", "SCMP_ACT_ERRNO"), default="SCMP_ACT_ALLOW"), "x86_64")
    assert run(permissive, X86_64, 9999) == ALLOW


def test_unknown_names_are_left_out() -> None:
    program = assemble(profile_of(rule("nosuchcall read")), "x86_64")
    assert run(program, X86_64, READ) == ALLOW


def test_architectures_that_are_not_listed_end_the_process() -> None:
    program = assemble(profile_of(rule("read"), architectures=["SCMP_ARCH_X86_64"]), "x86_64")
    assert run(program, X86_64, READ) == ALLOW
    assert run(program, I386, 3) == KILL_PROCESS
    assert run(program, AARCH64, 63) == KILL_PROCESS
    assert run(program, X86_64, X32_BIT | READ) == KILL_PROCESS


def test_x32_has_numbers_of_its_own() -> None:
    program = assemble(profile_of(rule("read ioctl")), "x86_64")
    assert run(program, X86_64, X32_BIT | READ) == ALLOW
    assert run(program, X86_64, X32_BIT | 514) == ALLOW
    assert run(program, X86_64, X32_BIT | 515) == ENOSYS
    assert run(program, X86_64, 300) == ENOSYS


def test_arm64() -> None:
    program = assemble(profile_of(rule("read")), "aarch64")
    assert run(program, AARCH64, 63) == ALLOW
    assert run(program, AARCH64, 62) == EPERM
    assert run(program, X86_64, READ) == KILL_PROCESS


def test_i386_socket_calls_are_covered_both_ways() -> None:
    program = assemble(profile_of(rule("bind semop")), "x86_64")
    assert run(program, I386, 361) == ALLOW
    assert [run(program, I386, 102, (call,)) for call in (1, 2, 3)] == [EPERM, ALLOW, EPERM]
    assert [run(program, I386, 117, (call,)) for call in (1, 2)] == [ALLOW, EPERM]


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        ({"defaultAction": "SCMP_ACT_MAYBE"}, "linux.seccomp.defaultAction"),
        (profile_of(rule("read"), rule("read", "ALLOW")), "linux.seccomp.syscalls[1].action"),
        (profile_of(rule("read", "SCMP_ACT_ALLOW", arg(0, "XX", 1))), "linux.seccomp.syscalls[0].args[0].op"),
        (profile_of(rule("read", "SCMP_ACT_ALLOW", arg(6, "EQ", 1))), "linux.seccomp.syscalls[0].args[0].index"),
        (profile_of(rule("read", "SCMP_ACT_ALLOW", arg(0, "EQ", 1 << 64))), "linux.seccomp.syscalls[0].args[0].value"),
        (profile_of(rule("read", "SCMP_ACT_ERRNO", errnoRet=1 << 16)), "linux.seccomp.syscalls[0].errnoRet"),
    ],
)
def test_a_wrong_profile_is_refused_by_its_json_path(broken: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        assemble(broken, "x86_64")
    assert caught.value.path == path


def test_a_filter_too_long_for_the_kernel_is_refused() -> None:
    many = [rule("read", "SCMP_ACT_ALLOW", arg(0, "NE", value), arg(1, "EQ", value)) for value in range(600)]
    with pytest.raises(InvalidConfig, match="4096"):
        assemble(profile_of(*many), "x86_64")


def test_default_profile_by_address_family_personality_and_namespace_flags() -> None:
    program = assemble(default_profile(frozenset(), "x86_64"), "x86_64")
    families = [family for family in range(64) if run(program, X86_64, SOCKET, (family,)) == ALLOW]
    assert sorted(set(range(46)) - set(families)) == [12, 19, 20, 23, 25, 34, 37, 38, 40]
    assert max(families) == 45
    allowed = [
        value for value in (0, 8, 0x20000, 0x20008, 0xFFFFFFFF) if run(program, X86_64, PERSONALITY, (value,)) == ALLOW
    ]
    assert len(allowed) == 5
    assert run(program, X86_64, PERSONALITY, (0x40000,)) == EPERM
    assert run(program, X86_64, CLONE, (17,)) == ALLOW
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert run(program, X86_64, CLONE, (flag | 17,)) == EPERM
    assert run(program, X86_64, CLONE3) == ENOSYS
    assert run(program, X86_64, UNSHARE) == EPERM


def test_default_profile_follows_the_capabilities() -> None:
    program = assemble(default_profile(frozenset({"CAP_SYS_ADMIN"}), "x86_64"), "x86_64")
    for number in (CLONE3, UNSHARE, 165, 321):
        assert run(program, X86_64, number, (0x10000000,)) == ALLOW
    assert run(program, X86_64, CLONE, (0x10000000,)) == ALLOW
    assert run(program, X86_64, 161) == EPERM  # chroot


@pytest.mark.parametrize("capabilities", [frozenset(), frozenset({"CAP_SYS_ADMIN", "CAP_SYS_TIME"})])
def test_default_profile_says_what_libseccomp_says(capabilities: frozenset[str]) -> None:
    """Every number of both ABIs with telling arguments; they differ only where libseccomp is behind."""
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("libseccomp.so.2 is not installed")
    profile = default_profile(capabilities, "x86_64")
    ours = assemble(profile, "x86_64")
    theirs, unknown = libseccomp(profile)
    allowed_names = {name for each in profile["syscalls"] for name in each["names"]}
    behind = {number for number in range(512) for name in unknown & allowed_names if number in numbers_of(name)}
    arguments = [(), (1,), (8,), (16,), (38,), (40,), (0x20008,), (0xFFFFFFFF,), (0x10000011,), (0x7E020000,)]
    checked = 0
    for arch in (X86_64, I386):
        for number in range(467):
            if number in behind:
                continue
            for given in arguments:
                assert run(ours, arch, number, given) == run(theirs, arch, number, given), (arch, number, given)
                checked += 1
    assert checked > 7000


def numbers_of(name: str) -> set[int]:
    from runtime.security import seccomp_i386, seccomp_x86_64

    found = set()
    for text in (seccomp_i386.TABLE, seccomp_x86_64.TABLE):
        for line in text.strip().splitlines():
            first, *names = line.split()
            found |= {int(first) + index for index, each in enumerate(names) if each == name}
    return found


def test_cache_gives_the_same_program_and_survives_damage(tmp_path: Any) -> None:
    profile = profile_of(rule("read"))
    first = seccomp.cached(str(tmp_path), profile)
    (file,) = tmp_path.iterdir()
    assert seccomp.cached(str(tmp_path), profile) == first == seccomp.compile(profile)
    file.write_bytes(b"\0" * 3)
    assert seccomp.cached(str(tmp_path), profile) == first
    seccomp.cached(str(tmp_path), profile_of(rule("write")))
    assert len(list(tmp_path.iterdir())) == 2


def test_flags() -> None:
    assert seccomp.filter_flags({}) == 4
    assert seccomp.filter_flags({"flags": []}) == 0
    assert seccomp.filter_flags({"flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"]}) == 3
    with pytest.raises(InvalidConfig, match=r"flags\[0\]"):
        seccomp.filter_flags({"flags": ["SECCOMP_FILTER_FLAG_FOO"]})
