"""From cumulative counters to what people read: rates and shares between two samples, and series for graphs."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECOND = 1_000_000_000
NAN = math.nan


class Sample(Protocol):
    """What the engine's stats samples have (cumulative counters, bytes, nanoseconds; -1: unknown)."""

    @property
    def time_ns(self) -> int: ...
    @property
    def cpu_ns(self) -> int: ...
    @property
    def throttled_ns(self) -> int: ...
    @property
    def memory(self) -> int: ...
    @property
    def memory_cache(self) -> int: ...
    @property
    def memory_limit(self) -> int: ...
    @property
    def pids(self) -> int: ...
    @property
    def pids_limit(self) -> int: ...
    @property
    def net_rx(self) -> int: ...
    @property
    def net_tx(self) -> int: ...
    @property
    def blk_read(self) -> int: ...
    @property
    def blk_write(self) -> int: ...
    @property
    def psi_cpu(self) -> float: ...
    @property
    def psi_memory(self) -> float: ...
    @property
    def psi_io(self) -> float: ...


class Reading(NamedTuple):
    """One moment of a container: percent of one CPU, bytes, bytes a second. NaN: not known yet."""

    cpu: float
    memory: int
    memory_limit: int
    pids: int
    pids_limit: int
    rx: float
    tx: float
    read: float
    write: float
    psi_cpu: float
    psi_memory: float
    psi_io: float

    @property
    def memory_percent(self) -> float:
        """Share of the limit; NaN without one."""
        return self.memory / self.memory_limit * 100 if self.memory_limit else NAN


def reading(previous: Sample | None, current: Sample) -> Reading:
    """Rates between two samples; NaN rates for the first, and when counters went back (a restart)."""
    elapsed = (current.time_ns - previous.time_ns) / _SECOND if previous is not None else 0.0

    def speed(name: str) -> float:
        if previous is None or elapsed <= 0:
            return NAN
        before, now = getattr(previous, name), getattr(current, name)
        return NAN if now < before or before < 0 else (now - before) / elapsed

    def known(value: float) -> float:
        return NAN if value < 0 else float(value)

    return Reading(
        cpu=speed("cpu_ns") / _SECOND * 100,
        memory=current.memory,
        memory_limit=current.memory_limit,
        pids=current.pids,
        pids_limit=current.pids_limit,
        rx=speed("net_rx"),
        tx=speed("net_tx"),
        read=speed("blk_read"),
        write=speed("blk_write"),
        psi_cpu=known(current.psi_cpu),
        psi_memory=known(current.psi_memory),
        psi_io=known(current.psi_io),
    )


def readings(samples: Sequence[Sample]) -> list[tuple[int, Reading]]:
    """(time in ns, reading) for each sample but the first, oldest first."""
    result = []
    for previous, current in itertools.pairwise(samples):
        if current.time_ns > previous.time_ns:
            result.append((current.time_ns, reading(previous, current)))
    return result


def resample(points: Sequence[tuple[int, float]], *, end_ns: int, window_ns: int, buckets: int) -> list[float]:
    """Average of the points in each of `buckets` equal spans ending at `end_ns`; NaN where a span is empty.

    A span emptier than the samples are apart (15 s steps in old history) takes the value of the span before it,
    so that coarse history draws as a line and true gaps (the container was stopped) stay gaps.
    """
    sums, counts = [0.0] * buckets, [0] * buckets
    start = end_ns - window_ns
    step = window_ns / buckets
    for time_ns, value in points:
        index = int((time_ns - start) / step)
        if index == buckets and time_ns <= end_ns:
            index -= 1
        if 0 <= index < buckets and value == value:
            sums[index] += value
            counts[index] += 1
    values = [total / number if number else NAN for total, number in zip(sums, counts, strict=True)]
    reach = max(1, math.ceil(16 * _SECOND / step))
    last, age = NAN, reach + 1
    for index, value in enumerate(values):
        if value == value:
            last, age = value, 0
        else:
            age += 1
            if age <= reach and index < buckets - 1:
                values[index] = last
    return values
