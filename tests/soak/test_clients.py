"""Clients that are slow, dead or gone, and containers that flood them: neither holds up the other, and a shim's memory
and descriptors stay where they are."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest

from engine import unix
from engine.engine import Engine
from engine.models import Container, CreateRequest, ExecRequest
from engine.shim import frames
from tests.faults.machine import Leaks, shim_of
from tests.support.engine import EngineRoot, wait_until

pytestmark = pytest.mark.root

MANY = 40
BOUND_KB = 150 << 10


def _run(engine: Engine, image: str, script: str, **more: object) -> Container:
    request = CreateRequest(image=image, command=("sh", "-c", script), network="none", **more)  # type: ignore[arg-type]
    made = engine.containers.create(request)
    engine.containers.start(made.id)
    return engine.containers.get(made.id)


def _fds(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _memory_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status[status.index("VmRSS:") :].split()[1])


def _connect(engine: Engine, container: Container, body: dict[str, object] | None) -> socket.socket:
    """A client that never reads; with a `body` it has asked for something."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    unix.connect(connection, engine.paths.shim_socket(container.id))
    if body:
        connection.sendall(frames.json_frame(frames.REQUEST, body))
    return connection


def test_clients_that_do_not_read_hold_nothing_up_and_leave_nothing(engine: Engine, image: str, leaks: Leaks) -> None:
    script = "read go; i=0; while [ $i -lt 60 ]; do head -c 1000000 /dev/zero | tr '\\0' x; echo; i=$((i+1)); done; "
    container = _run(engine, image, f"{script} echo finished >&2; exec sleep 1000", open_stdin=True)
    shim = shim_of(container)
    base = _fds(shim)
    clients = [_connect(engine, container, {"op": "attach"}) for _ in range(MANY)]
    clients += [_connect(engine, container, {"op": "wait"}) for _ in range(5)]
    clients += [_connect(engine, container, None) for _ in range(5)]
    wait_until("all to be connected", lambda: _fds(shim) >= base + len(clients) - 1, 30)
    with engine.containers.attach(container.id) as typist:
        typist.send(b"\n")
    wait_until(
        "60 MB to have been printed, with 40 who do not read them",
        lambda: any(line.text == "finished\n" for line in engine.containers.logs(container.id, tail=3)),
        90,
    )
    assert _memory_kb(shim) < BOUND_KB
    for client in clients:
        client.close()
    wait_until("their descriptors to be given back", lambda: _fds(shim) <= base, 30)
    with engine.containers.exec(container.id, ExecRequest(command=("echo", "well"))) as session:
        assert b"".join(frame.data for frame in session.frames()) == b"well\n"


def test_clients_that_vanish_in_the_middle_of_everything(engine: Engine, image: str, leaks: Leaks) -> None:
    container = _run(engine, image, "while :; do echo tick; sleep 0.01; done")
    shim = shim_of(container)
    base = _fds(shim)
    requests: list[dict[str, object] | None] = [
        {"op": "attach"},
        {"op": "wait", "final": True},
        {"op": "exec", "exec_id": "e" * 64, "process": {"args": ["no-such"], "cwd": "/", "user": {}}},
        {"op": "nonsense"},
        None,
    ]
    for number in range(MANY * 2):
        client = _connect(engine, container, requests[number % len(requests)])
        if number % 3 == 0:
            client.sendall(os.urandom(100))
        elif number % 3 == 1:
            client.sendall(struct.pack(">BI", frames.STDIN, 5000) + b"cut off")
            # a reset, and no orderly end
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    wait_until("their descriptors to be given back", lambda: _fds(shim) <= base, 30)
    assert engine.containers.get(container.id).state == "running"
    assert _memory_kb(shim) < BOUND_KB


def test_sixty_terminals_that_nobody_reads(engine: Engine, image: str, leaks: Leaks) -> None:
    """Execs whose client has gone go on; their output is thrown away and their terminals are given back."""
    container = _run(engine, image, "exec sleep 1000")
    shim = shim_of(container)
    base = _fds(shim)
    command = ("sh", "-c", "head -c 300000 /dev/zero; exit 3")
    for _ in range(20):
        engine.containers.exec(container.id, ExecRequest(command=command, tty=True)).close()
    wait_until("all of them to have ended", lambda: _fds(shim) <= base, 60)
    ended = [e for e in engine.events.since() if e.actor == container.id and e.action == "exec_die"]
    assert [event.attributes["exitCode"] for event in ended] == ["3"] * 20


def test_a_flood_of_log_lines_keeps_memory_flat_and_rotation_exact(engine: Engine, image: str, leaks: Leaks) -> None:
    options = {"max-size": "1m", "max-file": "3"}
    script = "read go; seq 1 400000; echo finished; exec sleep 1000"
    container = _run(engine, image, script, open_stdin=True, log_options=options)
    shim = shim_of(container)
    with engine.containers.attach(container.id) as typist:
        typist.send(b"\n")
    wait_until(
        "the last line",
        lambda: any(line.text == "finished\n" for line in engine.containers.logs(container.id, tail=1)),
        90,
    )
    assert _memory_kb(shim) < BOUND_KB
    files = [path for path in Path(engine.paths.container(container.id)).iterdir() if path.name.startswith("log.json")]
    assert len(files) == 3
    assert all(path.stat().st_size <= 1 << 20 for path in files)
    kept = [line.text for line in engine.containers.logs(container.id)]
    numbers = [int(text) for text in kept[:-1]]
    assert numbers == list(range(numbers[0], 400001)), "what is kept has no hole"


def test_a_line_without_an_end_and_bytes_that_are_no_text(engine: Engine, image: str, leaks: Leaks) -> None:
    script = "read go; head -c 40000000 /dev/urandom; head -c 40000000 /dev/zero | tr '\\0' y; exit 0"
    container = _run(engine, image, script, open_stdin=True, log_options={"max-size": "4m", "max-file": "2"})
    shim = shim_of(container)
    highest = 0

    def ended() -> bool:
        nonlocal highest
        try:
            highest = max(highest, _memory_kb(shim))
        except (OSError, ValueError):
            return True
        return False

    with engine.containers.attach(container.id) as typist:
        typist.send(b"\n")
    wait_until("80 MB to have been printed", ended, 100)
    assert highest < BOUND_KB
    assert engine.containers.get(container.id).exit_code == 0
    kept = "".join(line.text for line in engine.containers.logs(container.id))
    assert kept.endswith("y" * 100_000)


def test_followers_that_stop_following(pydock: EngineRoot, engine: Engine, image: str, leaks: Leaks) -> None:
    container = _run(engine, image, "while :; do echo tick; sleep 0.005; done")
    shim = shim_of(container)
    base = _fds(shim)
    followers = [pydock.popen("logs", "-f", container.id) for _ in range(6)]
    attached = [pydock.popen("attach", "--no-stdin", container.id) for _ in range(3)]
    watching = [pydock.popen("events"), pydock.popen("stats", container.id)]
    for process in (*followers, *attached):
        assert process.stdout
        assert process.stdout.readline().strip() == b"tick"
    assert _fds(shim) > base
    for process in attached:  # which would pass SIGTERM on to the container
        process.kill()
    for process in (*followers, *watching):
        process.terminate()
    for process in (*followers, *attached, *watching):
        process.wait(60)
    wait_until("their descriptors to be given back", lambda: _fds(shim) <= base, 30)
    assert engine.containers.get(container.id).state == "running"
