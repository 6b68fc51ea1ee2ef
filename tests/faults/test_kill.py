"""kill -9 of everything that can be killed: nothing that was told is lost, nothing is left over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.containers.locks import shim_alive
from engine.engine import Engine
from engine.models import Container, CreateRequest
from engine.zygote.standby import Standby

from ..support.engine import wait_until

pytestmark = pytest.mark.root


def _run(engine: Engine, image: str, script: str, **options: object) -> Container:
    request = CreateRequest(image=image, command=("sh", "-c", script), **options)  # type: ignore[arg-type]
    container = engine.containers.create(request)
    engine.containers.start(container.id)
    return engine.containers.get(container.id)


def _parent(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat[stat.rindex(")") :].split()[2])


def _shim_pid(container: Container) -> int:
    return _parent(container.pid)


def _gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while os.path.exists(f"/proc/{pid}"):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


HOST = """
import sys
from engine.engine import Engine
from engine.models import CreateRequest
engine = Engine(sys.argv[1], sys.argv[2])
for name in ("one", "two", "three"):
    script = "sleep 1000"
    if name == "one":
        script = "i=0; while [ $i -lt 40 ]; do echo line $i; i=$((i+1)); sleep 0.02; done; exit 6"
    made = engine.containers.create(CreateRequest(image=sys.argv[3], name=name, command=("sh", "-c", script)))
    engine.containers.start(made.id)
print("ready", flush=True)
sys.stdin.read()
"""


def test_containers_logs_and_exit_codes_survive_their_host(engine: Engine, image: str) -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, engine.paths.root, engine.paths.run_root, image],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert host.stdout
    assert host.stdout.readline() == "ready\n"
    host.send_signal(signal.SIGKILL)
    host.wait()
    assert engine.containers.wait("one") == 6
    assert [line.text for line in engine.containers.logs("one")] == [f"line {n}\n" for n in range(40)]
    for name in ("two", "three"):
        container = engine.containers.get(name)
        assert container.state == "running"
        assert os.path.exists(f"/proc/{container.pid}")
        engine.containers.stop(name, 0)


def test_a_killed_zygote_is_replaced(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep 1000")
    zygote = _parent(_shim_pid(container))
    assert Path(f"/proc/{zygote}/comm").read_text().startswith("pydock-zygote")
    os.kill(zygote, signal.SIGKILL)
    assert _gone(zygote)
    assert engine.containers.get(container.id).state == "running"
    other = _run(engine, image, "exit 0")
    assert engine.containers.wait(other.id) == 0
    engine.containers.stop(container.id, 0)


def _standby(engine: Engine) -> int:
    """The shim that waits for the next start of this engine."""
    found: list[int] = []

    def look() -> list[int]:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "comm").read_text() == "pydock-standby\n":
                    command = (folder / "cmdline").read_bytes().decode()
                    found.extend([int(folder.name)] if engine.paths.run_root in command else [])
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found

    wait_until("a shim that waits ready", look)
    return found[0]


def test_the_shim_that_waits_ready_takes_the_next_start(engine: Engine, image: str) -> None:
    engine.containers.wait(_run(engine, image, "exit 0").id)
    waiting = _standby(engine)
    container = _run(engine, image, "sleep 1000")
    assert _shim_pid(container) == waiting
    engine.containers.stop(container.id, 0)


def test_without_the_shim_that_waits_ready_a_start_goes_on(engine: Engine, image: str) -> None:
    engine.containers.wait(_run(engine, image, "exit 0").id)
    waiting = _standby(engine)
    os.kill(waiting, signal.SIGKILL)
    assert _gone(waiting)
    container = _run(engine, image, "exit 4")
    assert engine.containers.wait(container.id) == 4


def test_a_shim_killed_before_it_read_its_request_is_no_harm_to_the_zygote() -> None:
    before = set(_children())
    standby = Standby(lambda: os.kill(os.getpid(), signal.SIGSTOP), None)
    (child,) = set(_children()) - before
    os.waitpid(child, os.WUNTRACED)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert standby.take(theirs)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert standby.lesson() is None


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def test_the_shim_that_waits_ready_goes_with_its_zygote(engine: Engine, image: str) -> None:
    engine.containers.wait(_run(engine, image, "exit 0").id)
    waiting = _standby(engine)
    os.kill(_parent(waiting), signal.SIGKILL)
    assert _gone(waiting)


def test_a_killed_shim_takes_its_container_with_it_and_is_settled(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep 1000")
    os.kill(_shim_pid(container), signal.SIGKILL)
    assert _gone(container.pid)
    with Engine(engine.paths.root, engine.paths.run_root) as other:
        settled = other.containers.get(container.id)
    assert (settled.state, settled.exit_code, settled.pid) == ("exited", 137, 0)
    assert [event.action for event in engine.events.since() if event.actor == container.id].count("die") == 1
    assert engine.store.query("SELECT * FROM endpoints") == []
    engine.containers.start(container.id)
    assert engine.containers.get(container.id).state == "running"
    engine.containers.remove(container.id, force=True)


def test_init_killed_from_the_host_is_seen_at_once(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep 1000")
    os.kill(container.pid, signal.SIGKILL)
    assert engine.containers.wait(container.id) == 137
    assert engine.containers.get(container.id).signal == signal.SIGKILL


def test_a_reboot_is_settled(engine: Engine, image: str) -> None:
    """All processes killed and the run root emptied, the data root kept."""
    kept = _run(engine, image, "sleep 1000", name="kept")
    removed = _run(engine, image, "sleep 1000", name="removed", auto_remove=True)
    for container in (kept, removed):
        os.kill(_shim_pid(container), signal.SIGKILL)
        assert _gone(container.pid)
    subprocess.run(["rm", "-rf", engine.paths.run_root], check=True)
    with Engine(engine.paths.root, engine.paths.run_root) as other:
        assert [(c.name, c.state, c.exit_code) for c in other.containers.list(all=True)] == [("kept", "exited", 255)]
        other.containers.start("kept")
        assert other.containers.get("kept").state == "running"
        other.containers.remove("kept", force=True)


def test_a_start_goes_on_when_its_host_is_killed_at_any_moment(engine: Engine, image: str) -> None:
    script = (
        "import sys\nfrom engine.engine import Engine\nfrom engine.models import CreateRequest\n"
        "engine = Engine(sys.argv[1], sys.argv[2])\nprint('go', flush=True)\n"
        "made = engine.containers.create(CreateRequest(image=sys.argv[3], command=('sleep', '1000')))\n"
        "engine.containers.start(made.id)\n"
    )
    for delay_ms in (0, 2, 4, 6, 8, 10, 12, 15, 20, 25, 30, 40):
        host = subprocess.Popen(
            [sys.executable, "-c", script, engine.paths.root, engine.paths.run_root, image],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert host.stdout
        assert host.stdout.readline() == "go\n"
        time.sleep(delay_ms / 1000)
        host.kill()
        host.wait()
    deadline = time.monotonic() + 40
    while any(c.state == "created" and shim_alive(engine.paths, c.id) for c in engine.containers.list(all=True)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with Engine(engine.paths.root, engine.paths.run_root) as other:
        for container in other.containers.list(all=True):
            assert container.state in ("created", "running")
            assert (container.state == "running") == os.path.exists(f"/proc/{container.pid or 'none'}")
            other.containers.remove(container.id, force=True)
        assert other.store.query("SELECT * FROM endpoints") == []
    assert os.listdir(engine.paths.containers) == []
