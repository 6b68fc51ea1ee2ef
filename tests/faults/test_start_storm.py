"""kill -9 in a storm of twenty starts: of the host, of the zygote, of both. Each container runs or is not started, none
is half made; and the next storm goes through."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from engine.engine import Engine
from tests.faults.machine import Leaks, processes, settled
from tests.faults.points import end_zygotes
from tests.support.engine import wait_until

pytestmark = pytest.mark.root

HOST = """
import sys, threading
from engine.engine import Engine
from engine.errors import EngineError
from engine.models import CreateRequest, PortMapping
engine = Engine(sys.argv[1], sys.argv[2])
made = [engine.containers.create(CreateRequest(image=sys.argv[3], name=f"storm{number}", command=("sleep", "1000"),
    ports=(PortMapping(container_port=80),))).id for number in range(20)]
def start(container_id):
    try:
        engine.containers.start(container_id)
    except EngineError as error:
        print(error.message, flush=True)
threads = [threading.Thread(target=start, args=(one,)) for one in made]
print("go", flush=True)
for thread in threads: thread.start()
for thread in threads: thread.join()
print("all", flush=True)
"""


@pytest.mark.parametrize("victim", ["host", "zygote", "both"])
def test_a_kill_in_the_middle_leaves_none_half_made(engine: Engine, image: str, leaks: Leaks, victim: str) -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, engine.paths.root, engine.paths.run_root, image],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert host.stdout
    assert host.stdout.readline() == "go\n"
    wait_until("some of them to run", lambda: len(engine.containers.list()) >= 4, 60)
    if victim != "zygote":
        host.kill()
    if victim != "host":
        end_zygotes(engine.paths)
    told = host.stdout.read().splitlines()
    host.wait()
    rows = settled(engine)
    assert len(rows) == 20
    running = [row for row in rows if row.state == "running"]
    assert len(running) >= 4
    assert {row.state for row in rows} <= {"running", "created"}
    if victim == "zygote":  # the host lives: what could not be started was told, and tried with a new zygote before
        assert told[-1] == "all"
        assert len(running) + len(told) - 1 == 20
    ports = [port.host_port for row in running for endpoint in row.endpoints for port in endpoint.ports]
    addresses = [endpoint.address for row in running for endpoint in row.endpoints]
    assert len(set(ports)) == len(ports) == len(running)
    assert len(set(addresses)) == len(running)
    for row in rows:
        engine.containers.start(row.id)
    assert {row.state for row in engine.containers.list(all=True)} == {"running"}


def test_everything_of_the_engine_killed_while_a_zygote_comes_up(engine: Engine, image: str, leaks: Leaks) -> None:
    """Killed at any moment of its own start, too."""
    words = [sys.executable, "-c", HOST.replace("range(20)", "range(2)"), engine.paths.root, engine.paths.run_root]
    for delay_ms in (0, 5, 10, 20, 40, 60):
        end_zygotes(engine.paths)
        host = subprocess.Popen([*words, image], stdout=subprocess.PIPE, text=True)
        assert host.stdout
        assert host.stdout.readline() == "go\n"
        time.sleep(delay_ms / 1000)
        for pid in processes(engine.paths):
            if pid != host.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        host.communicate(timeout=60)
        for row in settled(engine):
            engine.containers.remove(row.id, force=True)
