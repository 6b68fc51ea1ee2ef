"""What the flags of `run` and `create` do, as the container's own processes and the kernel see it."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.bundle import resources
from runtime.cgroups import hosts
from tests.support.engine import wait_until

if TYPE_CHECKING:
    from tests.support.engine import EngineRoot

pytestmark = pytest.mark.root

V1 = os.path.isdir("/sys/fs/cgroup/memory")


def inspected(pydock: EngineRoot, name: str) -> dict[str, object]:
    (document,) = json.loads(pydock.ok("inspect", name))
    return dict(document)


def pid_of(pydock: EngineRoot, name: str) -> int:
    return int(pydock.ok("inspect", "-f", "{{.State.Pid}}", name))


def cgroup_of(pid: int, controller: str) -> Path:
    """The directory of a process in the hierarchy of a controller."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _number, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return Path(hosts.current().hierarchies[controller].mount_point + path)
        if not controllers and not V1:
            return Path(f"/sys/fs/cgroup{path}")
    raise AssertionError(f"no {controller} hierarchy")


def block_device() -> str:
    """A whole disk of this host; the limits in the tests are far beyond what it is used for."""
    for name in sorted(os.listdir("/sys/block")):
        if os.path.exists(f"/dev/{name}") and not name.startswith(("loop", "ram", "zram")):
            return f"/dev/{name}"
    pytest.skip("needs a disk in /sys/block")


def readable_device() -> str:
    """A device of this host that a container may not use unasked; hosts that are containers are denied many too."""
    for path in ("/dev/fuse", "/dev/kvm", "/dev/loop0", "/dev/net/tun", "/dev/hwrng"):
        try:
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        except OSError:
            continue
        return path
    pytest.skip("needs one of /dev/fuse, kvm, loop0, net/tun, hwrng that this host may open")


def test_files_of_environment_and_labels_groups_and_shm(pydock: EngineRoot, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("# note\nONE=1\nTWO=with space\n")
    (tmp_path / "labels").write_text("com.example=x\n")
    script = (
        "echo $ONE,$TWO,$THREE; id -G; df -k /dev/shm | tail -1; grep ' /scratch ' /proc/mounts; cat /proc/1/cgroup"
    )
    output = pydock.ok(
        *("run", "--name", "files", "--env-file", str(tmp_path / "env"), "-e", "THREE=3", "--group-add", "4242"),
        *("--label-file", str(tmp_path / "labels"), "--shm-size", "3m", "--tmpfs", "/scratch:size=1m,mode=700"),
        *("--annotation", "org.example.a=b", "--cidfile", str(tmp_path / "cid"), "toolbox", "sh", "-c", script),
    )
    first, groups, shm, scratch, *cgroups = output.splitlines()
    assert first == "1,with space,3"
    assert "4242" in groups.split()
    assert shm.split()[1] == "3072"
    assert "size=1024k" in scratch
    assert "mode=700" in scratch
    assert all(line.endswith(":/") for line in cgroups)  # a cgroup namespace of its own
    document = inspected(pydock, "files")
    assert (tmp_path / "cid").read_text() == document["Id"]
    assert document["Config"]["Labels"]["com.example"] == "x"  # type: ignore[index]
    assert document["HostConfig"]["Annotations"] == {"org.example.a": "b"}  # type: ignore[index]
    bundle = json.loads((pydock.root / "containers" / str(document["Id"]) / "config.json").read_text())
    assert bundle["annotations"] == {"org.example.a": "b"}


def test_limits_are_in_the_kernels_files(pydock: EngineRoot) -> None:
    disk = block_device()
    status = os.stat(disk)
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    pydock.ok(
        *("run", "-d", "--name", "limited", "--network", "none", "-m", "64m", "--memory-reservation", "32m"),
        *("--cpus", "0.5", "--cpu-shares", "512", "--cpuset-cpus", "0", "--pids-limit", "77", "--blkio-weight", "300"),
        *("--device-read-bps", f"{disk}:900mb", "--device-write-iops", f"{disk}:900000"),
        *("--oom-score-adj", "321", "--ulimit", "nofile=333:444", "toolbox", "sleep", "1000"),
    )
    pid = pid_of(pydock, "limited")
    assert Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "321"
    (limit,) = [line.split() for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if "open files" in line]
    assert limit[3:5] == ["333", "444"]

    def read(controller: str, v1: str, v2: str) -> str:
        return (cgroup_of(pid, controller) / (v1 if V1 else v2)).read_text().strip()

    assert read("memory", "memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert read("memory", "memory.soft_limit_in_bytes", "memory.low") == str(32 << 20)
    assert read("pids", "pids.max", "pids.max") == "77"
    assert read("cpuset", "cpuset.cpus", "cpuset.cpus") == "0"
    if V1:
        assert read("cpu", "cpu.cfs_quota_us", "") == "50000"
        assert read("cpu", "cpu.shares", "") == "512"
        assert f"{number} {900 << 20}" in read("blkio", "blkio.throttle.read_bps_device", "")
        assert f"{number} 900000" in read("blkio", "blkio.throttle.write_iops_device", "")
        if resources.has_block_weights():
            assert read("blkio", "blkio.bfq.weight", "") == "300"
    else:
        assert read("cpu", "", "cpu.max") == "50000 100000"
        assert f"rbps={900 << 20}" in read("io", "", "io.max")


@pytest.mark.skipif(not V1, reason="needs cgroup v1: v2 has neither swappiness nor an OOM switch")
def test_swappiness_the_oom_switch_and_the_parent_cgroup(pydock: EngineRoot) -> None:
    parent = f"/pydock-test-{os.getpid()}"
    try:
        pydock.ok(
            *("run", "-d", "--name", "v1", "--network", "none", "-m", "64m", "--memory-swappiness", "7"),
            *("--oom-kill-disable", "--cgroup-parent", parent, "toolbox", "sleep", "1000"),
        )
        folder = cgroup_of(pid_of(pydock, "v1"), "memory")
        assert str(folder.parent) == f"/sys/fs/cgroup/memory{parent}"
        assert (folder / "memory.swappiness").read_text().strip() == "7"
        assert "oom_kill_disable 1" in (folder / "memory.oom_control").read_text()
        pydock.ok("rm", "-f", "v1")
    finally:
        for found in Path("/sys/fs/cgroup").glob(f"*{parent}"):
            found.rmdir()


def test_devices_rules_and_sysctls(pydock: EngineRoot) -> None:
    device = readable_device()
    status = os.stat(device)
    kind = "b" if stat.S_ISBLK(status.st_mode) else "c"
    major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
    script = "sh -c ': </dev/mine' && echo read; sh -c ': >>/dev/mine' 2>/dev/null || echo no-write; "
    script += "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shmmni; grep NoNewPrivs /proc/self/status"
    output = pydock.ok(
        *("run", "--rm", "--device", f"{device}:/dev/mine:r", "--sysctl", "net.core.somaxconn=99"),
        *("--sysctl", "kernel.shmmni=55", "--security-opt", "no-new-privileges", "toolbox", "sh", "-c", script),
    )
    assert output.split() == ["read", "no-write", "99", "55", "NoNewPrivs:", "1"]

    node = f"mknod /dev/k {kind} {major} {minor}; sh -c ': </dev/k' 2>/dev/null && echo yes || echo no"
    assert pydock.ok("run", "--rm", "toolbox", "sh", "-c", node) == "no"
    rule = ("--device-cgroup-rule", f"{kind} {major}:* r")
    assert pydock.ok("run", "--rm", *rule, "toolbox", "sh", "-c", node) == "yes"


def test_seccomp_and_masked_paths_follow_security_opt(pydock: EngineRoot, tmp_path: Path) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}],
    }
    (tmp_path / "profile.json").write_text(json.dumps(profile))
    script = "grep ^Seccomp: /proc/self/status; mkdir /tmp/x 2>/dev/null && echo made; wc -c </proc/keys"

    def run(*options: str) -> list[str]:
        return pydock.ok("run", "--rm", *options, "toolbox", "sh", "-c", script).split()[1:]

    assert run() == ["2", "made", "0"]
    assert run("--security-opt", "seccomp=unconfined")[:2] == ["0", "made"]
    assert run("--security-opt", f"seccomp={tmp_path}/profile.json") == ["2", "0"]
    open_paths = run("--security-opt", "systempaths=unconfined")
    assert open_paths[:2] == ["2", "made"]
    assert (open_paths[2] != "0") == bool(Path("/proc/keys").read_bytes())


def test_namespaces_of_the_host_on_request(pydock: EngineRoot) -> None:
    links = ("pid", "ipc", "uts", "cgroup", "net")
    script = f"for name in {' '.join(links)}; do readlink /proc/self/ns/$name; done"
    ours = [os.readlink(f"/proc/self/ns/{name}") for name in links]
    own = pydock.ok("run", "--rm", "toolbox", "sh", "-c", script).split()
    assert not set(own) & set(ours)
    modes = ("--pid", "host", "--ipc", "host", "--uts", "host", "--cgroupns", "host", "--network", "host")
    assert pydock.ok("run", "--rm", *modes, "toolbox", "sh", "-c", script).split() == ours


def test_missing_capabilities_are_left_out_with_a_warning(pydock: EngineRoot) -> None:
    bounding = int(Path("/proc/self/status").read_text().partition("CapBnd:")[2].split()[0], 16)
    done = pydock.pydock("run", "--rm", "--privileged", "toolbox", "grep", "CapEff", "/proc/self/status")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1], 16) == bounding
    lacking = not bounding >> 24 & 1
    assert ("WARNING: this host does not have CAP_SYS_RESOURCE" in done.stderr) == lacking


@pytest.mark.skipif(os.uname().machine not in ("x86_64", "aarch64"), reason="needs a machine that init is built for")
def test_init_reaps_forwards_and_ends_as_the_program_ends(pydock: EngineRoot) -> None:
    # the orphan is left to process 1, which has to take it away
    script = (
        "trap 'echo got-usr1; exit 6' USR1; sh -c 'sleep 0 & echo $! >/orphan'; echo up; while :; do sleep 0.05; done"
    )
    pydock.ok("run", "-d", "--name", "init", "--init", "toolbox", "sh", "-c", script)
    pid = pid_of(pydock, "init")
    wait_until("the program is up", lambda: "up" in pydock.ok("logs", "init"))
    assert Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/sbin/docker-init\0--\0sh\0")
    zombies = "cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z ' ; true"
    wait_until("no zombies", lambda: pydock.ok("exec", "init", "sh", "-c", zombies) == "0")
    pydock.ok("kill", "-s", "USR1", "init")
    assert pydock.ok("wait", "init") == "6"
    assert "got-usr1" in pydock.ok("logs", "init")


def test_init_says_what_it_cannot_execute(pydock: EngineRoot) -> None:
    for program, code in (("nosuch", 127), ("/etc/passwd", 126)):
        done = pydock.pydock("run", "--rm", "--init", "toolbox", program)
        assert done.returncode == code, done.stderr
        assert program in done.stderr
    killed = pydock.pydock("run", "--rm", "--init", "toolbox", "sh", "-c", "kill -9 $$")
    assert killed.returncode == 128 + signal.SIGKILL


def test_stop_signal_and_timeout_are_the_containers_own(pydock: EngineRoot) -> None:
    script = "trap 'exit 11' USR2; echo up; while :; do sleep 0.05; done"
    pydock.ok(
        "run", "-d", "--name", "own", "--stop-signal", "SIGUSR2", "--stop-timeout", "60", "toolbox", "sh", "-c", script
    )
    wait_until("the program is up", lambda: "up" in pydock.ok("logs", "own"))
    pydock.ok("stop", "own")
    assert pydock.ok("inspect", "-f", "{{.State.ExitCode}} {{.Config.StopTimeout}}", "own") == "11 60"


def test_health_flags_are_kept_for_the_shim(pydock: EngineRoot) -> None:
    pydock.ok(
        *(
            "create",
            "--name",
            "well",
            "--health-cmd",
            "test -e /ok",
            "--health-interval",
            "2s",
            "--health-retries",
            "4",
        ),
        *("--health-timeout", "1m30s", "--health-start-period", "5s", "--health-start-interval", "500ms", "toolbox"),
    )
    health = inspected(pydock, "well")["Config"]["Healthcheck"]  # type: ignore[index]
    assert health == {
        "Test": ["CMD-SHELL", "test -e /ok"],
        "Interval": 2 * 10**9,
        "Timeout": 90 * 10**9,
        "StartPeriod": 5 * 10**9,
        "StartInterval": 5 * 10**8,
        "Retries": 4,
    }
    done = pydock.pydock("create", "--no-healthcheck", "--health-cmd", "true", "toolbox")
    assert done.returncode == 125
    assert "--no-healthcheck conflicts" in done.stderr


def test_an_image_for_another_machine_is_none(pydock: EngineRoot) -> None:
    other = "linux/arm64" if os.uname().machine == "x86_64" else "linux/amd64"
    done = pydock.pydock("create", "--platform", other, "--pull", "never", "toolbox")
    assert done.returncode == 1
    assert "does not match the specified platform" in done.stderr
