"""Times sides in turns (A B A B …), so that a busy moment of the machine hits all of them alike."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 15
WARM_UPS = 2


@dataclass(frozen=True, slots=True)
class Side:
    """One contender. `act` is timed; `after` undoes it untimed; `act` may return its own seconds instead."""

    name: str
    act: Callable[[], float | None]
    after: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Median and quartiles of one side, in milliseconds (or the unit that the row names)."""

    name: str
    median: float
    low: float
    high: float


def alternate(sides: list[Side], runs: int = RUNS, warm_ups: int = WARM_UPS) -> list[Result]:
    """Run all sides in turns and return their figures, in the order of the sides."""
    taken: dict[str, list[float]] = {side.name: [] for side in sides}
    for turn in range(runs + warm_ups):
        for side in sides:
            started = time.perf_counter()
            own = side.act()
            seconds = time.perf_counter() - started if own is None else own
            if side.after:
                side.after()
            if turn >= warm_ups:
                taken[side.name].append(seconds * 1000)
    return [summary(side.name, taken[side.name]) for side in sides]


def summary(name: str, values: list[float]) -> Result:
    """Median and quartiles of what was taken."""
    if len(values) < 4:
        return Result(name, statistics.median(values), min(values), max(values))
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Result(name, median, low, high)
