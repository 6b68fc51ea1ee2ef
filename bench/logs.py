"""P14: how fast output becomes a log. A container prints as fast as it can, nobody watches, the log has all of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .measure import Side, alternate, summary
from .rows import Row

if TYPE_CHECKING:
    from .stage import Stage

LINES = 200_000
MEGABYTES = 100
LINE = b"0123456789abcdef" * 6 + b"xyz\n"


def written(stage: Stage) -> list[Row]:
    """From the start to the last line in the file, and what the shim has grown to meanwhile."""
    big = stage.base / "big"
    big.write_bytes(LINE * (MEGABYTES * 10**6 // len(LINE)) + b"end\n")
    works = (
        (f"{LINES} lines", ("seq", "1", str(LINES)), LINES, f"{LINES}"),
        (f"{MEGABYTES} MB", ("cat", "/big"), MEGABYTES * 10**6 // len(LINE) + 1, "end"),
    )
    rows = []
    for work, command, lines, last in works:
        peaks: dict[str, list[float]] = {}
        on_cpu: dict[str, list[float]] = {}
        sides = [_ours(stage, driver, command, big, lines, last, peaks, on_cpu) for driver in ("json-file", "local")]
        if stage.docker:
            sides.append(_theirs(stage, command, big, lines, last, on_cpu))
        rows.append(Row("P14", f"log of {work}", "≥ 2x dockerd's MB/s", alternate(sides, runs=7, warm_ups=1)))
        work_done = [summary(name, values) for name, values in on_cpu.items()]
        rows.append(Row("P14", f"log of {work}: CPU of the engine", "≤ 1/2 of dockerd's", work_done))
        figures = [summary(name, values) for name, values in peaks.items()]
        rows.append(Row("P14", f"log of {work}: peak of the shim", "flat", figures, unit="MB"))
    return rows


def _ours(
    stage: Stage,
    driver: str,
    command: tuple[str, ...],
    big: Path,
    lines: int,
    last: str,
    peaks: dict[str, list[float]],
    on_cpu: dict[str, list[float]],
) -> Side:
    from engine.models import CreateRequest, Mount

    engine = stage.engine

    def act() -> float:
        request = CreateRequest(
            image=stage.small,
            command=("sh", "-c", '"$@"; read -r _', "sh", *command),
            network="none",
            open_stdin=True,
            stdin_once=False,
            log_driver=driver,
            log_options={"max-size": "1g"} if driver == "local" else {},
            mounts=(Mount(type="bind", source=str(big), target="/big", read_only=True),),
        )
        container = engine.containers.create(request)
        began = time.perf_counter()
        engine.containers.start(container.id)
        path = Path(engine.paths.log(container.id))
        _until_written(path, last)
        seconds = time.perf_counter() - began
        shim = _parent(engine.containers.get(container.id).pid)
        peaks.setdefault(driver, []).append(_peak(shim))
        on_cpu.setdefault(f"pydock {driver.removesuffix('-file')}", []).append(_on_cpu_ms([shim]))
        _check(path.read_bytes().count(b"\n"), lines)
        engine.containers.remove(container.id, force=True)
        return seconds

    return Side(f"pydock {driver.removesuffix('-file')}", act)


def _theirs(
    stage: Stage, command: tuple[str, ...], big: Path, lines: int, last: str, on_cpu: dict[str, list[float]]
) -> Side:
    docker = stage.docker
    assert docker is not None

    def act() -> float:
        body = {
            "Image": stage.small,
            "Cmd": ["sh", "-c", '"$@"; read -r _', "sh", *command],
            "OpenStdin": True,
            "HostConfig": {"NetworkMode": "none", "Binds": [f"{big}:/big:ro"]},
        }
        name = docker.api("POST", "/containers/create", body)["Id"]
        before = _on_cpu_ms(docker.pids())
        began = time.perf_counter()
        docker.api("POST", f"/containers/{name}/start")
        path = Path(docker.api("GET", f"/containers/{name}/json")["LogPath"])
        _until_written(path, last)
        seconds = time.perf_counter() - began
        on_cpu.setdefault("dockerd", []).append(_on_cpu_ms(docker.pids()) - before)
        _check(path.read_bytes().count(b"\n"), lines)
        docker.api("DELETE", f"/containers/{name}?force=1")
        return seconds

    return Side("dockerd", act)


def _until_written(path: Path, last: str) -> None:
    while not path.exists() or _last_line(path) != last:
        time.sleep(0.002)


def _last_line(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 400))
        lines = file.read().splitlines()
    if not lines:
        return ""
    if lines[-1].startswith(b"{"):
        try:
            return str(json.loads(lines[-1])["log"]).rstrip("\n")
        except ValueError:
            return ""
    return lines[-1].partition(b" ")[2].decode()


def _check(found: int, wanted: int) -> None:
    if found != wanted:
        raise RuntimeError(f"{found} lines in the log, {wanted} were printed")


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _peak(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1000


def _on_cpu_ms(pids: list[int]) -> float:
    """User and system time of all threads, those that have ended too."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")
