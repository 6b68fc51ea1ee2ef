"""Arbitrary profiles: the compiled program answers what a plain reading of the rules answers."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.security.seccomp_compiler import assemble

from .bpf_machine import ALLOW, KILL_PROCESS, X86_64, errno_result, run

NUMBERS = {"read": 0, "write": 1, "close": 3, "mmap": 9, "socket": 41, "clone": 56, "personality": 135, "openat2": 437}
RESULTS = {"SCMP_ACT_ALLOW": ALLOW, "SCMP_ACT_LOG": 0x7FFC0000, "SCMP_ACT_KILL_PROCESS": KILL_PROCESS}
EDGES = [0, 1, 2, 3, 16, 0xFF, 0xFFFFFFFF, 1 << 32, (1 << 32) + 1, (3 << 32) + 2, (1 << 64) - 1]

words = st.one_of(st.sampled_from(EDGES), st.integers(0, (1 << 64) - 1))
condition = st.fixed_dictionaries(
    {
        "index": st.integers(0, 2),
        "op": st.sampled_from([f"SCMP_CMP_{name}" for name in ("EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ")]),
        "value": words,
        "valueTwo": words,
    }
)
rule = st.one_of(
    st.fixed_dictionaries(
        {
            "names": st.lists(st.sampled_from([*NUMBERS, "nosuchcall"]), min_size=1, max_size=4),
            "action": st.sampled_from(list(RESULTS)),
            "args": st.lists(condition, max_size=3),
        }
    ),
    # Runs of equalities, as profiles have them for sockets: they are compiled together.
    st.fixed_dictionaries(
        {
            "names": st.just(["socket"]),
            "action": st.just("SCMP_ACT_ALLOW"),
            "args": st.lists(
                st.fixed_dictionaries(
                    {"index": st.just(0), "op": st.just("SCMP_CMP_EQ"), "value": st.sampled_from(EDGES)}
                ),
                min_size=1,
                max_size=1,
            ),
        }
    ),
)


def holds(condition: dict[str, Any], args: tuple[int, ...]) -> bool:
    given = args[condition["index"]]
    value: int = condition["value"]
    if condition["op"] == "SCMP_CMP_MASKED_EQ":
        return bool(given & value == condition["valueTwo"] & value)
    outcomes: dict[str, bool] = {
        "EQ": given == value,
        "NE": given != value,
        "LT": given < value,
        "LE": given <= value,
        "GT": given > value,
        "GE": given >= value,
    }
    return outcomes[condition["op"].removeprefix("SCMP_CMP_")]


def matches(rule: dict[str, Any], args: tuple[int, ...]) -> bool:
    conditions = rule["args"]
    together = len({each["index"] for each in conditions}) == len(conditions)
    return (all if together else any)(holds(each, args) for each in conditions) if conditions else True


def meaning(profile: dict[str, Any], name: str, args: tuple[int, ...]) -> int:
    default = errno_result(1)
    rules = [each for each in profile["syscalls"] if name in each["names"]]
    named = [NUMBERS[each] for rule in profile["syscalls"] for each in rule["names"] if each in NUMBERS]
    if NUMBERS[name] > max(named, default=0):
        return errno_result(38)
    for each in rules:
        if not each["args"]:
            return RESULTS[each["action"]]
    for each in rules:
        if matches(each, args):
            return RESULTS[each["action"]]
    return default


@settings(max_examples=300, deadline=None)
@given(
    st.lists(rule, max_size=12),
    st.sampled_from(list(NUMBERS)),
    st.tuples(words, words, words),
)
def test_the_program_means_what_the_profile_means(
    rules: list[dict[str, Any]], name: str, args: tuple[int, ...]
) -> None:
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules, "architectures": ["SCMP_ARCH_X86_64"]}
    assert run(assemble(profile, "x86_64"), X86_64, NUMBERS[name], args) == meaning(profile, name, args)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(EDGES), min_size=2, max_size=300), st.sampled_from(EDGES))
def test_long_runs_of_equalities(values: list[int], asked: int) -> None:
    rules = [
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "op": "SCMP_CMP_EQ", "value": value}]}
        for value in values
    ]
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules, "architectures": ["SCMP_ARCH_X86_64"]}
    expected = ALLOW if asked in values else errno_result(1)
    assert run(assemble(profile, "x86_64"), X86_64, NUMBERS["socket"], (asked,)) == expected
