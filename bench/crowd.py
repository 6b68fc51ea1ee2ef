"""Rows about many containers at once: starting them, sampling them, listing them, and what they keep in memory."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from .measure import Result, Side, alternate
from .rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from .peers import Docker
    from .stage import Stage

AT_ONCE = 16
SAMPLED = (10, 50)
WATCHED_S = 10
LISTED = 100


def start_storm(stage: Stage) -> list[Row]:
    """P5: 50 and 100 containers with networks, 16 at a time; milliseconds for each."""
    rows = []
    for count in (50, 100):
        started: list[str] = []
        sides = [_storm_side("pydock", count, lambda: _start_ours(stage), started, lambda: _remove_ours(stage))]
        if stage.docker:
            docker = stage.docker
            theirs: list[str] = []
            sides.append(
                _storm_side(
                    "dockerd",
                    count,
                    lambda docker=docker: _start_theirs(stage, docker),  # type: ignore[misc]
                    theirs,
                    lambda docker=docker, theirs=theirs: _remove_theirs(docker, theirs),  # type: ignore[misc]
                )
            )
        runs = alternate(sides, runs=3, warm_ups=1)
        each = [Result(side.name, side.median / count, side.low / count, side.high / count) for side in runs]
        rows.append(Row("P5", f"start {count}, {AT_ONCE} at a time: each", "≥ 10x containers a second", each))
    return rows


def _storm_side(
    name: str, count: int, start: Callable[[], str], started: list[str], remove: Callable[[], object]
) -> Side:
    def storm() -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            started.extend(pool.map(lambda _number: start(), range(count)))

    return Side(name, storm, remove)


def _start_ours(stage: Stage) -> str:
    from engine.models import CreateRequest

    engine = stage.engine
    container = engine.containers.create(CreateRequest(image=stage.small, command=("sleep", "1000")))
    engine.containers.start(container.id)
    return container.id


def _remove_ours(stage: Stage) -> None:
    for container in stage.engine.containers.list(all=True):
        stage.engine.containers.remove(container.id, force=True)


def _start_theirs(stage: Stage, docker: Docker) -> str:
    name: str = docker.api("POST", "/containers/create", {"Image": stage.small, "Cmd": ["sleep", "1000"]})["Id"]
    docker.api("POST", f"/containers/{name}/start")
    return name


def _remove_theirs(docker: Docker, names: list[str]) -> None:
    while names:
        docker.api("DELETE", f"/containers/{names.pop()}?force=1")


def sampling(stage: Stage) -> list[Row]:
    """P8: processor time of a sample, all told, and the whole of `stats --no-stream`."""
    cost, commands = [], []
    theirs: list[str] = []
    running = 0
    for count in SAMPLED:
        while running < count:
            _start_ours(stage)
            running += 1
            if stage.docker:
                theirs.append(_start_theirs(stage, stage.docker))
        time.sleep(2)
        cost.append(_sample_cost(stage, count))
    sides = [Side("pydock", lambda: stage.pydock("stats", "--no-stream"))]
    if stage.docker:
        docker = stage.docker
        sides.append(Side("docker", lambda: docker.cli("stats", "--no-stream")))
    commands = alternate(sides, runs=5, warm_ups=1)
    _remove_ours(stage)
    if stage.docker:
        _remove_theirs(stage.docker, theirs)
    return [
        Row("P8", "one sample of one container: CPU", "≤ 0.2 ms, linear", cost),
        Row("P8", f"stats --no-stream, {SAMPLED[-1]} containers", "≤ 1/10 of docker", commands),
    ]


def _sample_cost(stage: Stage, count: int) -> Result:
    """Time on the processor of all shims, for each container and second: wake-up, reading, writing the ring."""
    pids = _processes(lambda line: str(stage.run_root) in line)
    before = _on_cpu_ns(pids)
    time.sleep(WATCHED_S)
    used_ms = (_on_cpu_ns(pids) - before) / 1e6 / WATCHED_S / count
    return Result(f"of {count}", used_ms, used_ms, used_ms)


def _on_cpu_ns(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        try:
            total += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
        except OSError:
            continue
    return total


def list_and_memory(stage: Stage) -> list[Row]:
    """P13 and P7: `ps` with 100 running containers, and what they keep in memory."""
    ours = [_start_ours(stage) for _ in range(LISTED)]
    sides = [Side("pydock", lambda: stage.pydock("ps"))]
    memory = [_memory("pydock", _processes(lambda line: str(stage.run_root) in line), len(ours))]
    theirs: list[str] = []
    if stage.docker:
        docker = stage.docker
        theirs = [_start_theirs(stage, docker) for _ in range(LISTED)]
        sides.append(Side("docker", lambda: docker.cli("ps")))
        shims = _processes(lambda line: "containerd-shim" in line and str(stage.base) in line)
        memory.append(_memory("docker", [*docker.pids(), *shims], LISTED))
    rows = [
        Row("P13", f"ps, {LISTED} containers", "≤ 40 ms", alternate(sides)),
        Row("P7", "memory a container (PSS)", "≤ 3 MB", memory, unit="MB"),
    ]
    _remove_ours(stage)
    if stage.docker:
        _remove_theirs(stage.docker, theirs)
    return rows


def _processes(wanted: Callable[[str], bool]) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if wanted(line) and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def _memory(name: str, pids: list[int], containers: int) -> Result:
    """Proportional set size of these processes, divided by the containers, in MB."""
    kilobytes = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    each = kilobytes / 1000 / containers
    return Result(name, each, each, each)
