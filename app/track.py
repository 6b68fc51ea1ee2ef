"""The use of one container over its life, as far back as the engine keeps it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from .presentation.readings import reading, resample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .presentation.readings import Reading, Sample

POINTS_KEPT = 6 * 3600 // 15 + 15 * 60
"""As long as the engine's own ring: six hours in steps of 15 s and the last 15 minutes second by second."""


class Track:
    """Readings with their times, oldest first; built from the engine's history and carried on by samples."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self.points: deque[tuple[int, Reading]] = deque(maxlen=POINTS_KEPT)
        self.last: Sample | None = None
        for sample in samples:
            self.add(sample)

    def add(self, sample: Sample) -> None:
        """Take the next sample; one that is not newer than the last is ignored."""
        before = self.last
        if before is not None and sample.time_ns <= before.time_ns:
            return
        self.last = sample
        if before is not None:
            self.points.append((sample.time_ns, reading(before, sample)))

    def span_s(self) -> float:
        """Seconds from the first point to the last."""
        return (self.points[-1][0] - self.points[0][0]) / 1e9 if self.points else 0.0

    def series(self, fields: Sequence[str], *, window_s: float, buckets: int, end_ns: int) -> list[list[float]]:
        """For each field of Reading the averages of equal spans of the last `window_s` seconds; NaN for gaps."""
        start_ns = end_ns - int(window_s * 1e9)
        recent: list[tuple[int, Reading]] = []
        for point in reversed(self.points):
            if point[0] < start_ns:
                break
            recent.append(point)
        recent.reverse()
        return [
            resample(
                [(time_ns, float(getattr(value, field))) for time_ns, value in recent],
                end_ns=end_ns,
                window_ns=int(window_s * 1e9),
                buckets=buckets,
            )
            for field in fields
        ]
