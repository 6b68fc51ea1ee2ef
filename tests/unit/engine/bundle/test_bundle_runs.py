"""The bundle in the hands of another runtime: runc takes config.json and shows what the program sees."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from engine.models import Mount, Resources, Ulimit

from .build import CONTAINER_ID, Bench

pytestmark = pytest.mark.root

BUSYBOX = shutil.which("busybox")
RUNTIMES = {
    "runc": ["runc"],
    "pydock-runc": [sys.executable, "-c", "from runtime.cli.main import main; main()"],
}


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> list[str]:
    command: list[str] = RUNTIMES[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    if request.param == "pydock-runc" and find_spec("runtime.cli.main") is None:
        pytest.skip("runtime.cli is not there")
    return command


class Runner:
    """Runs one shell line in a container of the bench's bundle."""

    def __init__(self, bench: Bench, command: list[str], base: Path) -> None:
        self.bench = bench
        self._command = [*command, "--root", str(base / "state")]

    def run(self, line: str, **request: Any) -> str:
        config = self.bench.build(command=("/bin/sh", "-c", line), **request)
        # This machine may run others' containers: a cgroup of the test's own.
        config["linux"]["cgroupsPath"] = f"/pydock-test-{os.getpid()}"
        (self.bench.folder / "config.json").write_text(json.dumps(config))
        done = subprocess.run(
            [*self._command, "run", "--bundle", str(self.bench.folder), f"test-{os.getpid()}"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout


@pytest.fixture
def runner(tmp_path: Path, runtime: list[str]) -> Runner:
    if BUSYBOX is None:
        pytest.skip("busybox is not installed")
    bench = Bench(tmp_path)
    rootfs = bench.folder / "rootfs"
    for name in ("bin", "etc", "proc", "sys", "dev", "tmp"):
        (rootfs / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, rootfs / "bin/busybox")
    for applet in ("sh", "cat", "id", "grep", "hostname", "mount", "touch", "ls", "env", "stat", "dmesg"):
        (rootfs / "bin" / applet).symlink_to("busybox")
    bench.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:44::/srv:/bin/sh\n")
    bench.write("etc/group", "docker:x:99:web\n")
    return Runner(bench, runtime, tmp_path)


def test_the_program_finds_itself_at_home(runner: Runner) -> None:
    seen = runner.run("hostname; cat /etc/hostname; id -u; pwd; env; cat /proc/self/status")
    lines = seen.splitlines()
    assert lines[:4] == [CONTAINER_ID[:12], CONTAINER_ID[:12], "0", "/"]
    assert "HOME=/root" in lines
    assert "CapEff:\t00000000a80425fb" in lines
    assert "CapInh:\t0000000000000000" in lines
    assert "Seccomp:\t2" in lines


def test_a_user_with_groups(runner: Runner) -> None:
    seen = runner.run("id -u; id -g; id -G; grep CapEff /proc/self/status", user="web", group_add=("7",))
    uid, gid, groups, capabilities = seen.splitlines()
    assert (uid, gid) == ("33", "44")
    assert set(groups.split()) == {"44", "99", "7"}
    assert capabilities == "CapEff:\t0000000000000000"


def test_kernel_files_are_masked_or_read_only(runner: Runner) -> None:
    seen = runner.run(
        "cat /proc/timer_list; ls /proc/scsi /sys/firmware;"
        "touch /proc/sys/kernel/hostname 2>/dev/null && echo written; touch /sys/x 2>/dev/null && echo written; "
        "grep -c ^ /proc/mounts"
    )
    assert "written" not in seen
    assert "Timer List" not in seen


def test_mounts_of_the_request(runner: Runner, tmp_path: Path) -> None:
    source = tmp_path / "shared"
    source.mkdir()
    (source / "file").write_text("from the host")
    volume = Path(runner.bench.paths.volume("data"))
    volume.mkdir(parents=True)
    seen = runner.run(
        "cat /in/file; touch /in/new 2>/dev/null && echo wrong; touch /data/made; stat -c %a /scratch; "
        "grep -c 'size=1024k' /proc/mounts",
        mounts=(
            Mount(type="bind", target="/in", source=str(source), read_only=True),
            Mount(type="volume", target="/data", source="data"),
            Mount(type="tmpfs", target="/scratch", options=("size=1m",)),
        ),
    )
    assert seen.splitlines() == ["from the host1777", "1"]
    assert (volume / "made").exists()


def test_read_only_root_and_limits(runner: Runner) -> None:
    seen = runner.run(
        "touch /x 2>/dev/null && echo wrong; touch /dev/shm/x && echo shm; ulimit -n; ulimit -c",
        read_only=True,
        ulimits=(Ulimit(name="nofile", soft=77, hard=99), Ulimit(name="core", soft=0, hard=0)),
        resources=Resources(memory=64 << 20, nano_cpus=500_000_000, pids_limit=20),
    )
    assert seen.splitlines() == ["shm", "77", "0"]


def test_sysctls_of_the_containers_own_network(runner: Runner) -> None:
    seen = runner.run(
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/core/somaxconn",
        sysctls={"net.core.somaxconn": "99"},
    )
    assert seen.split() == ["0", "99"]
