"""What takes minutes: `make soak`. Each prints its figures; assertions are on what must hold, never on a time."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.models import CreateRequest
from tests.faults.machine import Leaks, gone, processes, settled
from tests.faults.storm import storm
from tests.support.engine import EngineRoot, wait_until

pytestmark = pytest.mark.root

SECONDS = float(os.environ.get("PYDOCK_SOAK_S", "60"))
IDLE = int(os.environ.get("PYDOCK_SOAK_IDLE", "500"))
RUNS = int(os.environ.get("PYDOCK_SOAK_RUNS", "1000"))


@pytest.fixture
def leaks(engine: Engine) -> Iterator[Leaks]:
    found = Leaks(engine)
    yield found
    found.note()
    for container in engine.containers.list(all=True):
        engine.containers.remove(container.id, force=True, volumes=True)
    found.check()


@pytest.mark.timeout(900)
def test_sixteen_processes_do_random_things_for_a_minute(
    engine: Engine, image: str, leaks: Leaks, capsys: pytest.CaptureFixture[str]
) -> None:
    result = storm(engine.paths.root, engine.paths.run_root, image, processes=16, seconds=SECONDS)
    with capsys.disabled():
        print(f"\nstorm of 16 processes, {SECONDS:g} s: {result}")
    assert result.broken == [], result.broken[0]
    settled(engine)


@pytest.mark.timeout(3600)
def test_five_hundred_idle_containers(
    pydock: EngineRoot, engine: Engine, image: str, leaks: Leaks, capsys: pytest.CaptureFixture[str]
) -> None:
    def timed(what: str, action: Callable[[], object]) -> None:
        began, used = time.monotonic(), _used_s()
        action()
        figures.append(f"{what} {time.monotonic() - began:.2f} s ({_used_s() - used:.2f} s CPU here)")

    figures: list[str] = []
    ids: list[str] = []

    def make(_number: int) -> None:
        made = engine.containers.create(CreateRequest(image=image, command=("sleep", "100000")))
        engine.containers.start(made.id)
        ids.append(made.id)

    def start_all() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(make, range(IDLE)))

    timed(f"{IDLE} created and started", start_all)
    assert len(set(ids)) == IDLE
    addresses = {row.endpoints[0].address for row in engine.containers.list()}
    assert len(addresses) == IDLE
    timed("listed", lambda: engine.containers.list(all=True))
    timed("pydock ps", lambda: pydock.ok("ps", "-q"))
    assert len(pydock.ok("ps", "-q").split()) == IDLE
    wait_until("a sample of each", lambda: len(engine.containers.samples()) == IDLE, 60)
    timed("sampled", engine.containers.samples)
    timed("pydock stats --no-stream", lambda: pydock.ok("stats", "--no-stream"))
    shims = processes(engine.paths)
    figures.append(f"memory of all shims {_proportional_kb(shims) / 1024 / IDLE:.2f} MB a container")
    before = _cpu_of(shims)
    time.sleep(10)
    figures.append(f"CPU of all shims {10 * (_cpu_of(shims) - before):.1f} % of a core")
    pids = [row.pid for row in engine.containers.list()]

    def stop_all() -> None:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda made: engine.containers.stop(made, 1), ids))

    timed("stopped", stop_all)
    assert {row.state for row in engine.containers.list(all=True)} == {"exited"}
    assert all(gone(pid) for pid in pids)
    with capsys.disabled():
        print(f"\n{IDLE} idle containers: " + "; ".join(figures))


@pytest.mark.timeout(3600)
def test_a_thousand_runs_with_a_port_leave_everything_flat(
    pydock: EngineRoot, engine: Engine, image: str, leaks: Leaks, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_number: int) -> None:
        pydock.ok("run", "--rm", "-p", "80", "toolbox", "true")

    def zygote() -> int:
        for pid in processes(engine.paths):
            if Path(f"/proc/{pid}/comm").read_text().startswith("pydock-zygote"):
                return pid
        raise AssertionError("no zygote")

    def figures() -> tuple[int, int, int]:
        pid = zygote()
        status = Path(f"/proc/{pid}/status").read_text()
        memory_kb = int(status[status.index("VmRSS:") :].split()[1])
        engine.store.query("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(os.listdir(f"/proc/{pid}/fd")), memory_kb, os.path.getsize(engine.paths.database)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(50)))
        leaks.check()
        began, before = time.monotonic(), figures()
        list(pool.map(run, range(RUNS)))
    took = time.monotonic() - began
    leaks.check()
    after = figures()
    with capsys.disabled():
        print(
            f"\n{RUNS} x run --rm -p, 4 at a time: {took:.1f} s; the zygote's descriptors {before[0]} -> {after[0]}, "
            f"its memory {before[1]} -> {after[1]} kB; the database {before[2] >> 10} -> {after[2] >> 10} kB"
        )
    assert after[0] == before[0]
    assert after[1] < before[1] * 1.05 + 500
    assert after[2] < 16 << 20, "events are kept to a number"


def _used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime + children.ru_utime + children.ru_stime


def _cpu_of(pids: list[int]) -> float:
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _proportional_kb(pids: list[int]) -> int:
    command = ["awk", "/^Pss:/{kb+=$2} END{print kb}", *(f"/proc/{pid}/smaps_rollup" for pid in pids)]
    return int(subprocess.check_output(command))
