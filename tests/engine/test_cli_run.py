"""`pydock run` as people and scripts meet it: output, exit codes, messages."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.engine import wait_until

if TYPE_CHECKING:
    from tests.support.engine import EngineRoot

pytestmark = pytest.mark.root


def one_line(text: str) -> str:
    """The message of an error: one line, a hint and a pointer to the help at most, and never a traceback."""
    lines = text.strip().splitlines()
    assert "Traceback" not in text
    message, *rest = [line for line in lines if not re.match(r"Unable to find image|\S+: Pulling from", line)]
    assert all(line.startswith(("hint: ", "Run 'pydock ")) for line in rest), text
    assert message.startswith("pydock: "), text
    return message


def test_hello(pydock: EngineRoot) -> None:
    done = pydock.pydock("run", "--rm", "toolbox", "echo", "hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello\n", "")
    assert pydock.ok("ps", "-aq") == ""


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_exit_code_of_the_program(pydock: EngineRoot, code: int) -> None:
    assert pydock.pydock("run", "--rm", "toolbox", "sh", "-c", f"exit {code}").returncode == code


def test_death_by_signal_is_128_and_the_signal(pydock: EngineRoot) -> None:
    assert pydock.pydock("run", "--rm", "toolbox", "sh", "-c", "sh -c 'kill -TERM $$'; exit $?").returncode == 143


def test_program_that_is_not_there(pydock: EngineRoot) -> None:
    done = pydock.pydock("run", "--rm", "toolbox", "/nosuch")
    assert done.returncode == 127
    assert "/nosuch" in one_line(done.stderr)
    assert pydock.ok("ps", "-aq") == ""


def test_program_that_is_not_in_the_path(pydock: EngineRoot) -> None:
    done = pydock.pydock("run", "--rm", "toolbox", "nosuchprogram")
    assert done.returncode == 127
    assert "nosuchprogram" in one_line(done.stderr)


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc"])
def test_program_that_is_none(pydock: EngineRoot, path: str) -> None:
    done = pydock.pydock("run", "--rm", "toolbox", path)
    assert done.returncode == 126
    assert path in one_line(done.stderr)


def test_image_that_is_nowhere(pydock: EngineRoot) -> None:
    done = pydock.pydock("run", "--rm", "127.0.0.1:9/nosuch:image", "true")
    assert done.returncode == 125
    assert "Unable to find image '127.0.0.1:9/nosuch:image' locally" in done.stderr
    assert "127.0.0.1:9" in one_line(done.stderr)


def test_pull_never(pydock: EngineRoot) -> None:
    done = pydock.pydock("run", "--pull", "never", "nosuch:image")
    assert done.returncode == 125
    assert "No such image: nosuch:image" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["run", "toolbox:::", "true"], "invalid reference"),
        (["run", "UPPER", "true"], "UPPER"),
        (["run", "-p", "80:x", "toolbox"], "80:x"),
        (["run", "--name", "a b", "toolbox"], "a b"),
        (["run", "--name", "-x", "toolbox", "true"], "-x"),
        (["run", "-m", "1", "toolbox", "true"], "memory"),
        (["run", "-w", "relative", "toolbox", "true"], "relative"),
        (["run", "-u", "nobody-here", "toolbox", "true"], "nobody-here"),
        (["run", "--network", "nosuch", "toolbox", "true"], "nosuch"),
        (["run", "--cap-add", "FLY", "toolbox", "true"], "FLY"),
        (["run", "--ulimit", "nosuch=1", "toolbox", "true"], "nosuch"),
        (["run", "--device", "/dev/nosuch", "toolbox", "true"], "/dev/nosuch"),
        (["run", "--mount", "type=bind,src=/nosuch,dst=/x", "toolbox", "true"], "/nosuch"),
        (["run", "--sysctl", "kernel.shmmax", "toolbox", "true"], "kernel.shmmax"),
        (["run", "--stop-signal", "SIGNOPE", "toolbox", "true"], "SIGNOPE"),
        (["run", "--cpuset-cpus", "9999", "toolbox", "true"], "9999"),
        (["run", "--hostname", "x" * 300, "toolbox", "true"], "x" * 20),
        (["run", "--dns", "nowhere", "toolbox", "true"], "nowhere"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_bad_input_is_one_clear_line(pydock: EngineRoot, words: list[str], part: str) -> None:
    done = pydock.pydock(*words)
    assert done.returncode == 125
    assert part.lower() in one_line(done.stderr).lower()
    assert done.stdout == ""


def test_a_taken_name(pydock: EngineRoot) -> None:
    pydock.ok("run", "-d", "--name", "taken", "toolbox", "sleep", "100")
    done = pydock.pydock("run", "--name", "taken", "toolbox", "true")
    assert done.returncode == 125
    assert "taken" in one_line(done.stderr)
    assert "already in use" in done.stderr


def test_out_of_memory_is_told_everywhere(pydock: EngineRoot) -> None:
    done = pydock.pydock("run", "--name", "eater", "--memory", "64m", "toolbox", "tail", "/dev/zero")
    assert done.returncode == 137
    assert "Exited (137)" in pydock.ok("ps", "-a")
    assert "OOM" in pydock.ok("ps", "-a")
    state = json.loads(pydock.ok("inspect", "eater"))[0]["State"]
    assert state["OOMKilled"] is True
    assert state["ExitCode"] == 137
    assert "oom" in pydock.ok("events", "--since", "1m", "--until", "0s", "--filter", "container=eater")


def test_streams_are_kept_apart(pydock: EngineRoot) -> None:
    done = pydock.pydock("run", "--rm", "toolbox", "sh", "-c", "echo out; echo err >&2")
    assert done.stdout == "out\n"
    assert done.stderr == "err\n"


def test_input_goes_in_and_its_end_too(pydock: EngineRoot) -> None:
    done = pydock.pydock("run", "--rm", "-i", "toolbox", "cat", input="one\ntwo\n")
    assert done.stdout == "one\ntwo\n"


def test_without_i_the_program_reads_nothing(pydock: EngineRoot) -> None:
    assert pydock.pydock("run", "--rm", "toolbox", "cat", input="lost").stdout == ""


def test_much_data_through_both_ways(pydock: EngineRoot, tmp_path: Path) -> None:
    """20 MB in and out at once: neither side may wait for the other for ever, and no byte is lost."""
    source = tmp_path / "data"
    source.write_bytes(os.urandom(1 << 20) * 20)
    with source.open("rb") as file:
        running = pydock.popen("run", "--rm", "-i", "toolbox", "cat", stdin=file)
        output, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert output == source.read_bytes()


def test_last_output_is_not_lost(pydock: EngineRoot) -> None:
    done = pydock.pydock("run", "--rm", "toolbox", "seq", "1", "50000")
    assert done.stdout.splitlines()[-1] == "50000"
    assert len(done.stdout.splitlines()) == 50000


def test_a_program_that_ends_before_it_read_its_input(pydock: EngineRoot) -> None:
    done = pydock.pydock("run", "--rm", "-i", "toolbox", "true", input="x" * 1_000_000)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_leaves_ends_the_command_quietly(pydock: EngineRoot) -> None:
    running = pydock.popen("run", "--rm", "toolbox", "seq", "1", "1000000")
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.readline()
    running.stdout.close()
    assert running.wait(30) == 141
    assert running.stderr.read() == b""


def test_environment_directory_user_hostname(pydock: EngineRoot) -> None:
    script = 'echo "$A $(pwd) $(id -u):$(id -g) $(cat /etc/hostname)"'
    words = ["-e", "A=b", "-w", "/tmp", "-u", "1000:1001", "-h", "box"]
    assert pydock.ok("run", "--rm", *words, "toolbox", "sh", "-c", script) == "b /tmp 1000:1001 box"


def test_volumes_and_binds(pydock: EngineRoot, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("from the host\n")
    bind = f"{tmp_path}:/here:ro"
    assert pydock.ok("run", "--rm", "-v", bind, "toolbox", "cat", "/here/file") == "from the host"
    denied = pydock.pydock("run", "--rm", "-v", bind, "toolbox", "touch", "/here/new")
    assert denied.returncode != 0
    pydock.ok("run", "--rm", "-v", "kept:/data", "toolbox", "sh", "-c", "echo value >/data/file")
    assert pydock.ok("run", "--rm", "-v", "kept:/data", "toolbox", "cat", "/data/file") == "value"
    assert "kept" in pydock.ok("volume", "ls", "-q").split()
    assert pydock.ok("volume", "rm", "kept") == "kept"


def test_read_only_and_tmpfs(pydock: EngineRoot) -> None:
    script = "touch /x 2>/dev/null || echo read-only; touch /scratch/x && echo scratch"
    done = pydock.ok("run", "--rm", "--read-only", "--tmpfs", "/scratch", "toolbox", "sh", "-c", script)
    assert done.splitlines() == ["read-only", "scratch"]


def test_published_port_answers(pydock: EngineRoot) -> None:
    assert pydock.ok("run", "-d", "--name", "served", "-p", "127.0.0.1::8080", "toolbox", "sleep", "100")
    port = pydock.ok("port", "served", "8080")
    assert port.startswith("127.0.0.1:")
    assert f"{port}->8080/tcp" in pydock.ok("ps")


def test_network_none_has_only_loopback(pydock: EngineRoot) -> None:
    lines = pydock.ok("run", "--rm", "--network", "none", "toolbox", "cat", "/proc/net/dev").splitlines()
    assert [line.split(":")[0].strip() for line in lines[2:]] == ["lo"]


def test_network_host_is_that_of_the_host(pydock: EngineRoot) -> None:
    inside = pydock.ok("run", "--rm", "--network", "host", "toolbox", "readlink", "/proc/self/ns/net")
    assert inside == os.readlink("/proc/self/ns/net")


def test_limits_reach_the_kernel(pydock: EngineRoot) -> None:
    words = ["-m", "64m", "--pids-limit", "50", "--cpus", "0.5", "--ulimit", "nofile=100:200"]
    output = pydock.ok("run", "--rm", *words, "toolbox", "sh", "-c", "ulimit -n; ulimit -Hn")
    assert output.splitlines() == ["100", "200"]
    pydock.ok("run", "-d", "--name", "limited", *words, "toolbox", "sleep", "100")
    resources = json.loads(pydock.ok("inspect", "limited"))[0]["HostConfig"]
    assert resources["Memory"] == 64 << 20
    assert resources["PidsLimit"] == 50
    assert resources["NanoCpus"] == 500_000_000


def test_detached_prints_the_id_and_runs_on(pydock: EngineRoot) -> None:
    name = pydock.ok("run", "-d", "toolbox", "sleep", "100")
    assert len(name) == 64
    assert pydock.ok("ps", "-q", "--no-trunc") == name


def test_cidfile(pydock: EngineRoot, tmp_path: Path) -> None:
    path = tmp_path / "cid"
    name = pydock.ok("run", "-d", "--cidfile", str(path), "toolbox", "sleep", "100")
    assert path.read_text() == name
    done = pydock.pydock("run", "-d", "--cidfile", str(path), "toolbox", "sleep", "100")
    assert done.returncode == 125
    assert str(path) in one_line(done.stderr)


def test_timing_tells_every_step(pydock: EngineRoot) -> None:
    done = pydock.pydock("run", "--rm", "--timing", "toolbox", "true")
    lines = done.stderr.splitlines()
    assert done.returncode == 0
    assert len(lines) >= 4
    assert all(" ms" in line for line in lines)
    assert lines[-1].endswith("in all")


def test_timing_is_what_the_timeline_has(pydock: EngineRoot) -> None:
    from engine.engine import Engine

    done = pydock.pydock("run", "--name", "timed", "--timing", "toolbox", "true")
    printed = {line.split("ms")[-1].strip() for line in done.stderr.splitlines()[:-1]}
    with Engine(str(pydock.root), str(pydock.run_root)) as engine:
        recorded = {phase.name for phase in engine.containers.timeline("timed")}
    # the row cannot hold the step that wrote it
    assert printed - {"record"} <= recorded


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_signals_reach_the_program(pydock: EngineRoot, number: signal.Signals) -> None:
    word = number.name.removeprefix("SIG")
    script = f"trap 'echo got {word}; exit 9' {word}; echo ready; while :; do sleep 0.05; done"
    running = pydock.popen("run", "--rm", "toolbox", "sh", "-c", script)
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    running.send_signal(number)
    output, _ = running.communicate(timeout=20)
    assert output == f"got {word}\n".encode()
    assert running.returncode == 9


def test_asked_three_times_it_leaves(pydock: EngineRoot) -> None:
    """A program that ignores ctrl-C does not hold the command for ever."""
    script = "trap '' INT; echo ready; while :; do sleep 0.05; done"
    running = pydock.popen("run", "--name", "stubborn", "toolbox", "sh", "-c", script)
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    for _ in range(3):
        running.send_signal(signal.SIGINT)
        try:
            running.wait(0.5)
        except subprocess.TimeoutExpired:
            continue
    assert running.wait(20) == 130
    running.communicate()
    assert pydock.ok("ps", "--format", "{{.Names}}") == "stubborn"


def test_a_killed_command_leaves_the_container_running(pydock: EngineRoot) -> None:
    """kill -9 of the client: the container runs on, and its code and lines are there afterwards."""
    running = pydock.popen("run", "--name", "orphan", "toolbox", "sh", "-c", "echo one; sleep 1; echo two; exit 5")
    assert running.stdout is not None
    assert running.stdout.readline() == b"one\n"
    running.kill()
    running.communicate()
    assert pydock.ok("wait", "orphan") == "5"
    assert pydock.ok("logs", "orphan") == "one\ntwo"
    assert "Exited (5)" in pydock.ok("ps", "-a")


def test_names_can_be_used_again_at_once(pydock: EngineRoot) -> None:
    for _ in range(3):
        pydock.ok("run", "--rm", "--name", "again", "toolbox", "true")


def test_restart_policy(pydock: EngineRoot) -> None:
    pydock.ok("run", "-d", "--name", "flaky", "--restart", "on-failure:2", "toolbox", "sh", "-c", "exit 3")

    def settled() -> bool:
        document = json.loads(pydock.ok("inspect", "flaky"))[0]
        return bool(document["RestartCount"] == 2 and document["State"]["Status"] == "exited")

    wait_until("two restarts", settled)
    assert pydock.ok("inspect", "-f", "{{.State.ExitCode}}", "flaky") == "3"


def test_a_terminal_needs_a_terminal(pydock: EngineRoot) -> None:
    done = pydock.pydock("run", "--rm", "-it", "toolbox", "sh")
    assert done.returncode == 1
    assert "the input device is not a TTY" in one_line(done.stderr)
    assert pydock.ok("ps", "-aq") == ""


def test_without_rights_it_says_so(pydock: EngineRoot) -> None:
    """As a person without rights: one line that names sudo."""
    code = "import os, sys; os.geteuid = lambda: 1000\nfrom engine.cli.main import main\nsys.exit(main(['ps']))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=pydock.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "root" in one_line(done.stderr)
    assert "sudo" in done.stderr
