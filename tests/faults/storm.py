"""Processes that do random things to the same few containers, and what each of them was answered.

As a program (`python -m tests.faults.storm ROOT RUN_ROOT IMAGE SECONDS SEED`) it is one of them.
"""

from __future__ import annotations

import collections
import json
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Callable

from engine.engine import Engine
from engine.errors import Conflict, NotFound, StartFailed
from engine.models import CreateRequest, ExecRequest, PortMapping, RestartPolicy
from tests.support.engine import REPOSITORY

NAMES = ("storm-a", "storm-b", "storm-c", "storm-d")
PATIENCE_S = 120
"""Of the whole storm beyond its time: a process that is not back by then hangs."""


class Result:
    """`answers` counts operations by what came of them, `broken` has the tracebacks of what may not be, `slowest` the
    seconds of the longest answer."""

    def __init__(self) -> None:
        self.answers: collections.Counter[str] = collections.Counter()
        self.broken: list[str] = []
        self.slowest: dict[str, float] = {}

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {count}" for name, count in sorted(self.answers.items()))
        worst = max(self.slowest.items(), key=lambda item: item[1], default=("", 0.0))
        return f"{sum(self.answers.values())} operations: {parts}; the longest answer: {worst[0]} {worst[1]:.1f} s"


def storm(root: str, run_root: str, image: str, *, processes: int, seconds: float) -> Result:
    """Let it rage, and collect. Raises subprocess.TimeoutExpired when somebody waits for ever."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.faults.storm", root, run_root, image, str(seconds), str(seed)],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(processes)
    ]
    result = Result()
    deadline = time.monotonic() + seconds + PATIENCE_S
    try:
        for process in started:
            output, errors = process.communicate(timeout=max(1.0, deadline - time.monotonic()))
            if process.returncode or not output:
                result.broken.append(f"exit {process.returncode}: {errors}")
                continue
            told = json.loads(output)
            result.answers.update(told["answers"])
            result.broken += told["broken"]
            for name, longest in told["slowest"].items():
                result.slowest[name] = max(longest, result.slowest.get(name, 0.0))
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
                process.wait()
    return result


def _operations(engine: Engine, image: str, dice: random.Random) -> dict[str, Callable[[str], object]]:
    containers = engine.containers

    def create(name: str) -> object:
        request = CreateRequest(
            image=image,
            name=name,
            command=("sh", "-c", dice.choice(("exec sleep 1000", "sleep 0.2; exit 3", "echo x; exit 0"))),
            auto_remove=dice.random() < 0.2,
            network=dice.choice(("none", "bridge")),
            restart=RestartPolicy(name=dice.choice(("no", "no", "always", "on-failure"))),
        )
        if request.auto_remove:
            request = request.replace(restart=RestartPolicy())
        if request.network == "bridge":
            request = request.replace(ports=(PortMapping(container_port=80),))
        return containers.create(request)

    def execute(name: str) -> None:
        with containers.exec(name, ExecRequest(command=("true",))) as session:
            for _frame in session.frames():
                pass

    def attach(name: str) -> None:
        with containers.attach(name) as session:
            session.wait_readable(0.05)

    return {
        "create": create,
        "start": containers.start,
        "stop": lambda name: containers.stop(name, 0),
        "kill": containers.kill,
        "restart": lambda name: containers.restart(name, 0),
        "pause": containers.pause,
        "unpause": containers.unpause,
        "remove": lambda name: containers.remove(name, force=True),
        "exec": execute,
        "attach": attach,
        "logs": lambda name: list(containers.logs(name, tail=5)),
        "inspect": containers.inspect,
        "list": lambda _name: containers.list(all=True),
        "samples": lambda _name: containers.samples(),
        "top": containers.top,
        "rename": lambda name: containers.rename(name, dice.choice(NAMES)),
    }


def _rage(root: str, run_root: str, image: str, seconds: float, seed: int) -> None:
    dice = random.Random(seed)
    result = Result()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with Engine(root, run_root) as engine:  # now and then anew: opening settles what is left
            operations = _operations(engine, image, dice)
            for _ in range(20):
                name, action = dice.choice(list(operations.items()))
                began = time.monotonic()
                try:
                    action(dice.choice(NAMES))
                    result.answers["done"] += 1
                except (Conflict, NotFound, StartFailed) as error:
                    result.answers[type(error).__name__] += 1
                except Exception:
                    result.answers["broken"] += 1
                    result.broken.append(f"{name}: {traceback.format_exc()}")
                took = time.monotonic() - began
                result.slowest[name] = max(took, result.slowest.get(name, 0.0))
                if time.monotonic() > end:
                    break
    print(json.dumps({"answers": result.answers, "broken": result.broken, "slowest": result.slowest}))


if __name__ == "__main__":
    _rage(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), int(sys.argv[5]))
