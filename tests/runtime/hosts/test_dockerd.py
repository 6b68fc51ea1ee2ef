"""dockerd with `--add-runtime`: its shim drives the runtime as docker users do."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.engine import wait_until
from tests.support.other_engines import START_S, Processes, base_folder, program

from .conftest import Client, needs

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.serial, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def docker(runtime_program: Path, rootfs_archive: Path) -> Iterator[Client]:
    """docker's client at a daemon of our own whose default runtime is pydock-runc."""
    needs("dockerd", "docker", "containerd")
    with base_folder() as base, Processes(base) as processes:
        (base / "containerd.toml").write_text(
            'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n', encoding="ascii"
        )
        (base / "docker.json").write_text("{}", encoding="ascii")
        processes.start(
            "containerd",
            *("--config", base / "containerd.toml", "--address", base / "c.sock"),
            *("--root", base / "containerd", "--state", base / "containerd-run"),
        )
        wait_until("containerd's socket", (base / "c.sock").exists, START_S)
        processes.start(
            "dockerd",
            *("--host", f"unix://{base}/docker.sock", "--containerd", base / "c.sock"),
            *("--config-file", base / "docker.json", "--data-root", base / "docker"),
            *("--exec-root", base / "docker-run", "--pidfile", base / "docker.pid"),
            *("--iptables=false", "--ip6tables=false", "--bridge=none"),
            *("--add-runtime", f"pydock={runtime_program}", "--default-runtime", "pydock"),
        )
        path = program("docker")
        assert path
        client = Client(path, "--host", f"unix://{base}/docker.sock", environment={"DOCKER_CONFIG": str(base)})
        wait_until("an answer of dockerd", lambda: client.call("version").returncode == 0, START_S)
        client.ok("import", str(rootfs_archive), "box")
        yield client
        for container in client.call("ps", "-aq").stdout.split():
            client.call("rm", "--force", container)


def test_the_runtime_is_ours(docker: Client) -> None:
    assert json.loads(docker.ok("info", "--format", "{{json .}}"))["DefaultRuntime"] == "pydock"


def test_run_gives_output_and_exit_code(docker: Client) -> None:
    done = docker.call("run", "--rm", "--network", "none", "box", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_standard_input_reaches_the_program(docker: Client) -> None:
    assert docker.ok("run", "--rm", "-i", "--network", "none", "box", "cat", stdin="some text") == "some text"


def test_a_life(docker: Client) -> None:
    docker.ok(
        "run",
        "-d",
        "--name",
        "life",
        "--network",
        "none",
        "box",
        "sh",
        "-c",
        "trap 'exit 3' TERM; while :; do sleep 0.1; done",
    )
    assert docker.ok("exec", "life", "sh", "-c", "hostname; id -u").split()[1] == "0"
    assert docker.call("exec", "life", "sh", "-c", "exit 9").returncode == 9
    assert docker.ok(
        "exec", "-u", "1000", "-w", "/tmp", "-e", "A=1", "life", "sh", "-c", "id -u; pwd; echo $A"
    ).split() == [
        "1000",
        "/tmp",
        "1",
    ]
    docker.ok("pause", "life")
    assert docker.ok("inspect", "--format", "{{.State.Status}}", "life") == "paused\n"
    docker.ok("unpause", "life")
    assert "sleep" in docker.ok("top", "life") or "sh" in docker.ok("top", "life")
    docker.ok("update", "--memory", "64m", "--memory-swap", "64m", "--pids-limit", "50", "life")
    pid = docker.ok("inspect", "--format", "{{.State.Pid}}", "life").strip()
    assert _limit(pid, "pids", "pids.max") == "50"
    docker.ok("stop", "life")
    assert docker.ok("inspect", "--format", "{{.State.ExitCode}}", "life") == "3\n"
    docker.ok("start", "life")
    docker.ok("kill", "life")
    wait_until("the end", lambda: docker.ok("inspect", "--format", "{{.State.Running}}", "life") == "false\n", 60)
    docker.ok("rm", "life")
    assert "life" not in docker.ok("ps", "-a", "--format", "{{.Names}}").split()


def test_a_terminal(docker: Client) -> None:
    docker.ok("run", "-d", "-t", "--name", "tty", "--network", "none", "box", "sh", "-c", "tty; stty size; sleep 1000")
    wait_until("the output", lambda: "/dev/" in docker.ok("logs", "tty"), 60)
    docker.ok("rm", "--force", "tty")


def test_options_of_run(docker: Client) -> None:
    out = docker.ok(
        "run",
        *("--rm", "--network", "none", "--read-only", "--tmpfs", "/scratch", "--user", "1000:1000"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--ulimit", "nofile=100:200"),
        *("--memory", "64m", "--hostname", "a-name", "--sysctl", "net.ipv4.ip_forward=1", "--init"),
        *(
            "box",
            "sh",
            "-c",
            "id -u; hostname; ulimit -n; touch /x 2>/dev/null || echo read-only; cat /proc/sys/net/ipv4/ip_forward",
        ),
    )
    assert out.split() == ["1000", "a-name", "100", "read-only", "1"]


def test_a_missing_program_is_127(docker: Client) -> None:
    done = docker.call("run", "--rm", "--network", "none", "box", "/no/such/program")
    assert done.returncode == 127
    assert "no such file" in done.stderr.lower()


def test_out_of_memory_is_told(docker: Client) -> None:
    docker.call(
        "run",
        *("--name", "oom", "--network", "none", "--memory", "16m", "--memory-swap", "16m"),
        *("box", "sh", "-c", "x=$(head -c 60000000 /dev/zero | tr '\\0' x)"),
    )
    assert docker.ok("inspect", "--format", "{{.State.OOMKilled}} {{.State.ExitCode}}", "oom") != "false 0\n"
    docker.ok("rm", "oom")


def _limit(pid: str, controller: str, name: str) -> str:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _id, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return Path(f"/sys/fs/cgroup/{controller}{path}/{name}").read_text().strip()
        if not controllers and Path(f"/sys/fs/cgroup{path}/{name}").exists():
            return Path(f"/sys/fs/cgroup{path}/{name}").read_text().strip()
    return subprocess.run(["cat", f"/proc/{pid}/cgroup"], capture_output=True, text=True, check=True).stdout
