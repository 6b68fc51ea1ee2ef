"""`make bench`: measures pydock and its peers in turns and prints a table.

Arguments choose rows: `python -m bench P1 P4`. Nothing here asserts; figures depend on the machine.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from . import crowd, logs, networks, rows
from .stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable

ALL: dict[str, Callable[[Stage], rows.Row | list[rows.Row]]] = {
    "P1": rows.start_latency,
    "P2": rows.run_command,
    "P3": rows.runtime,
    "P4": rows.execute,
    "P5": crowd.start_storm,
    "P6": rows.pull,
    "P8": crowd.sampling,
    "P13": crowd.list_and_memory,
    "P14": logs.written,
    "N": lambda _stage: networks.measured(),
}


def main() -> int:
    chosen = [word.upper() for word in sys.argv[1:]] or list(ALL)
    unknown = [word for word in chosen if word not in ALL]
    if unknown:
        print(f"no such row: {', '.join(unknown)} (there are {', '.join(ALL)})", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("bench: needs root", file=sys.stderr)
        return 1
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    print("preparing images and peers …", flush=True)
    with Stage(large="P6" in chosen) as stage:
        if stage.missing:
            print(f"missing peers: {', '.join(stage.missing)}")
        print(f"{'':4} {'work':38} {'side':12} {'median':>10} {'quartiles':>17}  {'ratio':>6}  goal")
        for key in chosen:
            try:
                result = ALL[key](stage)
            except Exception as error:
                print(f"{key:4} failed: {error}", flush=True)
                continue
            for row in result if isinstance(result, list) else [result]:
                _print(row)
    return 0


def _print(row: rows.Row) -> None:
    ours = row.sides[0].median
    for side in row.sides:
        first = side is row.sides[0]
        ratio = f"{side.median / ours:.1f}x" if ours and not first else ""
        key, work, goal = (row.key, row.work, row.goal) if first else ("", "", "")
        figures = f"{side.median:7.1f} {row.unit:2} {side.low:8.1f}-{side.high:<8.1f}"
        print(f"{key:4} {work:38} {side.name:12} {figures}  {ratio:>6}  {goal}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
