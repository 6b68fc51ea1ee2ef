"""`pydock stats`: what containers use, as a live table or once.

Every container's shim samples once a second into its ring; two samples make a rate. Nothing has to be
measured here, so `--no-stream` answers at once.
"""

from __future__ import annotations

import os
import sys
import time

from ..errors import ContainerNotFound
from . import stats_row
from .listing import print_rows
from .options import Command, flag, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..engine import Engine
    from ..stats.sample import Sample
    from .context import Context
    from .options import Parsed

COLUMNS = (
    ("CONTAINER ID", "ID"),
    ("NAME", "Name"),
    ("CPU %", "CPUPerc"),
    ("MEM USAGE / LIMIT", "MemUsage"),
    ("MEM %", "MemPerc"),
    ("NET I/O", "NetIO"),
    ("BLOCK I/O", "BlockIO"),
    ("PIDS", "PIDs"),
)
HEADINGS = {**{field: title for title, field in COLUMNS}, "Container": "CONTAINER"}
DROP = ("CONTAINER ID", "MEM %", "BLOCK I/O", "PIDS", "NET I/O")  # by a narrow terminal, in this order
FIRM = ("MEM USAGE / LIMIT",)
INTERVAL_S = 1.0
HOME, CLEAR_BELOW, CLEAR_LINE = "\x1b[H", "\x1b[J", "\x1b[K"


def stats(context: Context, options: Parsed) -> int:
    engine = context.engine
    if options.flag("no-stream"):
        seen: dict[str, Sample] = {}
        if context.remote is not None:  # there is no history over there: two readings make a rate
            _rows(engine, options, seen)
            time.sleep(INTERVAL_S)
        _print(_rows(engine, options, seen), options)
        return 0
    live = sys.stdout.isatty() and not options.text("format").startswith("json")
    # what was last read of each container: the next reading is a rate over the time in between
    before: dict[str, Sample] = {}
    first = True
    while True:
        rows = _rows(engine, options, before)
        if live:
            _redraw(rows, options, first)
        else:
            _print(rows, options)
            sys.stdout.flush()
        first = False
        if options.arguments and not rows:
            return 0
        time.sleep(INTERVAL_S)


def _rows(engine: Engine, options: Parsed, before: dict[str, Sample]) -> list[dict[str, str]]:
    rows = []
    if options.arguments:
        containers = [engine.containers.get(name) for name in options.arguments]
    else:
        containers = engine.containers.list(all=options.flag("all"))
    for container in containers:
        live = container.state in ("running", "paused")
        try:
            sample = engine.containers.sample(container.id) if live else None
            earlier = before.get(container.id)
            if sample is not None and (earlier is None or earlier.time_ns == sample.time_ns):
                earlier = _previous(engine, container.id, sample) or earlier
        except ContainerNotFound:
            continue
        rows.append(stats_row.row(container, sample, earlier, whole=options.flag("no-trunc")))
        if sample is not None:
            before[container.id] = sample
    return rows


def _previous(engine: Engine, container_id: str, sample: Sample) -> Sample | None:
    earlier = [old for old in engine.containers.history(container_id) if old.time_ns < sample.time_ns]
    return earlier[-1] if earlier else None


def _print(rows: list[dict[str, str]], options: Parsed, width: int | None = None) -> None:
    format, whole = options.text("format"), options.flag("no-trunc")
    print_rows(rows, COLUMNS, HEADINGS, format=format, drop=DROP, firm=FIRM, whole=whole, width=width)


def _redraw(rows: list[dict[str, str]], options: Parsed, first: bool) -> None:
    """Write over the last table without clearing the screen first, so that nothing flickers."""
    import io

    try:
        columns, lines = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        columns, lines = 80, 24
    out, sys.stdout = sys.stdout, io.StringIO()
    try:
        _print(rows, options, columns)
        text = sys.stdout.getvalue()
    finally:
        sys.stdout = out
    shown = [line[:columns] for line in text.splitlines()[: max(1, lines - 1)]]
    clear = "\x1b[2J" if first else ""
    out.write(clear + HOME + "".join(f"{line}{CLEAR_LINE}\n" for line in shown) + CLEAR_BELOW)
    out.flush()


COMMANDS = {
    "stats": Command(
        "stats",
        "[CONTAINER...]",
        "Display a live stream of container(s) resource usage statistics",
        stats,
        (
            flag("-a, --all", "Show all containers (default shows just running)"),
            text("--format", "FORMAT", "table, json, 'table TEMPLATE' or a Go template"),
            flag("--no-stream", "Disable streaming stats and only pull the first result"),
            flag("--no-trunc", "Do not truncate output"),
        ),
        aliases=("container stats",),
    )
}
