"""A container's cgroup on the host's real hierarchies, whichever they are; the same story on v1, hybrid and v2."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runtime.cgroups import Cgroup, CgroupFault, files, open_cgroup, stats
from runtime.cgroups import hosts as cgroup_hosts

from .cgroup_worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

PARENT = f"/pydock-test-{os.getpid()}"
NULL = {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}
FULL = {"allow": True, "type": "c", "major": 1, "minor": 7, "access": "rwm"}
URANDOM = {"allow": True, "type": "c", "major": 1, "minor": 9, "access": "r"}
DENY_ALL = {"allow": False, "access": "rwm"}


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    group = open_cgroup(f"{PARENT}/c1", "c1")
    yield group
    group.kill()
    group.remove()
    for directory in group.directories():
        if os.path.isdir(os.path.dirname(directory)):
            os.rmdir(os.path.dirname(directory))


def needs(controller: str) -> None:
    host = cgroup_hosts.current()
    if host.mode == "v2":
        mount_point = host.hierarchies["unified"].mount_point
        present = Path(mount_point, "cgroup.controllers").read_text().split()
    else:
        present = list(host.hierarchies)
    if controller not in present:
        pytest.skip(f"needs the {controller} cgroup controller")


def test_every_hierarchy_has_the_process_and_forgets_it(cgroup: Cgroup) -> None:
    cgroup.create({})
    assert cgroup.exists()
    with Worker(cgroup) as worker:
        for line in Path(f"/proc/{worker.pid}/cgroup").read_text().splitlines():
            _id, names, path = line.split(":", 2)
            assert path.endswith(f"{PARENT}/c1"), line
            assert any(name in cgroup.paths() for name in names.split(",")) or "unified" in cgroup.paths()
        assert cgroup.pids() == [worker.pid]
    cgroup.remove()
    assert not cgroup.exists()
    assert os.path.isdir(os.path.dirname(cgroup.directories()[0])), "the parent stays"


def test_it_is_found_again_by_its_paths(cgroup: Cgroup) -> None:
    cgroup.create({"pids": {"limit": 5}})
    again = Cgroup.from_paths(json.loads(json.dumps(cgroup.paths())))
    assert again.mode == cgroup.mode
    assert again.paths() == cgroup.paths()
    with Worker(cgroup) as worker:
        assert again.pids() == [worker.pid]


def test_create_and_remove_twice(cgroup: Cgroup) -> None:
    cgroup.create({})
    cgroup.create({})
    cgroup.remove()
    cgroup.remove()


def test_what_the_container_mounts_is_its_own_part(cgroup: Cgroup) -> None:
    cgroup.create({})
    names = [name for name, _ in cgroup.mounts()]
    assert names == [""] if cgroup.mode == "v2" else {"memory", "pids"} & set(names)
    for _name, path in cgroup.mounts():
        assert path.endswith(f"{PARENT}/c1")
        assert os.path.exists(f"{path}/cgroup.procs")


def test_a_process_that_eats_its_memory_is_killed_and_told_as_out_of_memory(cgroup: Cgroup) -> None:
    needs("memory")
    cgroup.create({"memory": {"limit": 48 << 20, "swap": 48 << 20}})
    with Worker(cgroup) as worker:
        assert worker.ask("len(bytearray(8 << 20))") == 8 << 20
        assert not cgroup.oom_killed()
        with pytest.raises(EOFError):
            worker.ask("len(bytearray(200 << 20))")
        assert worker.wait() == -signal.SIGKILL
    assert cgroup.oom_killed()


def test_memory_limits_can_grow_and_shrink_while_it_runs(cgroup: Cgroup) -> None:
    needs("memory")
    cgroup.create({"memory": {"limit": 64 << 20, "swap": 64 << 20}})
    with Worker(cgroup) as worker:
        cgroup.apply({"memory": {"limit": 256 << 20, "swap": 256 << 20}})
        assert worker.ask("len(bytearray(100 << 20))") == 100 << 20
        cgroup.apply({"memory": {"limit": 48 << 20, "swap": 96 << 20}})
        cgroup.apply({"memory": {"limit": -1}})
        assert worker.ask("len(bytearray(100 << 20))") == 100 << 20


def test_a_limit_below_what_is_in_use_can_be_refused(cgroup: Cgroup) -> None:
    needs("memory")
    cgroup.create({})
    with Worker(cgroup) as worker:
        assert worker.ask("globals().update(held=bytearray(30 << 20))") is None
        with pytest.raises(CgroupFault, match=r"linux\.resources\.memory\.limit: .* in use"):
            cgroup.apply({"memory": {"limit": 8 << 20, "checkBeforeUpdate": True}})
        assert worker.ask("len(held)") == 30 << 20


def test_pids_limit_stops_forks(cgroup: Cgroup) -> None:
    needs("pids")
    cgroup.create({"pids": {"limit": 1}})
    with Worker(cgroup) as worker:
        assert worker.ask("attempt(os.fork)") == "EAGAIN"
        cgroup.apply({"pids": {"limit": -1}})
        assert worker.ask("(lambda pid: pid or os._exit(0))(os.fork()) > 0")


def test_cpuset_decides_where_it_runs(cgroup: Cgroup) -> None:
    needs("cpuset")
    cpu = min(os.sched_getaffinity(0))
    cgroup.create({"cpu": {"cpus": str(cpu), "mems": "0"}})
    with Worker(cgroup) as worker:
        assert worker.ask("list(os.sched_getaffinity(0))") == [cpu]


def test_cpu_quota_throttles(cgroup: Cgroup) -> None:
    needs("cpu")
    cgroup.create({"cpu": {"quota": 2000, "period": 20000, "shares": 512}})
    with Worker(cgroup) as worker:
        worker.ask("[0 for _ in iter(lambda: time.process_time() < 0.05, False)] and 0")
    directory = cgroup.paths().get("cpu") or cgroup.paths()["unified"]
    stat = dict(line.split() for line in Path(directory, "cpu.stat").read_text().splitlines())
    assert int(stat["nr_throttled"]) > 0


def test_devices_are_closed_but_for_the_list_and_the_list_can_change(cgroup: Cgroup) -> None:
    needs_devices(cgroup)
    cgroup.create({"devices": [DENY_ALL, NULL, URANDOM]})
    with Worker(cgroup) as worker:
        assert worker.attempt_open("/dev/null") == ""
        assert worker.attempt_open("/dev/full") == "EPERM"
        assert worker.attempt_open("/dev/urandom", os.O_RDONLY) == ""
        assert worker.attempt_open("/dev/urandom") == "EPERM"
        assert (
            worker.ask(f"attempt(lambda: os.mknod('/tmp/pydock-{os.getpid()}', 0o20600, os.makedev(1, 7)))") == "EPERM"
        )
        for _ in range(3):
            cgroup.apply({"devices": [DENY_ALL, NULL, FULL]})
        assert worker.attempt_open("/dev/full") == ""
        assert worker.attempt_open("/dev/urandom", os.O_RDONLY) == "EPERM"
        cgroup.apply({"devices": [{"allow": True}, {**FULL, "allow": False}]})
        assert worker.attempt_open("/dev/urandom") == ""
        assert worker.attempt_open("/dev/full") == "EPERM"


def test_on_v2_there_is_one_device_program_however_often_the_rules_change(cgroup: Cgroup) -> None:
    if cgroup.mode != "v2":
        pytest.skip("needs a host with cgroup v2")
    from runtime.kernel import bpf

    cgroup.create({})
    fd = os.open(cgroup.directories()[0], os.O_RDONLY)
    try:
        for count in (1, 2, 3):
            cgroup.apply({"devices": [DENY_ALL, *[NULL] * count]})
            assert len(bpf.attached_device_programs(fd)) == 1
    finally:
        os.close(fd)


def needs_devices(cgroup: Cgroup) -> None:
    if cgroup.mode != "v2":
        needs("devices")


def test_frozen_processes_do_nothing_until_thawed(cgroup: Cgroup) -> None:
    cgroup.create({})
    with Worker(cgroup) as worker:
        worker.ask("0")
        cgroup.freeze()
        assert cgroup.frozen()
        worker.tell("1")
        stream = worker._process.stdout
        assert stream
        assert select.select([stream], [], [], 0.2)[0] == []
        cgroup.thaw()
        assert not cgroup.frozen()
        assert worker.answer() == 1


def test_kill_ends_a_frozen_cgroup(cgroup: Cgroup) -> None:
    cgroup.create({})
    with Worker(cgroup) as worker:
        cgroup.freeze()
        cgroup.kill()
        assert worker.wait() == -signal.SIGKILL


@pytest.mark.parametrize("kernel", ["as it is", "before 5.14"])
def test_kill_ends_a_fork_bomb_and_what_moved_into_a_child_cgroup(
    cgroup: Cgroup, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older kernels have no cgroup.kill: then the freezer and the list of processes have to do."""
    needs("pids")
    write = files.write_text

    def without_cgroup_kill(path: str, value: str) -> None:
        if path.endswith("/cgroup.kill"):
            raise FileNotFoundError(path)
        write(path, value)

    if kernel == "before 5.14":
        monkeypatch.setattr(files, "write_text", without_cgroup_kill)
    cgroup.create({"pids": {"limit": 200}})
    bomb = subprocess.Popen(
        ["sh", "-c", "read go; f() { sleep 30 & f | f & }; f; f; wait"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    cgroup.add(bomb.pid)
    for directory in cgroup.directories():
        os.mkdir(f"{directory}/inner")
    assert bomb.stdin
    bomb.stdin.write(b"go\n")
    bomb.stdin.close()
    while len(cgroup.pids()) < 50:
        assert bomb.poll() is None or cgroup.pids()
    cgroup.kill()
    assert bomb.wait(10) is not None
    cgroup.remove()
    assert not cgroup.exists()


def test_another_signal_reaches_every_process(cgroup: Cgroup) -> None:
    cgroup.create({})
    with Worker(cgroup) as worker:
        worker.ask("0")
        cgroup.kill(signal.SIGTERM)
        assert worker.wait() == -signal.SIGTERM


def test_remove_waits_for_the_dying_and_names_the_living(cgroup: Cgroup) -> None:
    cgroup.create({})
    with Worker(cgroup) as worker:
        with pytest.raises(CgroupFault, match=str(worker.pid)):
            cgroup.remove(timeout_s=0.05)
        os.kill(worker.pid, signal.SIGKILL)
        cgroup.remove()
    assert not cgroup.exists()


@pytest.mark.parametrize(
    ("resources", "path"),
    [
        ({"cpu": {"cpus": "4000"}}, "linux.resources.cpu.cpus"),
        ({"memory": {"limit": 1 << 20, "swap": 1}}, "linux.resources.memory.swap"),
        ({"hugepageLimits": [{"pageSize": "3MB", "limit": 1}]}, "linux.resources.hugepageLimits[0]"),
        ({"unified": {"no.such.file": "1"}}, None),
    ],
)
def test_what_the_host_cannot_do_is_told_by_its_json_path(
    cgroup: Cgroup, resources: dict[str, Any], path: str | None
) -> None:
    cgroup.create({})
    with pytest.raises(CgroupFault) as caught:
        cgroup.apply(resources)
    assert caught.value.path == path or caught.value.path.startswith("linux.resources.unified")
    assert caught.value.path in caught.value.message


def test_what_cannot_be_had_is_refused_before_anything_is_made(cgroup: Cgroup) -> None:
    for resources in (
        {"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]} if cgroup.mode != "v2" else {"unified": {"a/b": "1"}},
        {"devices": [{"allow": True, "type": "z"}]},
    ):
        with pytest.raises(CgroupFault):
            cgroup.create(resources)
        assert not cgroup.exists()


def test_kernel_memory_limits_are_left_out_with_a_warning(cgroup: Cgroup) -> None:
    cgroup.create({"memory": {"kernel": 1 << 20}})
    assert "kernel memory" in cgroup.warnings[0]


def test_paths_stay_below_the_mount_point() -> None:
    mount_points = {hierarchy.mount_point for hierarchy in cgroup_hosts.current().hierarchies.values()}
    for asked in ("/../../etc/x", "../../../etc/x", "/a/../x", ""):
        for directory in open_cgroup(asked, "the-id").directories():
            assert any(directory.startswith(f"{mount_point}/") for mount_point in mount_points)
            assert ".." not in directory
            assert directory.endswith("/x" if asked else "/the-id")
    with pytest.raises(CgroupFault, match="root of the hierarchy"):
        open_cgroup("/..", "the-id")


def test_a_process_can_be_born_inside_or_enter_by_itself(cgroup: Cgroup) -> None:
    """Both ways together put it into every hierarchy, without the lock that `add` waits for."""
    cgroup.create({})
    fd = cgroup.clone_fd()
    entries = cgroup.entry_fds()
    if cgroup.mode == "v1":
        assert fd == -1
    else:
        assert os.path.samefile(f"/proc/self/fd/{fd}", cgroup.paths()["unified"])
        os.close(fd)
    pid = os.fork()
    if pid == 0:
        try:
            for entry in entries:
                os.write(entry, b"0")
            signal.pause()
        finally:
            os._exit(1)
    for entry in entries:
        os.close(entry)
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text
        entered = [name for name in cgroup.paths() if name != "unified"]
        while not all(f":{PARENT}/c1" in line for line in lines().splitlines() if line.split(":")[1] in entered):
            assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_on_v2_a_delegated_cgroup_is_the_other_users(cgroup: Cgroup) -> None:
    if cgroup.mode != "v2":
        pytest.skip("needs a host with cgroup v2")
    cgroup.create({"memory": {"limit": 64 << 20}})
    cgroup.delegate(65534, 65534)
    directory = cgroup.directories()[0]
    assert os.stat(directory).st_uid == os.stat(f"{directory}/cgroup.procs").st_uid == 65534
    assert os.stat(f"{directory}/memory.max").st_uid == 0, "its limits are not its own to change"


def test_figures_of_events(cgroup: Cgroup) -> None:
    needs("memory")
    needs("pids")
    cgroup.create({"memory": {"limit": 96 << 20}, "pids": {"limit": 12}})
    with Worker(cgroup) as worker:
        worker.ask("[globals().update(held=bytearray(20 << 20)), sum(range(10**6))] and 0")
        data = stats.read(cgroup.paths())
        assert data["pids"] == {"current": 1, "limit": 12}
        assert data["cpu"]["usage"]["total"] > 1_000_000
        assert data["memory"]["usage"]["limit"] == 96 << 20
        assert 20 << 20 < data["memory"]["usage"]["usage"] < 96 << 20
        assert data["memory"]["raw"]
        json.dumps(data)
    cgroup.kill()
    cgroup.remove()
    assert stats.read(cgroup.paths())["memory" if cgroup.mode != "v2" else "cpu"]
