"""Containers that another OCI runtime makes: crun and runc in place of ours, with nothing else different."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.containers.locks import shim_alive
from engine.engine import Engine
from engine.errors import InvalidRequest, StartFailed
from engine.models import CreateRequest, ExecRequest, Resources, RestartPolicy
from runtime.cgroups import hosts
from tests.engine.test_create_flags import V1, cgroup_of
from tests.support.engine import REPOSITORY, wait_until

if TYPE_CHECKING:
    from engine.containers.session import Session
    from tests.support.engine import EngineRoot

pytestmark = pytest.mark.root


@pytest.fixture(params=["crun", "runc"])
def runtime(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"needs {request.param}")
    if request.param == "crun" and hosts.current().mode == "hybrid":
        pytest.skip("needs a host with v1 or v2 cgroups alone: crun refuses the hybrid of both")
    return str(request.param)


def read_until(session: Session, wanted: bytes) -> bytes:
    """What the session shows, up to the first appearance of `wanted`."""
    seen = b""
    while wanted not in seen:
        assert session.wait_readable(30), f"only {seen!r} came"
        for frame in session.read_available():
            assert frame.kind != "exit", f"ended after {seen!r}"
            seen += frame.data
    return seen


def test_output_exit_code_limits_and_network(pydock: EngineRoot, runtime: str) -> None:
    script = "echo out; echo err >&2; test -e /sys/class/net/eth0 && cat /proc/sys/kernel/hostname; exit 7"
    done = pydock.pydock("run", "--name", "short", "-h", "inside", "--runtime", runtime, "toolbox", "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\ninside\n", "err\n")
    assert pydock.ok("inspect", "-f", "{{.HostConfig.Runtime}} {{.State.ExitCode}}", "short") == f"{runtime} 7"
    assert pydock.pydock("logs", "short").stdout == "out\ninside\n"
    assert [path.name for path in (pydock.run_root / "runtimes" / runtime).iterdir()] == []


def test_a_program_that_is_not_there_is_127(pydock: EngineRoot, runtime: str) -> None:
    done = pydock.pydock("run", "--rm", "--runtime", runtime, "toolbox", "/nosuch")
    assert done.returncode == 127
    assert "nosuch" in done.stderr
    assert pydock.ok("ps", "-aq") == ""


def test_a_life_with_exec_pause_update_and_kill(engine: Engine, image: str, runtime: str) -> None:
    request = CreateRequest(
        image=image, command=("sleep", "1000"), runtime=runtime, network="none", resources=Resources(memory=64 << 20)
    )
    container = engine.containers.create(request)
    engine.containers.start(container.id)
    row = engine.containers.get(container.id)
    # runc's start says when init has been let go, not when it has executed the program
    wait_until("sleep runs", lambda: Path(f"/proc/{row.pid}/cmdline").read_bytes().startswith(b"sleep\x001000"))
    file = cgroup_of(row.pid, "memory") / ("memory.limit_in_bytes" if V1 else "memory.max")
    assert int(file.read_text()) == 64 << 20
    engine.containers.update(container.id, Resources(memory=96 << 20))
    assert int(file.read_text()) == 96 << 20

    frames = list(engine.containers.exec(container.id, ExecRequest(command=("sh", "-c", "echo $0; exit 5"))).frames())
    assert (b"".join(frame.data for frame in frames), frames[-1].code) == (b"sh\n", 5)
    with pytest.raises(StartFailed) as caught:
        engine.containers.exec(container.id, ExecRequest(command=("/nosuch",)))
    assert caught.value.exit_code == 127

    engine.containers.pause(container.id)
    assert engine.containers.get(container.id).state == "paused"
    engine.containers.unpause(container.id)
    assert row.pid in [process.pid for process in engine.containers.top(container.id)]
    wait_until("it is sampled", lambda: engine.containers.sample(container.id))
    engine.containers.kill(container.id, signal.SIGKILL)
    assert engine.containers.wait(container.id) == 137


def test_a_terminal_of_its_own_and_one_of_an_exec(engine: Engine, image: str, runtime: str) -> None:
    container = engine.containers.create(
        CreateRequest(image=image, command=("sh",), runtime=runtime, network="none", tty=True, open_stdin=True)
    )
    session = engine.containers.start(container.id, attach=True, size=(31, 97))
    assert session is not None
    session.send(b"stty size; echo is-$((40+2))\n")
    assert b"31 97" in read_until(session, b"is-42")
    shell = engine.containers.exec(container.id, ExecRequest(command=("sh",), tty=True, open_stdin=True), (20, 60))
    shell.send(b"stty size; echo is-$((50+2))\n")
    assert b"20 60" in read_until(shell, b"is-52")
    shell.close()
    session.send(b"exit 3\n")
    assert next(frame.code for frame in session.frames() if frame.kind == "exit") == 3


def test_restarts_by_policy(engine: Engine, image: str, runtime: str) -> None:
    container = engine.containers.create(
        CreateRequest(
            image=image,
            command=("sh", "-c", "echo try; exit 1"),
            runtime=runtime,
            network="none",
            restart=RestartPolicy(name="on-failure", maximum_retries=2),
        )
    )
    engine.containers.start(container.id)
    wait_until("it has given up", lambda: engine.containers.get(container.id).state == "exited")
    assert [line.text for line in engine.containers.logs(container.id)] == ["try\n"] * 3


def test_the_next_host_clears_away_what_a_killed_shim_left(engine: Engine, image: str, runtime: str) -> None:
    container = engine.containers.create(
        CreateRequest(image=image, command=("sleep", "1000"), runtime=runtime, network="none")
    )
    engine.containers.start(container.id)
    row = engine.containers.get(container.id)
    folder = cgroup_of(row.pid, "pids")
    shim = int(Path(f"/proc/{row.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(shim, signal.SIGKILL)
    wait_until("the shim is gone", lambda: not shim_alive(engine.paths, container.id))
    with Engine(engine.paths.root, engine.paths.run_root) as other:
        assert other.containers.get(container.id).state == "exited"
    wait_until("its process is gone", lambda: not os.path.exists(f"/proc/{row.pid}"))
    wait_until("its cgroup is gone", lambda: not folder.exists())
    assert list(Path(engine.paths.run_root, "runtimes", runtime).iterdir()) == []


def test_any_path_will_do(pydock: EngineRoot, tmp_path: Path) -> None:
    """Our own runtime's command line, as a program that the engine knows nothing of."""
    program = tmp_path / "my-runtime"
    start = f"exec {sys.executable} -c 'from runtime.cli.main import main; main()'"
    program.write_text(f'#!/bin/sh\nexport PYTHONPATH={REPOSITORY}\n{start} "$@"\n')
    program.chmod(0o755)
    script = "echo out; echo err >&2; exit 7"
    done = pydock.pydock("run", "--rm", "--runtime", str(program), "toolbox", "sh", "-c", script)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "err\n")
    pydock.ok("run", "-d", "--name", "mine", "--runtime", str(program), "toolbox", "sleep", "1000")
    assert pydock.ok("exec", "mine", "cat", "/proc/1/comm") == "sleep"
    pydock.ok("pause", "mine")
    assert pydock.ok("ps", "--format", "{{.State}}") == "paused"
    pydock.ok("rm", "-f", "mine")


def test_a_runtime_that_is_none_is_refused(engine: Engine, image: str) -> None:
    for name in ("nosuch-runtime", "/etc/passwd", "a/b"):
        with pytest.raises(InvalidRequest, match="unknown or invalid runtime name"):
            engine.containers.create(CreateRequest(image=image, command=("true",), runtime=name))


def test_a_runtime_that_fails_says_why_and_leaves_nothing(engine: Engine, image: str, tmp_path: Path) -> None:
    program = tmp_path / "broken"
    program.write_text('#!/bin/sh\nwhile [ "$1" != --log ]; do shift; done\necho \'{"msg":"no luck"}\' >"$2"\nexit 1\n')
    program.chmod(0o755)
    container = engine.containers.create(CreateRequest(image=image, command=("true",), runtime=str(program)))
    with pytest.raises(StartFailed, match="broken: no luck"):
        engine.containers.start(container.id)
    assert engine.containers.get(container.id).state == "created"
