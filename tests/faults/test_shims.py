"""Shims that are killed, stopped or lost in every state of their container; pids used again; builds that differ."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.containers import session as session_module
from engine.containers.locks import shim_alive
from engine.engine import Engine
from engine.errors import ShimSilent
from engine.models import Container, CreateRequest, ExecRequest, PortMapping, RestartPolicy
from tests.faults.machine import Leaks, gone, inhabited, kill, settled, shim_of
from tests.faults.points import end_zygotes
from tests.support.engine import REPOSITORY, EngineRoot, wait_until

pytestmark = pytest.mark.root


def _run(engine: Engine, image: str, name: str, script: str = "exec sleep 1000", **more: object) -> Container:
    request = CreateRequest(image=image, name=name, command=("sh", "-c", script), **more)  # type: ignore[arg-type]
    engine.containers.create(request)
    engine.containers.start(name)
    return engine.containers.get(name)


def _actions(engine: Engine, container: Container) -> list[str]:
    return [event.action for event in engine.events.since() if event.actor == container.id]


def test_a_shim_killed_in_any_state_takes_its_container_with_it(engine: Engine, image: str, leaks: Leaks) -> None:
    _run(engine, image, "running", ports=(PortMapping(container_port=80),))
    _run(engine, image, "paused")
    engine.containers.pause("paused")
    _run(engine, image, "busy")
    session = engine.containers.exec("busy", ExecRequest(command=("sleep", "1000")))
    _run(engine, image, "short-lived", auto_remove=True)
    _run(engine, image, "between", "exit 5", restart=RestartPolicy(name="always"))
    wait_until("a pause between restarts", lambda: engine.containers.get("between").restart_count >= 3)
    wait_until("it waits", lambda: engine.containers.get("between").state == "restarting")
    rows = {row.name: row for row in engine.containers.list(all=True)}
    shims = {session_module.shim_pid(engine.paths.shim_socket(row.id)) for row in rows.values()}
    assert len(shims) == 5
    for shim in shims:
        kill(shim)
    session.close()
    with Engine(engine.paths.root, engine.paths.run_root) as other:
        found = {row.name: row for row in other.containers.list(all=True)}
    states = {name: row.state for name, row in found.items()}
    assert states.pop("between") in ("running", "restarting", "exited"), (
        "its policy is carried on by the host that finds it so"
    )
    assert states == dict.fromkeys(("running", "paused", "busy"), "exited")
    engine.containers.stop("between", 0)
    for name in ("running", "paused", "busy"):
        assert found[name].exit_code == 137
        assert _actions(engine, found[name]).count("die") == 1
        wait_until(f"the processes of {name} to be gone", lambda name=name: gone(rows[name].pid))  # type: ignore[misc]
        assert not inhabited(rows[name].id)
    assert _actions(engine, rows["short-lived"])[-1] == "destroy"
    assert engine.store.query("SELECT * FROM endpoints") == []
    for name in found:
        engine.containers.start(name)
        engine.containers.remove(name, force=True)


@pytest.mark.parametrize(("policy", "again"), [("always", True), ("unless-stopped", True), ("no", False)])
def test_a_container_whose_shim_was_killed_is_started_again_if_its_policy_says_so(
    pydock: EngineRoot, engine: Engine, image: str, leaks: Leaks, policy: str, again: bool
) -> None:
    before = _run(engine, image, "policed", restart=RestartPolicy(name=policy))
    kill(shim_of(before))
    wait_until("its container to be gone", lambda: gone(before.pid))
    assert pydock.ok("ps", "--format", "{{.Names}}") == ("policed" if again else "")
    after = engine.containers.get("policed")
    assert (after.state == "running") is again
    assert again == (not gone(after.pid)) if after.pid else not again
    assert _actions(engine, before).count("die") == 1
    engine.containers.stop("policed", 0)
    assert pydock.ok("ps", "--format", "{{.Names}}") == "", "a stop is not undone"


def test_a_stopped_shim_keeps_nobody_else_waiting_and_can_be_got_rid_of(
    pydock: EngineRoot, engine: Engine, image: str, leaks: Leaks, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = _run(engine, image, "stuck"), _run(engine, image, "other")
    shim = shim_of(stuck)
    os.kill(shim, signal.SIGSTOP)
    try:
        assert sorted(pydock.ok("ps", "--format", "{{.Names}}").split()) == ["other", "stuck"]
        assert pydock.ok("inspect", "-f", "{{.State.Status}}", "stuck") == "running"
        assert pydock.ok("exec", "other", "echo", "well") == "well"
        pydock.ok("stats", "--no-stream")
        monkeypatch.setattr(session_module, "ANSWER_S", 0.5)
        with pytest.raises(ShimSilent, match="not answered") as caught:
            engine.containers.stop("stuck", 0)
        assert "rm -f" in caught.value.hint
        with pytest.raises(ShimSilent):
            engine.containers.pause("stuck")
        engine.containers.remove("stuck", force=True)
    finally:
        if not gone(shim):
            os.kill(shim, signal.SIGCONT)
    assert gone(shim)
    wait_until("its container to be gone", lambda: gone(stuck.pid))
    assert [row.id for row in engine.containers.list(all=True)] == [other.id]


def test_a_kill_ends_a_container_whose_shim_is_stopped(
    engine: Engine, image: str, leaks: Leaks, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = _run(engine, image, "stuck")
    os.kill(shim_of(stuck), signal.SIGSTOP)
    monkeypatch.setattr(session_module, "ANSWER_S", 0.5)
    engine.containers.kill("stuck", signal.SIGKILL)
    assert engine.containers.get("stuck").state == "exited"
    wait_until("its container to be gone", lambda: gone(stuck.pid))


def test_a_pid_that_another_process_has_now_is_never_signalled(engine: Engine, image: str, leaks: Leaks) -> None:
    """After a reboot the row, and after a crash the runtime's state, may name a pid that is somebody else's."""
    container = _run(engine, image, "old")
    shim = shim_of(container)
    stranger = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL)
    try:
        kill(shim)
        wait_until("the container to be gone", lambda: gone(container.pid))
        for path in Path(engine.paths.runtime, container.id).rglob("*"):
            if path.is_file() and str(container.pid).encode() in (data := path.read_bytes()):
                path.write_bytes(data.replace(str(container.pid).encode(), str(stranger.pid).encode()))
        with engine.store.transaction() as tx:
            tx.execute(
                "UPDATE containers SET document = json_set(document, '$.pid', ?) WHERE id = ?",
                (stranger.pid, container.id),
            )
        with Engine(engine.paths.root, engine.paths.run_root) as other:
            assert other.containers.get("old").state == "exited"
            other.containers.stop("old", 0)
            other.containers.start("old")
            other.containers.remove("old", force=True)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_what_a_container_does_while_no_host_lives_is_told_later(engine: Engine, image: str, leaks: Leaks) -> None:
    script = (
        "import sys\nfrom engine.engine import Engine\nfrom engine.models import CreateRequest, RestartPolicy\n"
        "engine = Engine(sys.argv[1], sys.argv[2])\n"
        "for name, wait, code, rm, policy in (('fails', 0.3, 9, 0, 'no'), ('goes', 0.3, 0, 1, 'no'),"
        " ('again', 0.3, 7, 0, 'on-failure'), ('stays', 1000, 0, 1, 'no')):\n"
        "    made = engine.containers.create(CreateRequest(image=sys.argv[3], name=name, auto_remove=bool(rm),\n"
        "        restart=RestartPolicy(name=policy, maximum_retries=2 if policy == 'on-failure' else 0),\n"
        "        command=('sh', '-c', f'echo {name}; sleep {wait}; exit {code}')))\n"
        "    engine.containers.start(made.id)\n"
        "    print(made.id, flush=True)\n"
        "sys.stdin.read()\n"
    )
    host = subprocess.Popen(
        [sys.executable, "-c", script, engine.paths.root, engine.paths.run_root, image],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert host.stdout
    ids = dict(
        zip(("fails", "goes", "again", "stays"), (host.stdout.readline().strip() for _ in range(4)), strict=True)
    )
    host.kill()
    host.wait()
    wait_until("three ends", lambda: sum(shim_alive(engine.paths, made) for made in ids.values()) == 1, 60)
    with Engine(engine.paths.root, engine.paths.run_root) as other:
        found = {row.name: row for row in other.containers.list(all=True)}
        events = [(event.actor, event.action) for event in other.events.since()]
    assert sorted(found) == ["again", "fails", "stays"]
    assert (found["fails"].state, found["fails"].exit_code) == ("exited", 9)
    assert found["fails"].finished_ns - found["fails"].started_ns > 0.25e9
    assert (found["again"].state, found["again"].exit_code, found["again"].restart_count) == ("exited", 7, 2)
    assert found["stays"].state == "running", "--rm does not end with its host"
    assert events.count((ids["fails"], "die")) == events.count((ids["goes"], "die")) == 1
    assert events.count((ids["again"], "die")) == 3
    assert [line.text for line in engine.containers.logs("again")] == ["again\n"] * 3


def test_ten_containers_of_every_kind_outlive_their_host_and_obey_the_next(
    engine: Engine, image: str, leaks: Leaks
) -> None:
    script = (
        "import sys\nfrom engine.engine import Engine\nfrom engine.models import CreateRequest, PortMapping\n"
        "engine = Engine(sys.argv[1], sys.argv[2])\n"
        "serve = 'while :; do echo served | nc -l -p 80 || sleep 0.1; done'\n"
        "count = 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done'\n"
        "for number in range(10):\n"
        "    made = engine.containers.create(CreateRequest(image=sys.argv[3], name=f'kind{number}',\n"
        "        command=('sh', '-c', count if number % 2 else 'exec sh'), tty=number % 4 == 0, open_stdin=True,\n"
        "        auto_remove=number % 3 == 0, network='none' if number % 5 else 'bridge',\n"
        "        ports=() if number % 5 else (PortMapping(container_port=80),)))\n"
        "    engine.containers.start(made.id)\n"
        "engine.containers.pause('kind7')\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    host = subprocess.Popen(
        [sys.executable, "-c", script, engine.paths.root, engine.paths.run_root, image],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert host.stdout
    assert host.stdout.readline() == "ready\n"
    before = {row.name: row.pid for row in engine.containers.list()}
    host.kill()
    host.wait()
    with Engine(engine.paths.root, engine.paths.run_root) as other:
        after = {row.name: row for row in other.containers.list()}
        assert {name: row.pid for name, row in after.items()} == before
        assert len(after) == 10
        assert after["kind7"].state == "paused"
        other.containers.unpause("kind7")
        for name, row in after.items():
            with other.containers.exec(name, ExecRequest(command=("echo", "in", name))) as session:
                assert b"".join(frame.data for frame in session.frames()) == f"in {name}\n".encode()
            if row.tty:
                with other.containers.attach(name) as session:
                    session.send(b"echo typ''ed\r")
                    seen = b""
                    while b"typed" not in seen:
                        assert session.wait_readable(30)
                        seen += b"".join(frame.data for frame in session.read_available())
            other.containers.stop(name, 0)
        for name in ("kind1", "kind5"):
            lines = [int(line.text) for line in other.containers.logs(name)]
            assert lines == list(range(len(lines))), "no line is missing"
    settled(engine)


def test_containers_of_another_build_are_taken_over(engine: Engine, image: str, leaks: Leaks, tmp_path: Path) -> None:
    """A shim of older code serves a host of newer code, and the other way round."""
    for package in ("engine", "runtime"):
        shutil.copytree(
            REPOSITORY / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True
        )
    with open(tmp_path / "engine" / "phases.py", "a") as file:
        file.write("\n# another build\n")
    other = {**os.environ, "PYTHONPATH": str(tmp_path)}
    program = [
        sys.executable, "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from engine.cli.main import main; main()",
        "--root", engine.paths.root, "--run-root", engine.paths.run_root,
    ]  # fmt: skip

    def run(*words: str) -> str:
        done = subprocess.run(
            [*program, *words], env=other, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run("run", "-d", "--name", "theirs", "toolbox", "sh", "-c", "echo hello; exec sleep 1000")
    _run(engine, image, "ours")
    zygotes = list(Path(engine.paths.run_root).glob("zygote-*.sock"))
    assert len(zygotes) >= 2, "each build has a zygote of its own"
    wait_until("a line", lambda: list(engine.containers.logs("theirs")))
    engine.containers.pause("theirs")
    engine.containers.unpause("theirs")
    with engine.containers.exec("theirs", ExecRequest(command=("echo", "over"))) as session:
        assert b"".join(frame.data for frame in session.frames()) == b"over\n"
    assert run("exec", "ours", "echo", "back") == "back"
    assert sorted(run("ps", "--format", "{{.Names}}").split()) == ["ours", "theirs"]
    engine.containers.stop("theirs", 0)
    run("rm", "-f", "ours")
    assert [row.name for row in engine.containers.list(all=True)] == ["theirs"]
    engine.containers.start("theirs")
    assert engine.containers.get("theirs").state == "running"
    end_zygotes(engine.paths)  # the other build's must not outlive its code


def test_a_fork_bomb_stays_in_its_cage(pydock: EngineRoot, engine: Engine, image: str, leaks: Leaks) -> None:
    from engine.models import Resources

    _run(engine, image, "bomb", "f() { f | f & }; f; wait; exec sleep 1000", resources=Resources(pids_limit=40))
    assert pydock.ok("ps", "--format", "{{.Names}}") == "bomb"
    assert pydock.ok("run", "--rm", "--network", "none", "toolbox", "echo", "well") == "well"
    assert len(engine.containers.top("bomb")) <= 40
    engine.containers.remove("bomb", force=True)
