"""The life of real containers through the engine's facade; the kernel is asked for the truth."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

import pytest

from engine.containers.session import Session
from engine.engine import Engine
from engine.errors import Conflict, ImageNotFound, InvalidRequest, NameInUse, StartFailed, WrongState
from engine.models import Container, CreateRequest, ExecRequest, Resources, RestartPolicy

pytestmark = pytest.mark.root


def _run(engine: Engine, image: str, *command: str, **options: object) -> Container:
    """A started container."""
    request = CreateRequest(image=image, command=command, **options)  # type: ignore[arg-type]
    container = engine.containers.create(request)
    engine.containers.start(container.id)
    return engine.containers.get(container.id)


def _read_until(session: Session, wanted: bytes, seconds: float = 20) -> bytes:
    """What the session shows, up to the first appearance of `wanted`."""
    seen = b""
    deadline = time.monotonic() + seconds
    while wanted not in seen:
        assert session.wait_readable(deadline - time.monotonic()), f"only {seen!r} came"
        for frame in session.read_available():
            assert frame.kind != "exit", f"ended after {seen!r}"
            seen += frame.data
    return seen


def _until_state(engine: Engine, reference: str, state: str, seconds: float = 20) -> Container:
    events = engine.events.subscribe()
    try:
        deadline = time.monotonic() + seconds
        while (container := engine.containers.get(reference)).state != state:
            assert select.select([events], [], [], max(0, deadline - time.monotonic()))[0], f"still {container.state}"
            events.read()
    finally:
        events.close()
    return container


def test_a_container_runs_ends_and_tells_how(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sh", "-c", "echo out; echo err >&2; exit 7", name="short")
    assert engine.containers.wait(container.id) == 7
    ended = engine.containers.get("short")
    assert (ended.state, ended.exit_code, ended.pid) == ("exited", 7, 0)
    assert ended.started_ns <= ended.finished_ns
    assert sorted((line.stream, line.text) for line in engine.containers.logs("short")) == [
        ("stderr", "err\n"),
        ("stdout", "out\n"),
    ]


def test_the_process_is_where_the_row_says(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep", "1000")
    assert Path(f"/proc/{container.pid}/cmdline").read_bytes().startswith(b"sleep\0001000")
    for kind in ("pid", "mnt", "net", "ipc", "uts"):
        assert os.readlink(f"/proc/{container.pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
    assert [process.pid for process in engine.containers.top(container.id)] == [container.pid]
    engine.containers.kill(container.id)
    assert engine.containers.wait(container.id) == 137
    assert not os.path.exists(f"/proc/{container.pid}")


def test_a_foreground_session_sees_the_first_byte_and_the_exit(engine: Engine, image: str) -> None:
    for _ in range(5):
        container = engine.containers.create(CreateRequest(image=image, command=("echo", "hello"), auto_remove=True))
        session = engine.containers.start(container.id, attach=True)
        assert session is not None
        frames = list(session.frames())
        assert b"".join(frame.data for frame in frames) == b"hello\n"
        assert (frames[-1].kind, frames[-1].code) == ("exit", 0)
        session.close()
    assert engine.containers.list(all=True) == []


def test_megabytes_pass_through_in_order(engine: Engine, image: str) -> None:
    container = engine.containers.create(
        CreateRequest(image=image, command=("seq", "1", "300000"), auto_remove=True, network="none")
    )
    session = engine.containers.start(container.id, attach=True)
    assert session is not None
    output = b"".join(frame.data for frame in session.frames())
    assert output == b"".join(b"%d\n" % number for number in range(1, 300_001))


def test_standard_input_reaches_the_program_up_to_its_end(engine: Engine, image: str) -> None:
    container = engine.containers.create(
        CreateRequest(image=image, command=("wc", "-c"), open_stdin=True, network="none")
    )
    session = engine.containers.start(container.id, attach=True)
    assert session is not None
    session.send(b"x" * 1_000_000)
    session.close_stdin()
    assert b"".join(frame.data for frame in session.frames()).strip() == b"1000000"


def test_a_terminal_is_one_and_a_late_client_sees_its_screen(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sh", tty=True, open_stdin=True)
    first = engine.containers.attach(container.id)
    first.resize(31, 97)
    first.send(b"stty size; test -t 0 && echo is-a-$((20+2))-tty\n")
    seen = _read_until(first, b"is-a-22-tty")
    assert b"31 97" in seen
    first.close()
    second = engine.containers.attach(container.id)
    assert b"is-a-22-tty" in _read_until(second, b"is-a-22-tty")
    second.send(b"exit 3\n")
    assert next(frame.code for frame in second.frames() if frame.kind == "exit") == 3
    assert engine.containers.wait(container.id) == 3


def test_exec_runs_beside_and_keeps_its_terminal_when_its_client_goes(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep", "1000")
    session = engine.containers.exec(container.id, ExecRequest(command=("sh", "-c", "echo $0 $$; exit 5")))
    frames = list(session.frames())
    assert frames[-1].code == 5
    assert frames[0].data.split()[1] != b"1"

    shell = engine.containers.exec(container.id, ExecRequest(command=("sh",), tty=True, open_stdin=True))
    shell.send(b"kept=yes; echo ready-$((1+1))\n")
    _read_until(shell, b"ready-2")
    shell.close()
    (held,) = engine.containers.terminals(container.id)
    again = engine.containers.reattach(container.id, held.id)
    assert b"ready-2" in _read_until(again, b"ready-2")
    again.send(b"echo still-$kept\n")
    _read_until(again, b"still-yes")
    again.send(b"exit\n")
    assert next(frame.code for frame in again.frames() if frame.kind == "exit") == 0
    assert engine.containers.terminals(container.id) == []


def test_exec_of_what_is_not_there_is_127_and_changes_nothing(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep", "1000")
    with pytest.raises(StartFailed) as caught:
        engine.containers.exec(container.id, ExecRequest(command=("/nosuch",)))
    assert caught.value.exit_code == 127
    with pytest.raises(StartFailed) as caught:
        engine.containers.exec(container.id, ExecRequest(command=("/etc",)))
    assert caught.value.exit_code == 126
    assert engine.containers.get(container.id).state == "running"


def test_pause_freezes_and_unpause_goes_on(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sh", "-c", "while :; do :; done")
    engine.containers.pause(container.id)
    assert engine.containers.get(container.id).state == "paused"

    def ticks() -> int:
        stat = Path(f"/proc/{container.pid}/stat").read_text()
        return sum(map(int, stat[stat.rindex(")") :].split()[12:14]))

    before = ticks()
    time.sleep(0.3)
    assert ticks() == before
    with pytest.raises(WrongState, match="already paused"):
        engine.containers.pause(container.id)
    with pytest.raises(WrongState, match="paused"):
        engine.containers.exec(container.id, ExecRequest(command=("true",)))
    engine.containers.unpause(container.id)
    assert engine.containers.get(container.id).state == "running"
    deadline = time.monotonic() + 40
    while ticks() == before:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(WrongState, match="not paused"):
        engine.containers.unpause(container.id)


def test_stop_asks_first_then_enforces(engine: Engine, image: str) -> None:
    polite = _run(engine, image, "sh", "-c", "trap 'exit 9' TERM; echo on; while :; do sleep 0.05; done")
    next(iter(engine.containers.logs(polite.id, follow=True)))
    engine.containers.stop(polite.id, 20)
    assert engine.containers.get(polite.id).exit_code == 9

    deaf = _run(engine, image, "sh", "-c", "trap '' TERM; echo on; while :; do sleep 0.05; done")
    next(iter(engine.containers.logs(deaf.id, follow=True)))
    engine.containers.stop(deaf.id, 1)
    ended = engine.containers.get(deaf.id)
    assert (ended.state, ended.exit_code) == ("exited", 137)


def test_a_paused_container_can_be_stopped(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep", "1000")
    engine.containers.pause(container.id)
    engine.containers.stop(container.id, 1)
    assert engine.containers.get(container.id).state == "exited"


def test_restart_keeps_what_was_written(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sh", "-c", "echo x >> /kept; wc -l < /kept; sleep 1000")
    next(iter(engine.containers.logs(container.id, follow=True)))
    engine.containers.restart(container.id, 0)
    again = engine.containers.get(container.id)
    assert again.pid != container.pid
    lines = engine.containers.logs(container.id, follow=True)
    assert [next(lines).text.strip() for _ in range(2)] == ["1", "2"]


def test_memory_beyond_the_limit_is_oom_137(engine: Engine, image: str) -> None:
    eat = "a=$(head -c 200000000 /dev/zero | tr '\\0' x); echo $a | wc -c"
    container = _run(engine, image, "sh", "-c", eat, resources=Resources(memory=16 << 20, memory_swap=16 << 20))
    assert engine.containers.wait(container.id) in (137, 2)
    ended = engine.containers.get(container.id)
    assert ended.oom_killed
    assert engine.containers.inspect(container.id)["State"]["OOMKilled"] is True
    assert "oom" in [event.action for event in engine.events.since() if event.actor == container.id]


def test_failed_starts_tell_why_and_leave_nothing(engine: Engine, image: str) -> None:
    for command, code in (("/nosuch", 127), ("nosuch-in-path", 127), ("/etc/passwd", 126), ("/tmp", 126)):
        container = engine.containers.create(CreateRequest(image=image, command=(command,)))
        with pytest.raises(StartFailed) as caught:
            engine.containers.start(container.id)
        assert caught.value.exit_code == code, command
        row = engine.containers.get(container.id)
        assert (row.state, row.exit_code, row.pid) == ("created", code, 0)
        assert command in row.error
        engine.containers.remove(container.id)
    assert engine.paths.root not in Path("/proc/self/mountinfo").read_text()
    assert engine.store.query("SELECT * FROM endpoints") == []


def test_requests_that_cannot_be_are_refused_in_one_line(engine: Engine, image: str) -> None:
    with pytest.raises(ImageNotFound):
        engine.containers.create(CreateRequest(image="nosuch:image"))
    with pytest.raises(InvalidRequest, match="name"):
        engine.containers.create(CreateRequest(image=image, name="not/a/name"))
    _run(engine, image, "sleep", "1000", name="taken")
    with pytest.raises(NameInUse, match="taken"):
        engine.containers.create(CreateRequest(image=image, name="taken"))
    with pytest.raises(Conflict, match="running"):
        engine.containers.remove("taken")
    assert [container.name for container in engine.containers.list(all=True)] == ["taken"]


def test_forced_removal_leaves_no_trace(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep", "1000", name="gone")
    engine.containers.remove("gone", force=True)
    assert engine.containers.list(all=True) == []
    assert not os.path.exists(f"/proc/{container.pid}")
    assert not os.path.exists(engine.paths.container(container.id))
    assert not os.path.exists(engine.paths.container_run(container.id))
    actions = [event.action for event in engine.events.since() if event.actor == container.id]
    assert actions[:2] == ["create", "start"]
    assert actions[-1] == "destroy"
    assert "die" in actions


def test_restart_policy_on_failure_counts_and_gives_up(engine: Engine, image: str) -> None:
    policy = RestartPolicy(name="on-failure", maximum_retries=2)
    container = _run(engine, image, "sh", "-c", "echo try; exit 4", restart=policy)
    ended = _until_state(engine, container.id, "exited")
    assert (ended.state, ended.restart_count, ended.exit_code) == ("exited", 2, 4)
    assert [line.text for line in engine.containers.logs(container.id)] == ["try\n"] * 3


def test_always_comes_back_after_a_kill_but_not_after_a_stop(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep", "1000", restart=RestartPolicy(name="always"))
    os.kill(container.pid, signal.SIGKILL)
    deadline = time.monotonic() + 40
    while (now := engine.containers.get(container.id)).state != "running" or now.pid == container.pid:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert now.restart_count == 1
    engine.containers.stop(container.id, 1)
    assert engine.containers.get(container.id).state == "exited"


def test_figures_are_there_from_birth(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sh", "-c", "while :; do :; done")
    deadline = time.monotonic() + 40
    while len(engine.containers.history(container.id)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    history = engine.containers.history(container.id)
    assert history[-1].cpu_ns > history[0].cpu_ns
    assert history[-1].pids == 1
    assert history[-1].memory > 0
    assert engine.containers.samples()[container.id].time_ns >= history[0].time_ns


def test_the_timeline_names_the_steps_in_order(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep", "1000")
    phases = engine.containers.timeline(container.id)
    names = [phase.name for phase in phases]
    for earlier, later in (("image", "bundle"), ("bundle", "rootfs"), ("rootfs", "network"), ("network", "exec")):
        assert names.index(earlier) < names.index(later)
    assert all(phase.duration_ns >= 0 for phase in phases)
    assert [phase.start_ns for phase in phases] == sorted(phase.start_ns for phase in phases)


def test_a_followed_log_ends_with_the_container(engine: Engine, image: str) -> None:
    script = "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done; printf unfinished"
    container = _run(engine, image, "sh", "-c", script)
    lines = [line.text for line in engine.containers.logs(container.id, follow=True)]
    assert lines == ["1\n", "2\n", "3\n", "4\n", "5\n", "unfinished"]


def test_rename_is_seen_by_all(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep", "1000", name="old")
    engine.containers.rename("old", "new")
    assert engine.containers.get("new").id == container.id
    engine.containers.stop("new", 0)
    assert engine.containers.get("new").state == "exited"


def test_states_follow_the_event_stream(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sh", "-c", "sleep 0.3")
    ended = _until_state(engine, container.id, "exited")
    assert ended.exit_code == 0


def _died_of_memory(engine: Engine, container: Container) -> list[str]:
    return [event.action for event in engine.events.since() if event.actor == container.id]


HOG = "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo $x | wc -c"


def test_an_end_for_lack_of_memory_is_recorded_with_its_circumstances(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sh", "-c", HOG, resources=Resources(memory=32 << 20))
    assert engine.containers.wait(container.id) == 137
    ended = engine.containers.get(container.id)
    assert (ended.oom_killed, ended.signal) == (True, signal.SIGKILL)
    actions = _died_of_memory(engine, container)
    assert actions.count("oom") >= 1
    assert actions.index("oom") < actions.index("die")
    record = engine.containers.inspect(container.id)["LastExit"]
    assert record["OOMKilled"] is True
    assert record["StopRequest"] is None
    assert 24 << 20 < record["MemoryPeak"] <= 32 << 20
    assert set(record["Pressure"]) == {"Cpu", "Memory", "Io"}


def test_a_process_beside_the_first_may_die_of_memory_too(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep", "1000", resources=Resources(memory=32 << 20))
    request = ExecRequest(command=("sh", "-c", HOG))
    with engine.containers.exec(container.id, request) as session:
        assert [frame.code for frame in session.frames() if frame.kind == "exit"] != [0]
    deadline = time.monotonic() + 40
    while not engine.containers.get(container.id).oom_killed:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert engine.containers.get(container.id).state == "running"
    assert "oom" in _died_of_memory(engine, container)
    engine.containers.stop(container.id, 0)
    assert engine.containers.get(container.id).oom_killed


def test_the_record_of_an_end_says_who_wanted_it(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep", "1000", name="wanted")
    engine.containers.stop("wanted", 0)
    record = engine.containers.inspect("wanted")["LastExit"]
    asked = record["StopRequest"]
    assert (asked["Pid"], asked["Uid"], asked["Signal"]) == (os.getpid(), os.geteuid(), signal.SIGTERM)
    assert "python" in asked["Program"]
    assert record["StartedAt"] <= asked["Time"] <= record["FinishedAt"]
    assert engine.containers.get(container.id).stop_requested
    engine.containers.start("wanted")
    os.kill(engine.containers.get("wanted").pid, signal.SIGKILL)
    engine.containers.wait("wanted")
    assert engine.containers.inspect("wanted")["LastExit"]["StopRequest"] is None
    assert not engine.containers.get("wanted").stop_requested


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_only_a_signal_that_asks_for_the_end_keeps_a_policy_from_acting(
    engine: Engine, image: str, number: signal.Signals
) -> None:
    script = "trap 'exit 3' HUP TERM; echo up; while :; do sleep 0.05; done"
    container = _run(engine, image, "sh", "-c", script, restart=RestartPolicy(name="unless-stopped"))
    deadline = time.monotonic() + 40
    while not list(engine.containers.logs(container.id)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    engine.containers.kill(container.id, number)
    if number == signal.SIGTERM:
        assert _until_state(engine, container.id, "exited").stop_requested
        return
    while engine.containers.get(container.id).restart_count != 1:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_stop_between_two_restarts_ends_it(engine: Engine, image: str) -> None:
    container = _run(engine, image, "false", restart=RestartPolicy(name="always"))
    deadline = time.monotonic() + 40
    while (now := engine.containers.get(container.id)).state != "restarting" or now.restart_count < 2:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    engine.containers.stop(container.id, 0)
    ended = engine.containers.get(container.id)
    assert (ended.state, ended.exit_code, ended.stop_requested) == ("exited", 1, True)
    assert engine.store.query("SELECT * FROM endpoints") == []


def test_a_container_to_be_removed_at_its_end_survives_a_restart(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep", "1000", name="brief", auto_remove=True)
    with engine.containers.exec("brief", ExecRequest(command=("sh", "-c", "echo kept >/kept"))) as session:
        list(session.frames())
    engine.containers.restart("brief", 0)
    again = engine.containers.get("brief")
    assert (again.id, again.state) == (container.id, "running")
    assert again.pid != container.pid
    with engine.containers.exec("brief", ExecRequest(command=("cat", "/kept"))) as session:
        assert b"".join(frame.data for frame in session.frames()) == b"kept\n"
    engine.containers.stop("brief", 0)
    deadline = time.monotonic() + 20
    while engine.containers.list(all=True):
        assert time.monotonic() < deadline
        time.sleep(0.02)
