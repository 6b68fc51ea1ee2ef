"""The rows of the table: what is done, by whom, and what the goal is."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .measure import Result, Side, alternate
from .peers import find, run
from .stage import PODMAN_RUN

if TYPE_CHECKING:
    from .stage import Stage

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
