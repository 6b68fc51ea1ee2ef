"""The model's figures: rates for rows, series for graphs, gaps where nothing ran."""

from __future__ import annotations

import math

from app.model import Model, Snapshot
from app.track import Track
from engine.models import Container
from engine.stats.sample import Sample
from tests.support.fake_engine import SECOND, FakeSample

NOW = 1_800_000_000 * SECOND


def samples(seconds: range, cpu: float = 0.5) -> list[Sample]:
    return [Sample(*FakeSample(time_ns=NOW + second * SECOND, cpu_ns=int(second * cpu * SECOND))) for second in seconds]


def test_a_series_is_the_rate_and_nan_before_birth() -> None:
    track = Track(samples(range(1000, 1031)))
    (cpu,) = track.series(["cpu"], window_s=60, buckets=60, end_ns=NOW + 1031 * SECOND)
    known = [value for value in cpu if not math.isnan(value)]
    assert 29 <= len(known) <= 31
    assert all(abs(value - 50) < 0.01 for value in known)
    assert math.isnan(cpu[0])


def test_a_repeated_sample_changes_nothing() -> None:
    track = Track(samples(range(1000, 1010)))
    before = len(track.points)
    track.add(samples(range(1009, 1010))[0])
    assert len(track.points) == before


def test_rows_have_trends_from_history_and_from_samples() -> None:
    container = Container(id="a" * 64, name="web", image="i", image_id="", command=(), created_ns=0, state="running")
    model = Model(Snapshot([container], [], [], [], [], 0))
    model.remember(container.id, samples(range(1000, 1030)))
    assert len(model.trends[container.id]) == 29
    model.sample({container.id: samples(range(1030, 1031))[0]})
    assert len(model.trends[container.id]) == 30
    assert abs(model.usage[container.id].cpu - 50) < 0.01


def test_a_stopped_container_has_no_use() -> None:
    container = Container(id="a" * 64, name="web", image="i", image_id="", command=(), created_ns=0, state="running")
    model = Model(Snapshot([container], [], [], [], [], 0))
    for sample in samples(range(1000, 1003)):
        model.sample({container.id: sample})
    assert container.id in model.usage
    model.put(container.replace(state="exited"))
    assert container.id not in model.usage
    model.drop(container.id)
    assert container.id not in model.trends
