"""The rows of the table: what is done, by whom, and what the goal is."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .measure import Result, Side, alternate
from .peers import find, run
from .stage import PODMAN_RUN

if TYPE_CHECKING:
    from collections.abc import Callable

    from .stage import Stage

LISTED = 100
_numbers = itertools.count(1)


class Row:
    """A finished row. `sides`: ours first."""

    def __init__(self, key: str, work: str, goal: str, sides: list[Result], unit: str = "ms") -> None:
        self.key = key
        self.work = work
        self.goal = goal
        self.sides = sides
        self.unit = unit


def start_latency(stage: Stage) -> Row:
    """P1: create and start until the program runs."""
    from engine.models import CreateRequest, Resources

    engine = stage.engine
    made: list[str] = []

    def ours() -> None:
        request = CreateRequest(
            image=stage.small, command=("sleep", "100"), resources=Resources(memory=64 << 20), network="bridge"
        )
        made.append(engine.containers.create(request).id)
        engine.containers.start(made[-1])

    sides = [Side("pydock", ours, lambda: engine.containers.remove(made.pop(), force=True))]
    if stage.docker:
        docker = stage.docker
        theirs: list[str] = []

        def peer() -> None:
            body = {"Image": stage.small, "Cmd": ["sleep", "100"], "HostConfig": {"Memory": 64 << 20}}
            theirs.append(docker.api("POST", "/containers/create", body)["Id"])
            docker.api("POST", f"/containers/{theirs[-1]}/start")

        sides.append(Side("dockerd", peer, lambda: docker.api("DELETE", f"/containers/{theirs.pop()}?force=1")))
    return Row("P1", "create + start, bridge, memory limit", "≤ 1/10 of dockerd, ≤ 15 ms", alternate(sides))


def run_command(stage: Stage) -> Row:
    """P2: the whole command."""
    sides = [Side("pydock", lambda: stage.pydock("run", "--rm", stage.small, "true"))]
    if stage.docker:
        docker = stage.docker
        sides.append(Side("docker", lambda: docker.cli("run", "--rm", stage.small, "true")))
    if stage.podman:
        podman = stage.podman
        sides.append(Side("podman", lambda: run([*podman, *PODMAN_RUN, stage.small, "true"])))
    return Row("P2", "run --rm IMAGE true", "≤ 1/4 of docker", alternate(sides))


def runtime(stage: Stage) -> Row:
    """P3: the runtimes, cold."""
    from .bundle import make_bundle

    bundle = make_bundle(stage.base / "bundle")

    def runtime_side(name: str, *program: str) -> Side:
        return Side(
            name,
            lambda: run(
                [*program, "--root", stage.base / f"root-{name}", "run", "--bundle", bundle, f"b{next(_numbers)}"]
            ),
        )

    ours = str(Path(sys.executable).with_name("pydock-runc"))
    sides = [runtime_side("pydock-runc", ours)]
    for name in ("runc", "crun"):
        path = find(name)
        if path is None:
            continue
        side = runtime_side(name, path)
        try:
            side.act()
        except RuntimeError as error:
            print(f"{name} does not run here: {str(error).splitlines()[-1]}", flush=True)
        else:
            sides.append(side)
    return Row("P3", "OCI runtime alone: run true", "≤ runc", alternate(sides))


def execute(stage: Stage) -> list[Row]:
    """P4: exec of `true`, through the API and the command."""
    from engine.models import CreateRequest, ExecRequest

    engine = stage.engine
    container = engine.containers.create(CreateRequest(image=stage.small, command=("sleep", "1000")))
    engine.containers.start(container.id)

    def ours() -> None:
        with engine.containers.exec(container.id, ExecRequest(command=("true",))) as session:
            for _ in session.frames():
                pass

    api = [Side("pydock", ours)]
    cli = [Side("pydock", lambda: stage.pydock("exec", container.id, "true"))]
    if stage.docker:
        docker = stage.docker
        other = docker.api("POST", "/containers/create", {"Image": stage.small, "Cmd": ["sleep", "1000"]})["Id"]
        docker.api("POST", f"/containers/{other}/start")

        def peer() -> None:
            made = docker.api(
                "POST", f"/containers/{other}/exec", {"Cmd": ["true"], "AttachStdout": True, "AttachStderr": True}
            )
            docker.api("POST", f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False})

        api.append(Side("dockerd", peer))
        cli.append(Side("docker", lambda: docker.cli("exec", other, "true")))
    rows = [
        Row("P4", "exec true, API", "≤ 1/8 of dockerd", alternate(api)),
        Row("P4", "exec true, command", "≤ docker", alternate(cli)),
    ]
    engine.containers.remove(container.id, force=True)
    if stage.docker:
        stage.docker.api("DELETE", f"/containers/{other}?force=1")
    return rows


def pull(stage: Stage) -> Row:
    """P6: a large image from a registry on loopback."""
    reference = stage.large
    sides = [
        Side("pydock", lambda: stage.pydock("pull", "-q", reference), lambda: stage.pydock("rmi", "-f", reference))
    ]
    if stage.docker:
        docker = stage.docker
        sides.append(
            Side("docker", lambda: docker.cli("pull", "-q", reference), lambda: docker.cli("rmi", "-f", reference))
        )
    if stage.podman:
        podman = stage.podman
        sides.append(
            Side(
                "podman",
                lambda: run([*podman, "pull", "-q", "--tls-verify=false", reference]),
                lambda: run([*podman, "rmi", "-f", reference]),
            )
        )
    return Row("P6", "pull, 9 layers", "≥ 2x the fastest", alternate(sides, runs=5, warm_ups=1))


def list_and_memory(stage: Stage) -> list[Row]:
    """P13 and P7: `ps` with 100 running containers, and what they keep in memory."""
    from engine.models import CreateRequest

    engine = stage.engine
    ours = []
    for _ in range(LISTED):
        ours.append(engine.containers.create(CreateRequest(image=stage.small, command=("sleep", "1000"))).id)
        engine.containers.start(ours[-1])
    sides = [Side("pydock", lambda: stage.pydock("ps"))]
    memory = [_memory("pydock", _processes(lambda line: str(stage.run_root) in line), LISTED)]
    if stage.docker:
        docker = stage.docker
        body = {"Image": stage.small, "Cmd": ["sleep", "1000"]}
        theirs = [docker.api("POST", "/containers/create", body)["Id"] for _ in range(LISTED)]
        for name in theirs:
            docker.api("POST", f"/containers/{name}/start")
        sides.append(Side("docker", lambda: docker.cli("ps")))
        shims = _processes(lambda line: "containerd-shim" in line and str(stage.base) in line)
        memory.append(_memory("docker", [*docker.pids(), *shims], LISTED))
    rows = [
        Row("P13", f"ps, {LISTED} containers", "≤ 40 ms", alternate(sides)),
        Row("P7", "memory a container (PSS)", "≤ 3 MB", memory, unit="MB"),
    ]
    for name in ours:
        engine.containers.remove(name, force=True)
    if stage.docker:
        for name in theirs:
            stage.docker.api("DELETE", f"/containers/{name}?force=1")
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
