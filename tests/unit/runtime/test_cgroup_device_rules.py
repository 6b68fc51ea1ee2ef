"""Device rules: the v2 program is run in a small eBPF machine, against the plain meaning of the rules."""

from __future__ import annotations

import os
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.cgroups import device_filter, devices
from runtime.cgroups.fault import CgroupFault

DENY_ALL = {"allow": False, "access": "rwm"}
NULL = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}


def asks(rules: list[dict[str, Any]], type_: str, major: int, minor: int, access: str) -> bool:
    """What the program answers when a process wants this."""
    program = device_filter.assemble(devices.parse(rules))
    wanted = sum({"m": 1, "r": 2, "w": 4}[letter] for letter in access)
    context = struct.pack("<III", wanted << 16 | {"b": 1, "c": 2}[type_], major, minor)
    code = [struct.unpack_from("<BBhi", program, at) for at in range(0, len(program), 8)]
    registers = [0] * 11
    at = 0
    while True:
        operation, both, offset, immediate = code[at]
        destination, source = both & 15, both >> 4
        at += 1
        if operation == 0x61:
            registers[destination] = struct.unpack_from("<I", context, offset)[0]
        elif operation == 0xBF:
            registers[destination] = registers[source]
        elif operation == 0xB7:
            registers[destination] = immediate
        elif operation == 0x57:
            registers[destination] &= immediate
        elif operation == 0x77:
            registers[destination] >>= immediate
        elif operation == 0x15:
            at += offset if registers[destination] == immediate else 0
        elif operation == 0x55:
            at += offset if registers[destination] != immediate else 0
        elif operation == 0x95:
            return bool(registers[0])
        else:
            raise AssertionError(f"unexpected instruction {operation:#x}")


def means(rules: list[dict[str, Any]], type_: str, major: int, minor: int, access: str) -> bool:
    """The specification: for each bit the last rule that speaks of it; nothing is denied."""
    for letter in access:
        allowed = False
        for rule in rules:
            if rule.get("type", "a") == "a" or (
                rule["type"] == type_
                and rule.get("major", major) in (major, -1)
                and rule.get("minor", minor) in (minor, -1)
                and letter in rule.get("access", "rwm")
            ):
                allowed = rule["allow"]
        if not allowed:
            return False
    return True


numbers = st.one_of(st.none(), st.integers(-1, 2))
rule_strategy = st.builds(
    lambda allow, type_, major, minor, access: {
        "allow": allow,
        "type": type_,
        "access": access,
        **({} if major is None else {"major": major}),
        **({} if minor is None else {"minor": minor}),
    },
    st.booleans(),
    st.sampled_from("abcbcbc"),
    numbers,
    numbers,
    st.sampled_from(["r", "w", "m", "rw", "rm", "wm", "rwm"]),
)


@given(
    st.lists(rule_strategy, max_size=8),
    st.sampled_from("bc"),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from(["r", "w", "m", "rw", "rwm"]),
)
def test_the_program_means_what_the_rules_mean(
    rules: list[dict[str, Any]], type_: str, major: int, minor: int, access: str
) -> None:
    assert asks(rules, type_, major, minor, access) == means(rules, type_, major, minor, access)


def test_the_usual_rules() -> None:
    rules = [DENY_ALL, {"allow": True, "type": "c", "access": "m"}, NULL]
    assert asks(rules, "c", 1, 3, "rw")
    assert asks(rules, "c", 8, 8, "m")
    assert not asks(rules, "c", 8, 8, "r")
    assert not asks(rules, "b", 1, 3, "r")
    assert not asks([], "c", 1, 3, "r")
    assert asks([{"allow": True}], "b", 8, 0, "rwm")


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({"allow": True, "type": "x"}, "linux.resources.devices[0].type"),
        ({"allow": True, "type": "c", "access": "rx"}, "linux.resources.devices[0].access"),
        ({"allow": True, "type": "c", "major": 1 << 31}, "linux.resources.devices[0].major"),
        ({"allow": True, "type": "c", "minor": -2}, "linux.resources.devices[0].minor"),
    ],
)
def test_wrong_rules_are_refused_by_their_json_path(rule: dict[str, Any], path: str) -> None:
    with pytest.raises(CgroupFault) as caught:
        devices.parse([rule])
    assert caught.value.path == path


def test_v1_refuses_a_hole_in_a_wildcard_that_it_would_silently_not_make() -> None:
    hole = [DENY_ALL, {"allow": True, "type": "c"}, {**NULL, "allow": False}]
    with pytest.raises(CgroupFault, match=r"devices\[2\]: cgroup v1 cannot make an exception from .*devices\[1\]"):
        devices.check_v1(devices.parse(hole))


def test_v1_writes_one_rule_at_a_time_in_order(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("allow", "deny"):
        (tmp_path / f"devices.{name}").touch()
    written: list[tuple[str, str]] = []

    def record(fd: int, value: bytes) -> int:
        written.append((os.path.basename(os.readlink(f"/proc/self/fd/{fd}")), value.decode()))
        return len(value)

    rules = [DENY_ALL, {"allow": True, "type": "c", "access": "m"}, NULL, {**NULL, "allow": False, "access": "w"}]
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", record)
        devices.apply_v1(str(tmp_path), devices.parse(rules))
    assert written == [
        ("devices.deny", "a"),
        ("devices.allow", "c *:* m"),
        ("devices.allow", "c 1:3 rwm"),
        ("devices.deny", "c 1:3 w"),
    ]
