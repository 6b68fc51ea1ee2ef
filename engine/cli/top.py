"""`pydock top`: the processes of a container, with the host's process ids."""

from __future__ import annotations

import time

from .options import Command
from .table import table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Process
    from .context import Context
    from .options import Parsed

COLUMNS = ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")


def top(context: Context, options: Parsed) -> int:
    processes = context.engine.containers.top(options.arguments[0])
    print(table(COLUMNS, [cells(process) for process in processes]), end="")
    return 0


def cells(process: Process) -> tuple[str, ...]:
    seconds = process.cpu_time_ns // 10**9
    return (
        process.user,
        str(process.pid),
        str(process.ppid),
        f"{process.cpu_percent:.0f}",
        _started(process.started_ns),
        process.tty or "?",
        f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}",
        process.command,
    )


def _started(started_ns: int) -> str:
    started = time.localtime(started_ns // 10**9)
    if started[:3] == time.localtime()[:3]:
        return time.strftime("%H:%M", started)
    return time.strftime("%b%d", started)


COMMANDS = {
    "top": Command(
        "top",
        "CONTAINER",
        "Display the running processes of a container",
        top,
        minimum=1,
        maximum=1,
        aliases=("container top",),
    )
}
