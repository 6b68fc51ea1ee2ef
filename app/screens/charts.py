"""The graphs of one container: which there are, and how a track of readings becomes their series."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from ..presentation.units import count, percent, rate, size
from ..widgets.chart import BrailleChart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from engine.models import Container

    from ..model import Model
    from ..presentation.cells import Role
    from ..track import Track

WINDOWS_S = (60, 120, 180, 300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600)
_MIN_BUCKETS = 16
_ROOMY = 24
"""Cells from which a title has room for limits and units."""


class Metric(NamedTuple):
    """One graph: fields of Reading, colours (the same for a metric everywhere), labels before current values."""

    title: str
    fields: tuple[str, ...]
    roles: tuple[Role, ...]
    labels: tuple[str, ...]
    unit: Callable[[float], str]
    floor: float
    binary: bool = False
    empty: str = "no samples yet"


METRICS: Mapping[str, Metric] = {
    "cpu": Metric("cpu", ("cpu",), ("primary",), (), percent, 10),
    "memory": Metric("mem", ("memory",), ("accent",), (), size, 1 << 20, True),
    "net": Metric("net", ("rx", "tx"), ("success", "warning"), ("↓", "↑"), rate, 1 << 10, True),
    "io": Metric("disk", ("read", "write"), ("secondary", "primary"), ("r ", "w "), rate, 1 << 10, True),
    "pids": Metric("pids", ("pids",), ("secondary",), (), count, 4),
    "psi": Metric(
        "pressure", ("psi_cpu", "psi_io"), ("warning", "error"), ("cpu ", "io "), percent, 5, empty="not measured here"
    ),
}


def make_charts(names: Iterable[str], place: str) -> dict[str, BrailleChart]:
    """New charts for these metrics; `place` makes their ids unique."""
    return {
        name: BrailleChart(
            metric.title,
            roles=metric.roles,
            labels=metric.labels,
            unit=metric.unit,
            floor=metric.floor,
            binary=metric.binary,
            empty=metric.empty,
            id=f"{place}-{name}",
            classes="chart",
        )
        for name, metric in ((name, METRICS[name]) for name in names)
    }


def natural_window(container: Container | None, now_ns: int) -> int:
    """The shortest window that reaches back to the start of the container, in seconds; six hours at most."""
    if container is None or not container.started_ns:
        return WINDOWS_S[0]
    age_s = (now_ns - container.started_ns) / 1e9
    return next((window for window in WINDOWS_S if window >= age_s), WINDOWS_S[-1])


def feed_charts(charts: Mapping[str, BrailleChart], track: Track, container: Container | None, window_s: int) -> None:
    """Give every chart that is in sight its series. Buckets are two a cell, what a braille column can show."""
    now_ns = time.time_ns()
    for name, chart in charts.items():
        width = chart.size.width
        if not chart.is_attached or not width or not chart.is_on_screen:
            continue
        buckets = max(_MIN_BUCKETS, width * 2)
        # Edges of buckets stand still while time goes on: else every tick would average other samples together.
        step_ns = int(window_s * 1e9) // buckets
        end_ns = (now_ns // step_ns + 1) * step_ns
        metric = METRICS[name]
        series = track.series(metric.fields, window_s=window_s, buckets=buckets, end_ns=end_ns)
        current = _short(metric, series) if width < _ROOMY else None
        chart.set_series(series, limit=_limit(name, container), window_s=window_s, current=current)


def _short(metric: Metric, series: list[list[float]]) -> str:
    """The newest values, as short as can be."""
    parts = []
    for number, values in enumerate(series):
        newest = next((value for value in reversed(values[-4:]) if value == value), None)
        if newest is not None:
            label = metric.labels[number] if number < len(metric.labels) else ""
            parts.append(label + metric.unit(newest).removesuffix("/s"))
    return " ".join(parts)


def clear_charts(charts: Mapping[str, BrailleChart]) -> None:
    """Nothing is selected."""
    for chart in charts.values():
        chart.set_series([])


def _limit(name: str, container: Container | None) -> float | None:
    if container is None:
        return None
    resources = container.resources
    if name == "cpu":
        if resources.nano_cpus:
            return resources.nano_cpus / 1e7
        if resources.cpu_quota > 0:
            return resources.cpu_quota / (resources.cpu_period or 100_000) * 100
    if name == "memory" and resources.memory:
        return float(resources.memory)
    if name == "pids" and resources.pids_limit > 0:
        return float(resources.pids_limit)
    return None


def tracked(model: Model, container: Container | None) -> Track | None:
    """The track when it is this container's."""
    return model.track if container is not None and model.track_id == container.id else None
