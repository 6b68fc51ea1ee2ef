"""`pydock top`: the processes of a container, with the host's process ids, through ps where it is asked for more."""

from __future__ import annotations

import time

from ..errors import InvalidRequest
from .listing import print_table
from .options import Command, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..models import Process
    from .context import Context
    from .options import Parsed

COLUMNS = ("UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD")


def top(context: Context, options: Parsed) -> int:
    name, *arguments = options.arguments
    if context.remote is not None:
        titles, rows = context.remote.containers.top_table(name, tuple(arguments))
    else:
        titles, rows = ps_table(context.engine.containers.top(name), arguments)
    if options.flag("json"):
        import json

        print(json.dumps([dict(zip(titles, row, strict=False)) for row in rows]))
    else:
        print_table(titles, rows)
    return 0


def ps_table(processes: Sequence[Process], arguments: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """The titles and rows of ps with these options, of these processes alone. Raises `InvalidRequest` with the words
    of ps."""
    if list(arguments) in ([], ["-ef"]):
        return list(COLUMNS), [list(cells(process)) for process in processes]
    import subprocess

    done = subprocess.run(["ps", *arguments], capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise InvalidRequest(f"ps: {' '.join(done.stderr.split())}")
    lines = done.stdout.splitlines()
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise InvalidRequest("Couldn't find PID field in ps output", hint="Add pid to the columns that you ask ps for.")
    place, pids = titles.index("PID"), {str(process.pid) for process in processes}
    rows = [line.split(None, len(titles) - 1) for line in lines[1:]]
    return titles, [row for row in rows if len(row) > place and row[place] in pids]


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
        "CONTAINER [ps OPTIONS]",
        "Display the running processes of a container",
        top,
        (flag("--json", "A list of objects, one a process"),),
        minimum=1,
        interspersed=False,
        aliases=("container top",),
    )
}
