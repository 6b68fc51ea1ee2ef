"""Rates from cumulative counters, and series for graphs."""

from typing import NamedTuple

import pytest

from app.presentation.readings import reading, readings, resample

SECOND = 1_000_000_000


class Sample(NamedTuple):
    time_ns: int
    cpu_ns: int = 0
    throttled_ns: int = 0
    memory: int = 0
    memory_cache: int = 0
    memory_limit: int = 0
    pids: int = 0
    pids_limit: int = 0
    net_rx: int = 0
    net_tx: int = 0
    blk_read: int = 0
    blk_write: int = 0
    psi_cpu: float = -1.0
    psi_memory: float = -1.0
    psi_io: float = -1.0


def test_rates_are_per_second_of_the_samples_own_time() -> None:
    now = reading(Sample(0), Sample(2 * SECOND, cpu_ns=SECOND, net_rx=4096))
    assert now.cpu == pytest.approx(50.0)
    assert now.rx == pytest.approx(2048.0)


def test_a_restart_gives_no_negative_rate() -> None:
    now = reading(Sample(0, cpu_ns=5 * SECOND), Sample(SECOND, cpu_ns=1))
    assert now.cpu != now.cpu


def test_unknown_pressure_is_not_zero() -> None:
    now = reading(None, Sample(0))
    assert now.psi_cpu != now.psi_cpu
    assert now.cpu != now.cpu


def test_samples_out_of_order_are_left_out() -> None:
    assert [at for at, _ in readings([Sample(5), Sample(3), Sample(9)])] == [9]


def test_resample_averages_and_keeps_real_gaps() -> None:
    points = [(second * SECOND, float(second)) for second in (*range(1, 11), *range(81, 101))]
    values = resample(points, end_ns=100 * SECOND, window_ns=100 * SECOND, buckets=10)
    assert values[0] == pytest.approx(5.0, abs=0.6)
    assert values[5] != values[5]
    assert values[-1] == pytest.approx(95, abs=1)


def test_coarse_history_draws_without_holes() -> None:
    points = [(second * SECOND, 7.0) for second in range(0, 600, 15)]
    values = resample(points, end_ns=600 * SECOND, window_ns=600 * SECOND, buckets=120)
    assert all(value == 7.0 for value in values[1:-4])
