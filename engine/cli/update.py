"""`pydock update`: limits and restart policy of containers, while they run."""

from __future__ import annotations

import sys

from ..errors import EngineError
from .border import refusal
from .create_request import read_resources, read_restart
from .errors import UsageError
from .options import Command, number, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def update(context: Context, options: Parsed) -> int:
    restart = read_restart(options.text("restart")) if options.given("restart") else None
    changes = read_resources(options)
    if not any(options.given(option.name) for option in options.command.options):
        raise UsageError("you must provide one or more flags when using this command", "update", exit_code=1)
    code = 0
    for name in options.arguments:
        try:
            warnings = context.engine.containers.update(name, changes, restart)
        except EngineError as error:
            sys.stderr.write(refusal(error) + "\n")
            code = 1
            continue
        for warning in warnings:
            sys.stderr.write(f"WARNING: {warning}\n")
        print(name)
    return code


COMMANDS = {
    "update": Command(
        "update",
        "CONTAINER [CONTAINER...]",
        "Update configuration of one or more containers",
        update,
        (
            number("--blkio-weight", "N", "Block I/O (relative weight), between 10 and 1000"),
            text("--cpu-period", "US", "Limit CPU CFS (Completely Fair Scheduler) period"),
            text("--cpu-quota", "US", "Limit CPU CFS (Completely Fair Scheduler) quota"),
            number("-c, --cpu-shares", "N", "CPU shares (relative weight)"),
            text("--cpus", "NUMBER", "Number of CPUs, such as 1.5"),
            text("--cpuset-cpus", "LIST", "CPUs in which to allow execution (0-3, 0,1)"),
            text("--cpuset-mems", "LIST", "Memory nodes in which to allow execution (0-3, 0,1)"),
            text("-m, --memory", "BYTES", "Memory limit, such as 64m"),
            text("--memory-reservation", "BYTES", "Memory soft limit"),
            text("--memory-swap", "BYTES", "Memory plus swap; -1 for unlimited swap"),
            number("--pids-limit", "N", "Tune container pids limit (-1 for unlimited)"),
            text("--restart", "POLICY", "no, on-failure[:MAX], always, unless-stopped"),
        ),
        minimum=1,
        aliases=("container update",),
    )
}
