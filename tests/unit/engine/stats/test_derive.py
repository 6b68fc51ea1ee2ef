"""Percentages and rates from two samples."""

from __future__ import annotations

from typing import Any

import pytest

from engine.stats.derive import (
    cpu_percent,
    cpu_user_system,
    memory_percent,
    moving_average,
    rates,
    throttled_percent,
)
from engine.stats.sample import Sample

SECOND = 10**9
ZERO = Sample._make([*[0] * 14, -1.0, -1.0, -1.0, *[0] * 4, (), ()])


def at(second: float, **figures: Any) -> Sample:
    return ZERO._replace(time_ns=int(second * SECOND), **figures)


def test_one_busy_core_is_100_percent_and_two_are_200() -> None:
    assert cpu_percent(at(0), at(2, cpu_ns=2 * SECOND), 4) == 100
    assert cpu_percent(at(0), at(2, cpu_ns=4 * SECOND), 4) == 200


def test_cpu_never_exceeds_the_cores_there_are() -> None:
    assert cpu_percent(at(0), at(1, cpu_ns=9 * SECOND), 2) == 200


def test_a_restart_or_a_clock_set_back_is_no_negative_use() -> None:
    assert cpu_percent(at(0, cpu_ns=50 * SECOND), at(1, cpu_ns=SECOND), 2) == 0
    assert cpu_percent(at(5), at(4, cpu_ns=SECOND), 2) == 0
    assert rates(at(5), at(5, net_rx=7)).net_rx == 0


def test_user_and_system_time_add_up() -> None:
    now = at(1, cpu_ns=SECOND, cpu_user_ns=SECOND * 3 // 4, cpu_system_ns=SECOND // 4)
    assert cpu_user_system(at(0), now, 1) == (75, 25)


def test_throttling() -> None:
    assert throttled_percent(at(0), at(2, throttled_ns=SECOND)) == 50
    assert throttled_percent(at(0, throttled_ns=9), at(2)) == 0


def test_rates_are_bytes_a_second_and_a_fallen_total_counts_from_zero() -> None:
    before = at(0, net_rx=1000, net_tx=500, blk_read=7000)
    now = at(2, net_rx=3000, net_tx=500, blk_read=4000, blk_write=1)
    assert rates(before, now) == (1000, 0, 2000, 0.5)


@pytest.mark.parametrize(
    ("limit", "host", "percent"), [(200, 1000, 50), (0, 1000, 10), (5000, 1000, 10), (0, 0, 0), (200, 0, 50)]
)
def test_memory_is_a_share_of_the_smaller_of_limit_and_host(limit: int, host: int, percent: float) -> None:
    assert memory_percent(at(0, memory=100, memory_limit=limit), host) == percent


def test_moving_average_covers_five_seconds() -> None:
    points = [(second * SECOND, float(second % 2 * 10)) for second in range(10)]
    assert moving_average(points)[:3] == [0, 5, pytest.approx(10 / 3)]
    assert moving_average(points)[-1] == pytest.approx(6)
    assert moving_average([]) == []
    assert moving_average([(0, 1.0), (60 * SECOND, 3.0)]) == [1, 3]
