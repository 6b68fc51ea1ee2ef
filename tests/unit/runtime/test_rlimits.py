"""Resource limits: what is refused, and what a process then has."""

from __future__ import annotations

import errno
import os
import resource
from typing import Any

import pytest

from runtime.errors import InvalidConfig, SetupFailed
from runtime.kernel import caps
from runtime.security import rlimits
from runtime.security.capability_names import NUMBERS

from .child import in_child

INFINITY = (1 << 64) - 1


def limit(name: str, soft: int, hard: int) -> dict[str, Any]:
    return {"type": f"RLIMIT_{name}", "soft": soft, "hard": hard}


def test_numbers_are_the_kernels() -> None:
    for name, number in rlimits.NUMBERS.items():
        constant = getattr(resource, name, None)
        assert constant in (None, number), name


def test_limits_are_what_the_process_has() -> None:
    wanted = rlimits.parse([limit("NOFILE", 64, 128), limit("CORE", 0, 0)])

    def child() -> list[Any]:
        rlimits.apply(wanted)
        return [resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE)]

    assert in_child(child) == [[64, 128], [0, 0]]


def test_another_process_can_be_limited_by_its_pid() -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    rlimits.apply(rlimits.parse([limit("NOFILE", 77, 99)]), pid)
    os.close(writer)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 77
    os.close(reader)


def test_unlimited_in_both_spellings() -> None:
    parsed = rlimits.parse([limit("CPU", INFINITY, INFINITY), limit("FSIZE", -1, -1)])
    assert [(each.soft, each.hard) for each in parsed] == [(-1, -1), (-1, -1)]


@pytest.mark.parametrize(
    ("items", "path"),
    [
        ([limit("FOO", 1, 1)], "process.rlimits[0].type"),
        ([limit("NOFILE", 1, 1), limit("NOFILE", 2, 2)], "process.rlimits[1].type"),
        ([limit("NOFILE", 3, 2)], "process.rlimits[0]"),
        ([limit("NOFILE", -1, 2)], "process.rlimits[0]"),
        ([limit("NOFILE", 1, 1 << 64)], "process.rlimits[0].hard"),
        ([{"type": "RLIMIT_NOFILE", "soft": "5", "hard": 5}], "process.rlimits[0].soft"),
    ],
)
def test_wrong_limits_are_refused_by_their_json_path(items: list[dict[str, Any]], path: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        rlimits.parse(items)
    assert caught.value.path == path


def without_sys_resource() -> None:
    """A process that may lower its limits only, with 100 open files at most."""
    if os.geteuid() == 0:
        effective, permitted, inheritable = caps.capget()
        without = ~(1 << NUMBERS["CAP_SYS_RESOURCE"])
        caps.capset(effective & without, permitted & without, inheritable & without)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))


def test_a_limit_above_the_hosts_is_refused_with_the_hosts() -> None:
    wanted = rlimits.parse([limit("NOFILE", 50, 1000)])

    def child() -> list[Any]:
        without_sys_resource()
        try:
            rlimits.apply(wanted)
        except SetupFailed as error:
            return [error.errno, error.path, error.hint]
        return []

    number, path, hint = in_child(child)
    assert number == errno.EPERM
    assert path == "process.rlimits[0]"
    assert "hard limit is 100" in hint
    assert "CAP_SYS_RESOURCE" in hint


def test_clamp_gives_what_can_be_had_and_says_so() -> None:
    wanted = rlimits.parse([limit("NOFILE", 1000, -1), limit("CORE", 0, 0)])

    def child() -> list[Any]:
        without_sys_resource()
        possible, warnings = rlimits.clamp(wanted)
        rlimits.apply(possible)
        return [resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE), warnings]

    files, core, warnings = in_child(child)
    assert files == [100, 100]
    assert core == [0, 0]
    assert warnings == ["RLIMIT_NOFILE lowered from unlimited to 100: this host allows no more"]
