"""`update` as the kernel and the next start see it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import EngineError, InvalidRequest
from engine.models import CreateRequest, Resources, RestartPolicy
from tests.engine.test_create_flags import V1, cgroup_of, pid_of
from tests.support.engine import wait_until

if TYPE_CHECKING:
    from engine.engine import Engine
    from tests.support.engine import EngineRoot

pytestmark = pytest.mark.root


def _memory(pid: int) -> int:
    return int((cgroup_of(pid, "memory") / ("memory.limit_in_bytes" if V1 else "memory.max")).read_text())


def _pids(pid: int) -> str:
    return (cgroup_of(pid, "pids") / "pids.max").read_text().strip()


def _quota(pid: int) -> int:
    file = cgroup_of(pid, "cpu") / ("cpu.cfs_quota_us" if V1 else "cpu.max")
    return int(file.read_text().split()[0])


def test_a_running_container_is_bound_at_once_and_stays_so(pydock: EngineRoot) -> None:
    pydock.ok("run", "-d", "--name", "up", "-m", "64m", "--pids-limit", "50", "toolbox", "sleep", "1000")
    pid = pid_of(pydock, "up")
    told = pydock.ok("update", "-m", "96m", "--cpus", "0.3", "--restart", "on-failure:2", "up")
    assert told == "up"
    assert (_memory(pid), _pids(pid), _quota(pid)) == (96 << 20, "50", 30_000)
    form = (
        "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}"
    )
    assert pydock.ok("inspect", "-f", form, "up") == f"{96 << 20} 300000000 50 on-failure"
    pydock.ok("restart", "-t", "0", "up")
    again = pid_of(pydock, "up")
    assert again != pid
    assert (_memory(again), _pids(again), _quota(again)) == (96 << 20, "50", 30_000)


def test_a_policy_restart_has_the_new_limits(engine: Engine, image: str) -> None:
    script = "test -e /again && sleep 1000; : >/again; echo up; while ! test -e /go; do sleep 0.05; done; exit 1"
    container = engine.containers.create(CreateRequest(image=image, command=("sh", "-c", script), network="none"))
    engine.containers.start(container.id)
    engine.containers.update(container.id, Resources(pids_limit=33), RestartPolicy(name="always"))
    first = engine.containers.get(container.id).pid
    Path(f"/proc/{first}/root/go").touch()
    wait_until("restarted", lambda: engine.containers.get(container.id).pid not in (0, first))
    assert _pids(engine.containers.get(container.id).pid) == "33"
    engine.containers.update(container.id, Resources(), RestartPolicy(name="no"))
    engine.containers.kill(container.id, 9)
    assert engine.containers.wait(container.id) == 137
    assert engine.containers.get(container.id).restart_count == 1


def test_a_stopped_container_starts_with_them(engine: Engine, image: str) -> None:
    container = engine.containers.create(CreateRequest(image=image, command=("sleep", "1000"), network="none"))
    engine.containers.update(container.id, Resources(memory=32 << 20))
    engine.containers.start(container.id)
    assert _memory(engine.containers.get(container.id).pid) == 32 << 20


def test_what_cannot_be_is_refused_and_changes_nothing(engine: Engine, image: str) -> None:
    container = engine.containers.create(
        CreateRequest(
            image=image,
            command=("sleep", "1000"),
            network="none",
            auto_remove=True,
            resources=Resources(memory=64 << 20, memory_swap=128 << 20, nano_cpus=10**8),
        )
    )
    engine.containers.start(container.id)
    for changes, told in (
        (Resources(memory=1 << 20), "minimum memory limit"),
        (Resources(memory=256 << 20), "already set memoryswap"),
        (Resources(cpu_quota=5000), "nano CPUs has been set"),
        (Resources(cpuset_cpus="999"), "requested CPUs are not available"),
    ):
        with pytest.raises(InvalidRequest, match=told):
            engine.containers.update(container.id, changes)
    with pytest.raises(InvalidRequest, match="AutoRemove"):
        engine.containers.update(container.id, Resources(), RestartPolicy(name="always"))
    row = engine.containers.get(container.id)
    assert (row.resources.memory, row.restart.name, _memory(row.pid)) == (64 << 20, "no", 64 << 20)


def test_a_limit_that_the_kernel_refuses_is_told(engine: Engine, image: str) -> None:
    script = "x=$(head -c 30000000 /dev/zero | tr '\\0' x); echo up; sleep 1000; echo $x"
    container = engine.containers.create(CreateRequest(image=image, command=("sh", "-c", script), network="none"))
    engine.containers.start(container.id)
    next(iter(engine.containers.logs(container.id, follow=True)))
    if V1:
        with pytest.raises(EngineError, match=r"memory\.limit"):
            engine.containers.update(container.id, Resources(memory=8 << 20))
        assert engine.containers.get(container.id).resources.memory == 0


def test_update_is_told_as_an_event_and_needs_a_flag(pydock: EngineRoot) -> None:
    pydock.ok("create", "--name", "told", "toolbox")
    pydock.ok("update", "--cpu-shares", "300", "told")
    events = pydock.ok(
        "events", "--since", "1m", "--until", "0s", "--filter", "event=update", "--format", "{{.Actor.Attributes.name}}"
    )
    assert "told" in events.split()
    done = pydock.pydock("update", "told")
    assert (done.returncode, "one or more flags" in done.stderr) == (1, True)
    missing = pydock.pydock("update", "-m", "64m", "nosuch", "told")
    assert (missing.returncode, missing.stdout) == (1, "told\n")
