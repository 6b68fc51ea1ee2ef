"""Many clients at one container, input for one or for all, and terminals of execs that outlive their client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.models import CreateRequest
from tests.engine.test_cli_terminal import CTRL_P, CTRL_Q, program
from tests.engine.test_foreign_runtime import read_until
from tests.support.engine import wait_until

if TYPE_CHECKING:
    from engine.engine import Engine
    from tests.support.engine import EngineRoot

pytestmark = pytest.mark.root


def test_ten_clients_see_and_type_into_one_program(engine: Engine, image: str) -> None:
    script = "echo up; while read -r line; do echo got-$line; done; echo over"
    container = engine.containers.create(
        CreateRequest(image=image, command=("sh", "-c", script), open_stdin=True, stdin_once=False, network="none")
    )
    engine.containers.start(container.id)
    sessions = [engine.containers.attach(container.id) for _ in range(10)]
    for number, session in enumerate(sessions):
        session.send(b"%d\n" % number)
    for session in sessions:
        seen = b""
        for number in range(10):
            if b"got-%d\n" % number not in seen:
                seen += read_until(session, b"got-%d\n" % number)
    for session in sessions[:9]:
        session.close_stdin()  # the input is for all: nobody's end is the end of it
        session.close()
    sessions[9].send(b"last\n")
    read_until(sessions[9], b"got-last\n")
    assert engine.containers.get(container.id).state == "running"


def test_input_that_is_for_all_survives_those_who_leave(pydock: EngineRoot) -> None:
    script = "while read -r line; do echo got-$line; done; echo over"
    pydock.ok("run", "-d", "-i", "--name", "all", "toolbox", "sh", "-c", script)
    for word in ("one", "two"):
        client = pydock.popen("attach", "all")
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(f"{word}\n".encode())
        client.stdin.close()
        assert client.stdout.readline() == f"got-{word}\n".encode()
        client.kill()
        client.wait()
    assert pydock.ok("ps", "--format", "{{.State}}") == "running"
    assert pydock.ok("logs", "all").split() == ["got-one", "got-two"]


def test_a_killed_client_ends_the_input_that_was_its_own(pydock: EngineRoot) -> None:
    client = pydock.popen("run", "-i", "--name", "own", "toolbox", "sh", "-c", "cat; echo over")
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(b"word\n")
    client.stdin.flush()
    assert client.stdout.readline() == b"word\n"
    client.kill()
    client.wait()
    wait_until("the program saw the end", lambda: pydock.ok("ps", "-a", "--format", "{{.State}}") == "exited")
    assert pydock.ok("logs", "own").split() == ["word", "over"]


def test_the_terminal_of_an_exec_is_taken_up_again(pydock: EngineRoot) -> None:
    pydock.ok("run", "-d", "--name", "host", "toolbox", "sleep", "1000")
    with program(pydock, "exec", "-it", "host", "sh") as shell:
        shell.type("kept=$((20+22)); echo set-$kept\n")
        shell.expect("set-42")
        shell.type(CTRL_P + CTRL_Q)
        assert shell.wait() == 0
    with program(pydock, "exec", "--reattach", "host", rows=31, columns=97) as shell:
        shell.expect("set-42")  # its last screen comes first
        shell.type("echo still-$kept; stty size\n")
        shell.expect("still-42")
        shell.expect("31 97")
        shell.type("exit 4\n")
        assert shell.wait() == 4
        assert shell.restored()
    done = pydock.pydock("exec", "--reattach", "host")
    assert done.returncode == 1
    assert "no terminal of an exec is held" in done.stderr


def test_of_several_terminals_one_is_named(pydock: EngineRoot) -> None:
    pydock.ok("run", "-d", "--name", "host", "toolbox", "sleep", "1000")
    for word in ("first", "second"):
        with program(pydock, "exec", "-it", "-e", f"WORD={word}", "host", "sh") as shell:
            shell.type("echo is-$WORD\n")
            shell.expect(f"is-{word}")
            shell.type(CTRL_P + CTRL_Q)
            assert shell.wait() == 0
    done = pydock.pydock("exec", "--reattach", "host")
    assert done.returncode in (1, 125)
    assert "more than one terminal" in done.stderr
    ids = [word.split()[0] for word in done.stderr.partition("terminal: ")[2].splitlines()[0].split("; ")]
    with program(pydock, "exec", "--reattach", "host", ids[1]) as shell:
        shell.type("echo again-$WORD\n")
        shell.expect("again-second")
        shell.type("exit\n")
        assert shell.wait() == 0


def test_a_detached_exec_runs_on(pydock: EngineRoot) -> None:
    pydock.ok("run", "-d", "--name", "host", "toolbox", "sleep", "1000")
    assert pydock.ok("exec", "-d", "host", "sh", "-c", "while ! test -e /go; do sleep 0.05; done; echo x >/done") == ""
    pydock.ok("exec", "host", "touch", "/go")
    wait_until("it has done its work", lambda: pydock.pydock("exec", "host", "test", "-e", "/done").returncode == 0)


def test_streams_are_joined_as_asked(pydock: EngineRoot) -> None:
    script = "echo out; echo err >&2; cat"
    done = pydock.pydock("run", "--rm", "-a", "stderr", "toolbox", "sh", "-c", script)
    assert (done.stdout, done.stderr) == ("", "err\n")
    done = pydock.pydock("run", "--rm", "-a", "stdin", "-a", "stdout", "toolbox", "sh", "-c", script, input="in\n")
    assert (done.stdout, done.stderr) == ("out\nin\n", "")


def test_signals_are_passed_on_unless_told_otherwise(pydock: EngineRoot) -> None:
    script = "trap 'echo got; exit 9' USR1; echo up; while :; do sleep 0.05; done"
    client = pydock.popen("run", "--name", "signals", "toolbox", "sh", "-c", script)
    assert client.stdout is not None
    assert client.stdout.readline() == b"up\n"
    deaf = pydock.popen("attach", "--sig-proxy=false", "signals")
    deaf.terminate()
    assert deaf.wait(timeout=60) != 9
    assert pydock.ok("ps", "--format", "{{.State}}") == "running"
    client.send_signal(10)
    output, _ = client.communicate(timeout=60)
    assert (output, client.returncode) == (b"got\n", 9)
