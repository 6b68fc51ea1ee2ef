"""containerd with BinaryName: its runc shim drives the runtime, by `ctr`."""

from __future__ import annotations

import shlex
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.engine import wait_until
from tests.support.other_engines import START_S, Processes, base_folder, program

from .conftest import Client, needs

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.serial, pytest.mark.timeout(600)]


class Ctr(Client):
    """`ctr`, and the words that a container of this runtime is run with."""

    rootfs = ""
    runtime = ""

    def run_words(self, *options: str) -> list[str]:
        return ["run", *options, "--runc-binary", self.runtime, "--rootfs", self.rootfs]


@pytest.fixture(scope="module")
def ctr(runtime_program: Path, rootfs_archive: Path) -> Iterator[Ctr]:
    """ctr at a containerd of our own."""
    needs("containerd", "ctr")
    with base_folder() as base, Processes(base) as processes:
        (base / "containerd.toml").write_text(
            'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n', encoding="ascii"
        )
        processes.start(
            "containerd",
            *("--config", base / "containerd.toml", "--address", base / "c.sock"),
            *("--root", base / "containerd", "--state", base / "containerd-run"),
        )
        wait_until("containerd's socket", (base / "c.sock").exists, START_S)
        (base / "rootfs").mkdir()
        with tarfile.open(rootfs_archive) as archive:
            archive.extractall(base / "rootfs", filter="tar")
        path = program("ctr")
        assert path
        client = Ctr(path, "--address", str(base / "c.sock"), "--namespace", f"pydock{base.name[-6:]}")
        client.rootfs, client.runtime = str(base / "rootfs"), str(runtime_program)
        wait_until("an answer of containerd", lambda: client.call("version").returncode == 0, START_S)
        yield client
        for task in client.call("task", "ls", "-q").stdout.split():
            client.call("task", "kill", "--signal", "KILL", task)
            client.call("task", "rm", "--force", task)
        for container in client.call("container", "ls", "-q").stdout.split():
            client.call("container", "rm", container)


def test_run_gives_output_and_exit_code(ctr: Ctr) -> None:
    done = ctr.call(*ctr.run_words("--rm"), "once", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")


def test_the_runtime_is_ours(ctr: Ctr, runtime_program: Path) -> None:
    done = ctr.call(*ctr.run_words("--rm"), "missing", "/no/such/program")
    assert done.returncode != 0
    # our own words for it
    assert 'exec: "/no/such/program": no such file or directory' in done.stderr


def test_a_life(ctr: Ctr) -> None:
    script = "trap 'exit 3' TERM; while :; do sleep 0.1; done"
    ctr.ok(*ctr.run_words("-d", "--memory-limit", "67108864"), "life", "sh", "-c", script)
    assert "RUNNING" in ctr.ok("task", "ls")
    assert ctr.ok("task", "exec", "--exec-id", "e1", "life", "id", "-u") == "0\n"
    assert ctr.call("task", "exec", "--exec-id", "e2", "life", "sh", "-c", "exit 9").returncode == 9
    ctr.ok("task", "pause", "life")
    assert "PAUSED" in ctr.ok("task", "ls")
    ctr.ok("task", "resume", "life")
    assert "PID" in ctr.ok("task", "ps", "life")
    assert "memory" in ctr.ok("task", "metrics", "life")
    ctr.ok("task", "kill", "--signal", "TERM", "life")
    wait_until("the end", lambda: "STOPPED" in ctr.ok("task", "ls"), 60)
    assert "exit code 3" in ctr.call("task", "rm", "life").stderr
    ctr.ok("container", "rm", "life")
    assert ctr.ok("container", "ls", "-q") == ""


def test_a_terminal(ctr: Ctr) -> None:
    # ctr wants a terminal itself for that
    command = shlex.join(ctr.command(*ctr.run_words("--rm", "--tty"), "tty", "sh", "-c", "tty; exit 5"))
    words = ["script", "--quiet", "--return", "--command", command, "/dev/null"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=False)
    assert "/dev/" in done.stdout
    assert done.returncode == 5


def test_nothing_is_left_of_the_runtime(ctr: Ctr) -> None:
    ctr.ok(*ctr.run_words("--rm"), "gone", "true")
    assert not list(Path("/run/containerd/runc").glob("pydock*/gone"))
    assert not [path for path in Path("/sys/fs/cgroup").glob("**/gone") if path.is_dir()]
