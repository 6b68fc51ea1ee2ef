"""Lives of containers one after the other leave nothing: a few here, a thousand in tests/soak."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .bundle import REPOSITORY, cgroups_named
from .test_any_config import processes_with

if TYPE_CHECKING:
    from .bundle import Bundle

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_runtime")]

SCRIPT = Path(__file__).with_name("cycles.py")
GROWTH_KB = 1024


def cycle_in_one_process(bundle: Bundle, count: int) -> None:
    """As the engine does: the library in one process that goes on living."""
    words = [str(SCRIPT), str(REPOSITORY), str(bundle.state_root), str(bundle.path), bundle.id, str(count)]
    done = subprocess.run(
        [sys.executable, "-IS", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["after"]["fds"] == report["before"]["fds"], report
    assert report["after"]["kilobytes"] - report["before"]["kilobytes"] < GROWTH_KB, report
    nothing_left(bundle)


def cycle_by_command(bundle: Bundle, count: int) -> None:
    """As other engines do: a command for each step."""
    for _ in range(count):
        bundle.start_running()
        bundle.ok("kill", bundle.id, "KILL")
        bundle.ok("delete", "--force", bundle.id)
    nothing_left(bundle)


def nothing_left(bundle: Bundle) -> None:
    assert cgroups_named(bundle.id) == []
    assert processes_with(bundle.id) == []
    assert set(os.listdir(bundle.state_root)) <= {"@seccomp"}
    with open("/proc/self/mountinfo") as file:
        assert str(bundle.path.parent) not in file.read()


def prepared(bundle: Bundle) -> Bundle:
    """With something of everything that could be left: a filter, limits, masks, hooks."""
    bundle.process["args"] = ["sleep", "1000"]
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW"}
    bundle.linux["resources"] = {"pids": {"limit": 50}, "memory": {"limit": 64 << 20}}
    bundle.linux["maskedPaths"] = ["/proc/kcore", "/sys/firmware"]
    bundle.config["hooks"] = {kind: [{"path": "/bin/true"}] for kind in ("createRuntime", "poststart", "poststop")}
    bundle.write_config()
    return bundle


def test_cycles_in_one_process_leave_nothing(bundle: Bundle) -> None:
    cycle_in_one_process(prepared(bundle), 40)


def test_cycles_by_command_leave_nothing(bundle: Bundle) -> None:
    cycle_by_command(prepared(bundle), 5)
