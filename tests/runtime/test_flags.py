"""Every flag of the commands that no other file tries: what it changes, asked of the kernel."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from .bundle import cgroups_named, environment
from .test_resources import V2, limit_file
from .test_terminal import ConsoleSocket

if TYPE_CHECKING:
    from pathlib import Path

    from .bundle import Bundle

pytestmark = pytest.mark.root

LIMITS = [
    # option, value, v1 file, what it then reads, v2 file, what it reads
    ("blkio-weight", "300", "blkio.bfq.weight", "300", "io.bfq.weight", "default 300"),
    ("cpu-period", "50000", "cpu.cfs_period_us", "50000", "cpu.max", "max 50000"),
    ("cpu-quota", "20000", "cpu.cfs_quota_us", "20000", "cpu.max", "20000 100000"),
    ("cpu-share", "512", "cpu.shares", "512", "cpu.weight", None),
    ("cpu-idle", "1", "cpu.idle", "1", "cpu.idle", "1"),
    ("cpuset-cpus", "0", "cpuset.cpus", "0", "cpuset.cpus", "0"),
    ("cpuset-mems", "0", "cpuset.mems", "0", "cpuset.mems", "0"),
    ("memory", "48M", "memory.limit_in_bytes", str(48 << 20), "memory.max", str(48 << 20)),
    ("memory-reservation", "16m", "memory.soft_limit_in_bytes", str(16 << 20), "memory.low", str(16 << 20)),
    ("pids-limit", "37", "pids.max", "37", "pids.max", "37"),
]


@pytest.mark.parametrize(
    ("option", "value", "v1", "v1_reads", "v2", "v2_reads"), LIMITS, ids=[row[0] for row in LIMITS]
)
def test_update(bundle: Bundle, option: str, value: str, v1: str, v1_reads: str, v2: str, v2_reads: str | None) -> None:
    bundle.start_running()
    file = limit_file(bundle, v1, v2)
    bundle.ok("update", f"--{option}", value, bundle.id)
    expected = v2_reads if V2 else v1_reads
    read = file.read_text().strip()
    assert read == expected if expected else read != "100"


def test_update_of_memory_and_swap_up_and_down(bundle: Bundle) -> None:
    bundle.start_running()
    limit_file(bundle, "memory.memsw.limit_in_bytes", "memory.swap.max")
    for memory, swap in (("64M", "96M"), ("32M", "32M"), ("128M", "256M"), ("64M", "-1")):
        bundle.ok("update", "--memory", memory, "--memory-swap", swap, bundle.id)
        file = limit_file(bundle, "memory.limit_in_bytes", "memory.max")
        assert int(file.read_text()) == int(memory[:-1]) << 20


def test_update_accepts_what_is_gone_from_the_kernel(bundle: Bundle) -> None:
    bundle.start_running()
    bundle.ok("update", "--kernel-memory", "64M", bundle.id)


def test_update_by_a_file(bundle: Bundle, tmp_path: Path) -> None:
    bundle.start_running()
    (tmp_path / "limits.json").write_text(json.dumps({"pids": {"limit": 21}}))
    bundle.ok("update", "--resources", str(tmp_path / "limits.json"), bundle.id)
    assert limit_file(bundle, "pids.max", "pids.max").read_text().strip() == "21"


@pytest.mark.usefixtures("own_runtime")
def test_update_without_resctrl_changes_nothing(bundle: Bundle) -> None:
    if os.path.exists("/sys/fs/resctrl/schemata"):
        pytest.skip("this host has resctrl")
    bundle.start_running()
    before = limit_file(bundle, "pids.max", "pids.max").read_text()
    result = bundle.call("update", "--pids-limit", "9", "--l3-cache-schema", "L3:0=f", bundle.id)
    assert result.code == 1
    assert "resctrl" in result.err
    assert limit_file(bundle, "pids.max", "pids.max").read_text() == before


def test_exec_in_a_cgroup_below_the_containers(bundle: Bundle) -> None:
    bundle.start_running()
    for folder in cgroups_named(bundle.id):
        (folder / "below").mkdir()
    try:
        out = bundle.exec("--cgroup", "below", bundle.id, "cat", "/proc/self/cgroup").out
        assert all(line.endswith("/below") for line in out.splitlines())
        assert bundle.exec("--cgroup", "../..", bundle.id, "true").code != 0
        assert bundle.exec("--cgroup", "absent", bundle.id, "true").code != 0
        if not V2:
            out = bundle.exec("--cgroup", "pids:below", bundle.id, "cat", "/proc/self/cgroup").out
            assert [line.split(":")[1] for line in out.splitlines() if line.endswith("/below")] == ["pids"]
    finally:
        bundle.ok("kill", bundle.id, "KILL")


def test_exec_in_a_paused_container_waits_for_its_resumption(bundle: Bundle) -> None:
    bundle.start_running()
    bundle.ok("pause", bundle.id)
    words = bundle.command("exec", "--ignore-paused", bundle.id, "touch", "/tmp/ran")
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, env=environment())
    time.sleep(0.3)  # it may take longer to be frozen, and is then only a weaker test
    assert not (bundle.rootfs / "tmp/ran").exists()
    bundle.ok("resume", bundle.id)
    assert process.wait(timeout=60) == 0
    assert (bundle.rootfs / "tmp/ran").exists()


class PidfdSocket(ConsoleSocket):
    """The listening end of --pidfd-socket."""

    def pid(self) -> int:
        fd = self.receive()
        with open(f"/proc/self/fdinfo/{fd}") as file:
            fields = dict(line.split(":", 1) for line in file)
        os.close(fd)
        return int(fields["Pid"])


@pytest.mark.usefixtures("own_runtime")
def test_pidfd_sockets(bundle: Bundle, tmp_path: Path) -> None:
    """runc has them since 1.5."""
    bundle.process["args"] = ["sleep", "1000"]
    bundle.write_config()
    first, second = PidfdSocket(tmp_path / "first"), PidfdSocket(tmp_path / "second")
    words = ["create", "--bundle", str(bundle.path), "--pidfd-socket", str(first.path), bundle.id]
    subprocess.run(bundle.command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=60)
    assert first.pid() == bundle.state()["pid"]
    bundle.ok("start", bundle.id)
    pid_file = tmp_path / "pid"
    words = ["exec", "--detach", "--pid-file", str(pid_file), "--pidfd-socket", str(second.path)]
    words = bundle.command(*words, bundle.id, "sleep", "1000")
    subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=60)
    assert second.pid() == int(pid_file.read_text())


@pytest.mark.usefixtures("own_runtime")
@pytest.mark.parametrize("verb", ["run", "exec"])
def test_a_pidfd_socket_that_nobody_listens_on_leaves_nothing(bundle: Bundle, tmp_path: Path, verb: str) -> None:
    if verb == "run":
        bundle.process["args"] = ["sleep", "1000"]
        bundle.write_config()
        result = bundle.call("run", "--pidfd-socket", str(tmp_path / "absent"), "--bundle", str(bundle.path), bundle.id)
        assert result.code == 1
        assert bundle.ok("list", "--quiet") == ""
        return
    bundle.start_running()
    assert bundle.exec("--pidfd-socket", str(tmp_path / "absent"), bundle.id, "sleep", "1000").code == 255
    assert json.loads(bundle.ok("ps", "--format", "json", bundle.id)) == [bundle.state()["pid"]]


@pytest.mark.usefixtures("own_runtime")
@pytest.mark.parametrize(
    ("option", "folder"), [("--apparmor", "/sys/kernel/security/apparmor"), ("--process-label", "/sys/fs/selinux")]
)
def test_a_label_without_its_security_module_is_refused(bundle: Bundle, option: str, folder: str) -> None:
    if os.path.isdir(folder):
        pytest.skip(f"this host has {folder}")
    bundle.start_running()
    result = bundle.exec(option, "wanted", bundle.id, "true")
    assert result.code == 255
    assert "wanted" in result.err


def test_without_pivot_root(bundle: Bundle) -> None:
    bundle.process["args"] = ["sh", "-c", "ls /; cat /etc/passwd | head -1"]
    bundle.write_config()
    out = bundle.ok("run", "--no-pivot", "--bundle", str(bundle.path), bundle.id)
    assert "root:x:0:0" in out
    assert "rootfs" not in out


def test_session_keyrings(bundle: Bundle) -> None:
    """A new one, or the caller's."""
    if not os.path.exists("/proc/keys"):
        pytest.skip("this kernel has no keyrings")
    bundle.process["args"] = ["grep", "-c", "_ses", "/proc/keys"]
    bundle.write_config()
    words = ("--bundle", str(bundle.path), bundle.id)
    assert bundle.call("run", *words).out.strip() not in ("", "0")
    kept = bundle.call("run", "--no-new-keyring", *words)
    assert bundle.id not in kept.out


def test_without_being_the_subreaper(bundle: Bundle) -> None:
    bundle.process["args"] = ["sh", "-c", "exit 9"]
    bundle.write_config()
    assert bundle.call("run", "--no-subreaper", "--bundle", str(bundle.path), bundle.id).code == 9


def test_events_go_on_until_the_end(bundle: Bundle) -> None:
    bundle.start_running()
    words = bundle.command("events", "--interval", "50ms", bundle.id)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment())
    assert process.stdout is not None
    for _ in range(2):
        event = json.loads(process.stdout.readline())
        assert (event["type"], event["id"]) == ("stats", bundle.id)
    bundle.ok("kill", bundle.id, "KILL")
    assert process.wait(timeout=60) == 0


@pytest.mark.usefixtures("own_runtime")
@pytest.mark.parametrize("interval", ["0s", "-1s", "5", "s", "1x"])
def test_strange_intervals_are_refused(bundle: Bundle, interval: str) -> None:
    bundle.start_running()
    assert bundle.call("events", f"--interval={interval}", bundle.id).code == 1


@pytest.mark.usefixtures("own_runtime")
def test_cgroup_managers_of_crun(bundle: Bundle) -> None:
    bundle.process["args"] = ["sleep", "1000"]
    bundle.write_config()
    words = ("run", "--detach", "--bundle", str(bundle.path), bundle.id)
    subprocess.run(
        bundle.command("--cgroup-manager", "disabled", *words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=60,
    )
    assert cgroups_named(bundle.id) == []
    assert bundle.call("pause", bundle.id).code == 1
    assert json.loads(bundle.ok("ps", "--format", "json", bundle.id)) == [bundle.state()["pid"]]
    bundle.ok("delete", "--force", bundle.id)
    assert "nonsense" in bundle.call("--cgroup-manager", "nonsense", "list").err


@pytest.mark.parametrize("name", ["SIGTERM", "term", "15", "RTMIN+3", "SIGRTMIN+1"])
def test_signals_by_every_spelling(bundle: Bundle, name: str) -> None:
    number = signal.SIGRTMIN + int(name[-1]) if "RTMIN" in name else signal.SIGTERM
    bundle.start_running("sh", "-c", f"trap 'echo got > /tmp/got' {int(number)}; while :; do sleep 0.05; done")
    deadline = time.monotonic() + 30
    while not (bundle.rootfs / "tmp/got").exists():
        assert time.monotonic() < deadline
        bundle.ok("kill", bundle.id, name)
        time.sleep(0.05)


def test_exec_with_a_console_socket(bundle: Bundle, tmp_path: Path) -> None:
    bundle.start_running()
    console = ConsoleSocket(tmp_path / "console")
    words = (
        "exec",
        "--tty",
        "--detach",
        "--console-socket",
        str(console.path),
        bundle.id,
        "sh",
        "-c",
        "tty; sleep 1000",
    )
    subprocess.run(bundle.command(*words), stdin=subprocess.DEVNULL, check=True, env=environment(), timeout=60)
    master = console.receive()
    assert b"/dev/pts/" in os.read(master, 100)
    os.close(master)


def test_a_console_socket_that_nobody_listens_on(bundle: Bundle, tmp_path: Path) -> None:
    bundle.process["terminal"] = True
    bundle.write_config()
    dead = tmp_path / "dead"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
    for path in (dead, tmp_path / "absent"):
        assert bundle.call("create", "--bundle", str(bundle.path), "--console-socket", str(path), bundle.id).code == 1
        assert bundle.call("state", bundle.id).code == 1
