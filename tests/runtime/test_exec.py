"""`exec`: a further process in the container, with its options as runc has them."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .bundle import Bundle

pytestmark = pytest.mark.root


@pytest.fixture
def running(bundle: Bundle) -> Bundle:
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro")
    bundle.start_running()
    return bundle


def test_output_and_exit_code(running: Bundle) -> None:
    result = running.exec(running.id, "sh", "-c", "echo out; echo err >&2; exit 5")
    assert (result.code, result.out) == (5, "out\n")
    assert "err" in result.err


def test_standard_input_reaches_the_program(running: Bundle) -> None:
    done = subprocess.run(
        running.command("exec", running.id, "cat"),
        input=b"given",
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert done.stdout == b"given"


def test_it_is_in_all_namespaces_of_the_container(running: Bundle) -> None:
    pid = running.state()["pid"]
    names = ("pid", "mnt", "ipc", "uts", "net", "cgroup")
    inside = running.exec(running.id, "sh", "-c", "; ".join(f"readlink /proc/self/ns/{n}" for n in names)).out
    assert inside.split() == [os.readlink(f"/proc/{pid}/ns/{name}") for name in names]


def test_it_is_in_the_containers_cgroup(running: Bundle) -> None:
    out = running.exec(running.id, "cat", "/proc/self/cgroup").out
    assert all(line.endswith(":/") for line in out.splitlines())


def test_user(running: Bundle) -> None:
    out = running.exec("--user", "1000:1001", "--additional-gids", "7", running.id, "id").out
    assert "uid=1000" in out
    assert "gid=1001" in out
    assert "7" in out.split("groups=")[1]


def test_cwd_and_environment(running: Bundle) -> None:
    result = running.exec("--cwd", "/tmp", "--env", "ADDED=1", running.id, "sh", "-c", "pwd; echo $ADDED $PATH")
    assert result.out == "/tmp\n1 /bin\n"


def test_a_process_file(running: Bundle, tmp_path: Path) -> None:
    process = {
        "args": ["sh", "-c", "id -u; echo $X; grep CapEff /proc/self/status"],
        "env": ["PATH=/bin", "X=from-file"],
        "cwd": "/",
        "user": {"uid": 12, "gid": 0},
    }
    path = tmp_path / "process.json"
    path.write_text(json.dumps(process))
    out = running.exec("--process", str(path), running.id).out.split()
    assert out[:2] == ["12", "from-file"]
    assert int(out[-1], 16) == 0


def test_detached_with_a_pid_file(running: Bundle, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    arguments = ("exec", "--detach", "--pid-file", str(pid_file), running.id, "sleep", "1000")
    subprocess.run(running.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    pid = int(pid_file.read_text())
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        assert file.read() == b"sleep\0001000\0"
    assert pid in json.loads(running.ok("ps", "--format", "json", running.id))


def test_added_capability_is_not_inheritable(running: Bundle) -> None:
    """CVE-2022-29162."""
    out = running.exec("--cap", "CAP_SYS_ADMIN", running.id, "grep", "Cap", "/proc/self/status").out
    status = dict(line.split(":\t") for line in out.splitlines())
    assert int(status["CapEff"], 16) & 1 << 21
    assert int(status["CapInh"], 16) == 0
    assert int(status["CapAmb"], 16) == 0


def test_no_new_privileges(running: Bundle) -> None:
    out = running.exec("--no-new-privs", running.id, "grep", "NoNewPrivs", "/proc/self/status").out
    assert out.split()[1] == "1"


@pytest.mark.parametrize("program", ["/nosuch", "nosuch", "/etc/passwd", "/bin"])
def test_what_cannot_be_executed_is_an_error(running: Bundle, program: str) -> None:
    result = running.exec(running.id, program)
    assert result.code in (126, 127, 255, 1)
    assert program in result.err
    assert "Traceback" not in result.err


def test_in_a_stopped_container_it_is_refused(running: Bundle) -> None:
    running.ok("kill", running.id, "KILL")
    running.wait_for("stopped")
    assert running.exec(running.id, "true").code != 0


@pytest.mark.usefixtures("own_runtime")
@pytest.mark.parametrize("user", ["1x", "-1", "0x10", "4294967296", "", ":", "1:", ":1", "1:2:3", "root", " 1"])
def test_a_strange_user_is_refused(running: Bundle, user: str) -> None:
    """What only looks like a user must not become root (CVE-2026-30892)."""
    result = running.exec(f"--user={user}", running.id, "id")
    assert (result.code, result.out) == (255, "")


@pytest.mark.usefixtures("own_runtime")
def test_a_missing_cwd_is_an_error(running: Bundle) -> None:
    result = running.exec("--cwd", "/no/such/dir", running.id, "true")
    assert result.code == 255
    assert "/no/such/dir" in result.err


def test_it_ends_with_the_container(running: Bundle) -> None:
    process = subprocess.Popen(
        running.command("exec", running.id, "sleep", "1000"),
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    for _ in range(250):
        if len(json.loads(running.ok("ps", "--format", "json", running.id))) == 2:
            break
    running.ok("kill", running.id, "KILL")
    assert process.wait(timeout=20) == 137
