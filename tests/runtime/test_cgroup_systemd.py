"""The systemd driver where systemd runs the host: the scope is its unit, with our limits, and goes when we go."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runtime.cgroups import Cgroup, CgroupFault, open_cgroup

from .cgroup_worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(
        not os.path.exists("/run/systemd/private") or not shutil.which("systemctl"),
        reason="needs a host that systemd runs",
    ),
]


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    group = open_cgroup(f"pydock-test.slice:pydock:{os.getpid()}", "x", systemd=True)
    yield group
    group.kill()
    group.remove()


def show(name: str) -> str:
    unit = f"pydock-{os.getpid()}.scope"
    result = subprocess.run(
        ["systemctl", "show", unit, "-p", name, "--value"], stdout=subprocess.PIPE, text=True, check=True
    )
    return result.stdout.strip()


def test_the_scope_lives_with_the_container(cgroup: Cgroup) -> None:
    cgroup.create({"pids": {"limit": 7}, "memory": {"limit": 64 << 20}, "cpu": {"shares": 512}})
    assert cgroup.exists()
    assert cgroup.pids() == []
    with Worker(cgroup) as worker:
        assert worker.ask("1") == 1
        again = Cgroup.from_paths(cgroup.paths())
        assert again.pids() == cgroup.pids() == [worker.pid]
        assert (
            f"/pydock.slice/pydock-test.slice/pydock-{os.getpid()}.scope"
            in Path(f"/proc/{worker.pid}/cgroup").read_text()
        )
        assert show("ActiveState") == "active"
        assert show("TasksMax") == "7"
        assert show("Delegate") == "yes"
        again.apply({"pids": {"limit": 9}})
        assert again.warnings == []
        subprocess.run(["systemctl", "daemon-reload"], check=True)
        assert show("TasksMax") == "9"
        directory = cgroup.paths().get("pids") or cgroup.paths()["unified"]
        assert Path(directory, "pids.max").read_text() == "9\n"
        cgroup.freeze()
        cgroup.thaw()
        assert worker.ask("2") == 2
    again.kill()
    again.remove()
    assert not cgroup.exists()
    assert show("ActiveState") == "inactive"


def test_what_systemd_refuses_leaves_nothing(cgroup: Cgroup) -> None:
    taken = open_cgroup(f"pydock-test.slice:pydock:{os.getpid()}", "x", systemd=True)
    cgroup.create({})
    with Worker(cgroup), pytest.raises(CgroupFault, match="already"):
        taken.create({})
