"""`pydock logs`: what a container wrote, each stream to its own."""

from __future__ import annotations

import sys

from ..containers.log_options import details_text
from .errors import UsageError
from .options import Command, flag, text
from .units import parse_time, rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def logs(context: Context, options: Parsed) -> int:
    follow, timestamps = options.flag("follow"), options.flag("timestamps")
    lines = context.engine.containers.logs(
        options.arguments[0],
        follow=follow,
        tail=_tail(options.text("tail")),
        since_ns=parse_time(options.text("since"), "--since"),
        until_ns=parse_time(options.text("until"), "--until"),
    )
    details = options.flag("details")
    streams = {"stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}
    for line in lines:
        out = streams.get(line.stream, streams["stdout"])
        # the bytes as they were written: what is no text must come out as it went in
        data = line.text.encode("utf-8", "surrogateescape")
        prefix = f"{rfc3339(line.time_ns)} " if timestamps else ""
        if details:
            prefix += f"{details_text(line.attributes)} "
        out.write(prefix.encode() + data)
        if follow or out is streams["stderr"]:
            out.flush()
    return 0


def _tail(value: str) -> int | None:
    if value in ("", "all"):
        return None
    try:
        count = int(value)
    except ValueError:
        raise UsageError(
            f'invalid argument "{value}" for "-n, --tail" flag: neither a number nor all', "logs"
        ) from None
    return None if count < 0 else count


COMMANDS = {
    "logs": Command(
        "logs",
        "CONTAINER",
        "Fetch the logs of a container",
        logs,
        (
            flag("--details", "Show extra details provided to logs: labels, env and tag of --log-opt"),
            flag("-f, --follow", "Follow log output"),
            text("--since", "TIME", "Show logs since a time (2026-01-02T13:23:37Z) or so long ago (42m)"),
            text("-n, --tail", "N", "Number of lines to show from the end of the logs", default="all"),
            flag("-t, --timestamps", "Show timestamps"),
            text("--until", "TIME", "Show logs before a time (2026-01-02T13:23:37Z) or so long ago (42m)"),
        ),
        minimum=1,
        maximum=1,
        aliases=("container logs",),
    )
}
