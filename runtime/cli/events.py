"""`events [--stats] [--interval DURATION] ID`: figures of the container's cgroup, and when it ran out of memory.

One JSON object a line. Without --stats it goes on until the container has stopped.
"""

from __future__ import annotations

import json
import os
import re
import select

from ..cgroups import stats
from ..container import Container
from ..errors import WrongStatus
from .options import SWITCH, VALUE, Options, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .main import Context

OPTIONS = {"interval": VALUE, "stats": SWITCH}
USAGE = "ID"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def run(options: Options, context: Context) -> int:
    container = Container.load(context.root, options.one_argument())
    interval_s = parse_duration(options.text("interval", "5s"))
    if not container.status().can_kill:
        raise WrongStatus(f'container not running: "{container.id}"')
    paths = container.cgroup.paths() if container.cgroup is not None else {}
    if options.switch("stats"):
        _show("stats", container.id, stats.read(paths))
        return 0
    pidfd = os.pidfd_open(container.pid)
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    seen_oom = False
    while not poller.poll(interval_s * 1000):
        if not seen_oom and container.cgroup is not None and container.cgroup.oom_killed():
            seen_oom = True
            _show("oom", container.id, None)
        _show("stats", container.id, stats.read(paths))
    if not seen_oom and container.cgroup is not None and container.cgroup.oom_killed():
        _show("oom", container.id, None)
    return 0


def parse_duration(text: str) -> float:
    """Seconds from Go's spelling of a duration: 5s, 1m30s, 500ms."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f'--interval: "{text}" is not a duration')
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds <= 0:
        raise UsageError("--interval: must be above zero")
    return seconds


def _show(kind: str, container_id: str, data: object) -> None:
    event = {"type": kind, "id": container_id}
    print(json.dumps(event if data is None else {**event, "data": data}), flush=True)
