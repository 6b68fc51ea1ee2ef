"""`ps [--format table|json] ID [ps options]`: the container's processes, by host pid."""

from __future__ import annotations

import os

from ..container import Container
from ..errors import RuntimeFault
from ..jsontext import dumps
from .options import VALUE, Options, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context

OPTIONS = {"format": VALUE}
ALIASES = {"f": "format"}
USAGE = "ID [ps options]"


def run(options: Options, context: Context) -> int:
    output = options.text("format", "table")
    if output not in ("table", "json"):
        raise UsageError(f'--format: "{output}" is not table or json')
    if not options.arguments:
        raise UsageError("container id missing")
    container = Container.load(context.root, options.arguments[0])
    pids = container.cgroup.pids() if container.cgroup is not None else [container.pid]
    if output == "json":
        print(dumps(sorted(pids)))
        return 0
    lines = _host_ps(options.arguments[1:] or ["-ef"])
    try:
        column = lines[0].split().index("PID")
    except (IndexError, ValueError):
        raise RuntimeFault("ps prints no PID column with these options") from None
    print(lines[0])
    for line in lines[1:]:
        fields = line.split()
        if len(fields) > column and fields[column].isdecimal() and int(fields[column]) in pids:
            print(line)
    return 0


def _host_ps(arguments: list[str]) -> list[str]:
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.posix_spawnp("ps", ["ps", *arguments], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1)])
    except FileNotFoundError:
        raise RuntimeFault("the host has no ps", hint="Use --format json, or install procps.") from None
    finally:
        os.close(writer)
    with open(reader, encoding="utf-8", errors="replace") as file:
        text = file.read()
    _pid, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeFault(f"ps {' '.join(arguments)} failed")
    return text.splitlines()
