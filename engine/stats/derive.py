"""From samples to what people read: percentages, rates, smoothed lines. Pure functions."""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NamedTuple

    from .sample import Sample

    class Rates(NamedTuple):
        """Bytes a second between two samples."""

        net_rx: float
        net_tx: float
        blk_read: float
        blk_write: float

else:
    Rates = namedtuple("Rates", "net_rx net_tx blk_read blk_write")


def cpu_percent(previous: Sample, current: Sample, ncpu: int) -> float:
    """Docker's percentage: 100 is one core busy all the time, so at most 100 * ncpu."""
    return _cpu(current.cpu_ns - previous.cpu_ns, previous, current, ncpu)


def cpu_user_system(previous: Sample, current: Sample, ncpu: int) -> tuple[float, float]:
    """`cpu_percent` split into the program's own time and the kernel's."""
    return (
        _cpu(current.cpu_user_ns - previous.cpu_user_ns, previous, current, ncpu),
        _cpu(current.cpu_system_ns - previous.cpu_system_ns, previous, current, ncpu),
    )


def throttled_percent(previous: Sample, current: Sample) -> float:
    """How much of the time the container wanted to run and its CPU limit did not let it; can exceed 100 where
    several of its threads wait."""
    elapsed = current.time_ns - previous.time_ns
    waited = current.throttled_ns - previous.throttled_ns
    return 100 * waited / elapsed if elapsed > 0 and waited > 0 else 0.0


def memory_percent(sample: Sample, host_memory: int) -> float:
    """Of the container's limit, or of the host's memory (bytes) when it has none or a larger one."""
    limit = sample.memory_limit
    whole = min(limit, host_memory) if limit and host_memory else limit or host_memory
    return 100 * sample.memory / whole if whole else 0.0


def rates(previous: Sample, current: Sample) -> Rates:
    """Bytes a second. A total that fell belongs to a new start and counts from 0."""
    elapsed_s = (current.time_ns - previous.time_ns) / 1e9
    if elapsed_s <= 0:
        return Rates(0.0, 0.0, 0.0, 0.0)

    def rate(before: int, now: int) -> float:
        return (now - before if now >= before else now) / elapsed_s

    return Rates(
        rate(previous.net_rx, current.net_rx),
        rate(previous.net_tx, current.net_tx),
        rate(previous.blk_read, current.blk_read),
        rate(previous.blk_write, current.blk_write),
    )


def moving_average(points: Sequence[tuple[int, float]], window_s: float = 5.0) -> list[float]:
    """For each (time_ns, value), oldest first, the mean of the values in the window that ends there."""
    window_ns = int(window_s * 1e9)
    averages = []
    first = 0
    total = 0.0
    for index, (time_ns, value) in enumerate(points):
        total += value
        while points[first][0] <= time_ns - window_ns:
            total -= points[first][1]
            first += 1
        averages.append(total / (index - first + 1))
    return averages


def _cpu(used_ns: int, previous: Sample, current: Sample, ncpu: int) -> float:
    elapsed = current.time_ns - previous.time_ns
    if elapsed <= 0 or used_ns <= 0:
        return 0.0
    return min(100 * used_ns / elapsed, 100.0 * ncpu)
