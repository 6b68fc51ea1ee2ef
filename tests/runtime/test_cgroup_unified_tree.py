"""What of cgroup v2 needs no controllers, on the unified tree that a hybrid host has beside those of v1.

The rest is tried in a machine with cgroup v2 alone (`make test-v2`).
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from runtime.cgroups import CgroupFault
from runtime.cgroups import hosts as cgroup_hosts
from runtime.cgroups.v2 import V2Cgroup
from runtime.kernel import bpf

from .cgroup_worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

DENY_ALL = {"allow": False, "access": "rwm"}
NULL = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}
FULL = {"allow": True, "type": "c", "major": 1, "minor": 7, "access": "rwm"}


@pytest.fixture
def cgroup() -> Iterator[V2Cgroup]:
    tree = cgroup_hosts.current().hierarchies.get(cgroup_hosts.UNIFIED)
    if tree is None:
        pytest.skip("needs a unified cgroup tree")
    parent = f"{tree.mount_point}/pydock-test-unified-{os.getpid()}"
    group = V2Cgroup({cgroup_hosts.UNIFIED: f"{parent}/c1"})
    yield group
    group.kill()
    group.remove()
    if os.path.isdir(parent):
        os.rmdir(parent)


def programs(cgroup: V2Cgroup) -> list[int]:
    fd = os.open(cgroup.directories()[0], os.O_RDONLY)
    try:
        return bpf.attached_device_programs(fd)
    finally:
        os.close(fd)


def test_a_program_decides_about_devices(cgroup: V2Cgroup) -> None:
    cgroup.create({"devices": [DENY_ALL, NULL]})
    with Worker(cgroup) as worker:
        assert worker.attempt_open("/dev/null") == ""
        assert worker.attempt_open("/dev/full") == "EPERM"


def test_later_rules_follow_those_in_force_by_one_program(cgroup: V2Cgroup) -> None:
    cgroup.create({"devices": [DENY_ALL, NULL]})
    first = programs(cgroup)
    with Worker(cgroup) as worker:
        cgroup.add_device_rules([DENY_ALL, NULL], [FULL])
        assert worker.attempt_open("/dev/null") == ""
        assert worker.attempt_open("/dev/full") == ""
        cgroup.add_device_rules([DENY_ALL, NULL, FULL], [{**NULL, "allow": False}])
        assert worker.attempt_open("/dev/null") == "EPERM"
        assert worker.attempt_open("/dev/full") == ""
    last = programs(cgroup)
    assert len(first) == len(last) == 1
    assert first != last


def test_a_process_is_born_in_it_and_killed_with_it(cgroup: V2Cgroup) -> None:
    cgroup.create({})
    with Worker(cgroup) as worker:
        assert cgroup.pids() == [worker.pid]
        cgroup.freeze()
        assert cgroup.frozen()
        cgroup.kill()
        assert worker.wait() == -signal.SIGKILL


@pytest.mark.parametrize(
    ("resources", "place"),
    [
        ({"memory": {"swappiness": 10}}, "linux.resources.memory.swappiness"),
        ({"memory": {"disableOOMKiller": True}}, "linux.resources.memory.disableOOMKiller"),
        ({"cpu": {"realtimePeriod": 1000}}, "linux.resources.cpu.realtimePeriod"),
        ({"network": {"classID": 1}}, "linux.resources.network.classID"),
        ({"network": {"priorities": [{"name": "lo", "priority": 1}]}}, "linux.resources.network.priorities"),
        ({"blockIO": {"leafWeight": 10}}, "linux.resources.blockIO.leafWeight"),
    ],
)
def test_what_only_v1_has_is_refused_before_anything_is_made(
    cgroup: V2Cgroup, resources: dict[str, object], place: str
) -> None:
    with pytest.raises(CgroupFault) as caught:
        cgroup.create(resources)
    assert caught.value.path == place
    assert not cgroup.exists()


def test_a_limit_without_its_controller_is_refused(cgroup: V2Cgroup) -> None:
    if cgroup_hosts.current().mode == "v2":
        pytest.skip("needs a unified tree without controllers")
    with pytest.raises(CgroupFault) as caught:
        cgroup.create({"memory": {"limit": 1 << 26}})
    assert caught.value.path == "linux.resources.memory.limit"
    assert not cgroup.exists()
