"""podman with `--runtime`: conmon drives the runtime, and podman never asks it for a state."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.engine import wait_until
from tests.support.other_engines import Processes, base_folder, program

from .conftest import Client, needs

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.serial, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def podman(runtime_program: Path, rootfs_archive: Path) -> Iterator[Client]:
    """podman with a storage of its own and pydock-runc as its runtime."""
    needs("podman", "conmon")
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 1024)
    with base_folder() as base, Processes(base):
        # it asks for higher limits than a machine that is a container itself may set
        (base / "containers.conf").write_text(
            f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc=1000:1000"]\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n',
            encoding="ascii",
        )
        path = program("podman")
        assert path
        folders = {"root": "lib", "runroot": "run", "tmpdir": "tmp", "network-config-dir": "net"}
        options = [word for name, folder in folders.items() for word in (f"--{name}", f"{base}/{folder}")]
        environment = {"CONTAINERS_CONF": str(base / "containers.conf")}
        client = Client(path, *options, "--runtime", str(runtime_program), environment=environment)
        client.ok("import", "-q", str(rootfs_archive), "box")
        yield client
        client.call("rm", "--all", "--force", "--time", "0")


def test_the_runtime_is_ours(podman: Client, runtime_program: Path) -> None:
    runtime = json.loads(podman.ok("info", "--format", "json"))["host"]["ociRuntime"]
    assert runtime["path"] == str(runtime_program)
    assert "pydock-runc" in runtime["version"]


def test_run_gives_output_and_exit_code(podman: Client) -> None:
    done = podman.call("run", "--rm", "--network", "none", "box", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_standard_input_reaches_the_program(podman: Client) -> None:
    assert podman.ok("run", "--rm", "-i", "--network", "none", "box", "cat", stdin="some text") == "some text"


def test_a_life(podman: Client) -> None:
    script = "trap 'exit 3' TERM; while :; do sleep 0.1; done"
    podman.ok("run", "-d", "--name", "life", "--network", "none", "box", "sh", "-c", script)
    assert podman.ok("exec", "life", "id", "-u") == "0\n"
    assert podman.call("exec", "life", "sh", "-c", "exit 9").returncode == 9
    words = ("-u", "1000", "-w", "/tmp", "-e", "A=1")
    assert podman.ok("exec", *words, "life", "sh", "-c", "id -u; pwd; echo $A").split() == ["1000", "/tmp", "1"]
    podman.ok("pause", "life")
    assert podman.ok("inspect", "--format", "{{.State.Status}}", "life") == "paused\n"
    podman.ok("unpause", "life")
    assert "sh" in podman.ok("top", "life", "-eo", "args") or "sleep" in podman.ok("top", "life")
    podman.ok("stop", "life")
    assert podman.ok("inspect", "--format", "{{.State.ExitCode}}", "life") == "3\n"
    podman.ok("start", "life")
    podman.ok("kill", "life")
    wait_until("the end", lambda: podman.ok("inspect", "--format", "{{.State.Running}}", "life") == "false\n", 60)
    podman.ok("rm", "life")
    assert "life" not in podman.ok("ps", "-a", "--format", "{{.Names}}").split()


def test_a_terminal(podman: Client) -> None:
    podman.ok("run", "-d", "-t", "--name", "tty", "--network", "none", "box", "sh", "-c", "tty; sleep 1000")
    wait_until("the output", lambda: "/dev/" in podman.ok("logs", "tty"), 60)
    assert "/dev/" in podman.ok("exec", "-t", "tty", "tty")
    podman.ok("rm", "--force", "--time", "0", "tty")


def test_options_of_run(podman: Client) -> None:
    out = podman.ok(
        "run",
        *("--rm", "--network", "none", "--read-only", "--tmpfs", "/scratch", "--user", "1000:1000"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--ulimit", "nofile=100:200"),
        # with one given, podman has defaults of its own for the other
        *("--ulimit", "nproc=1000:1000"),
        *("--memory", "64m", "--hostname", "a-name", "--sysctl", "net.ipv4.ip_forward=1"),
        "box",
        *("sh", "-c", "id -u; hostname; ulimit -n; touch /x 2>/dev/null || echo read-only"),
    )
    assert out.split() == ["1000", "a-name", "100", "read-only"]


def test_a_pod_shares_namespaces(podman: Client) -> None:
    podman.ok("run", "-d", "--name", "first", "--network", "none", "box", "sleep", "1000")
    words = ("--network", "container:first", "--ipc", "container:first", "--pid", "container:first")
    out = podman.ok("run", "--rm", *words, "box", "sh", "-c", "readlink /proc/self/ns/net; readlink /proc/1/ns/net; ps")
    first, second = out.split()[:2]
    assert first == second
    assert "sleep" in out
    podman.ok("rm", "--force", "--time", "0", "first")


def test_a_missing_program_is_127(podman: Client) -> None:
    done = podman.call("run", "--rm", "--network", "none", "box", "/no/such/program")
    assert done.returncode == 127, done
