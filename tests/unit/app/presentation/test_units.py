"""Numbers as people read them; Docker's words where Docker has some."""

import math

import pytest

from app.presentation import units

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1.0K"), (1024, "1.0K"), (180 << 20, "180M"), (512 << 20, "512M"),
     (1 << 30, "1.0G"), (int(15.6 * (1 << 30)), "16G"), (1023 << 20, "1.0G")],
)  # fmt: skip
def test_size_is_short_and_binary(count: int, text: str) -> None:
    assert units.size(count) == text


def test_size_never_needs_more_than_five_characters() -> None:
    counts = [*range(0, 5000, 7), *(2**power - 1 for power in range(60))]
    assert [count for count in counts if len(units.size(count)) > 5] == []


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0B"), (7_800_000, "7.8MB"), (1_240, "1.24kB"), (192_000_000, "192MB"), (999_999, "1MB")]
)
def test_docker_size_has_three_digits(count: int, text: str) -> None:
    assert units.docker_size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "Less than a second"), (1, "1 second"), (46, "46 seconds"), (60, "About a minute"), (150, "2 minutes"),
     (3600, "About an hour"), (3 * 3600, "3 hours"), (47 * 3600, "47 hours"), (48 * 3600, "2 days"),
     (14 * 86400, "2 weeks"), (61 * 86400, "2 months"), (800 * 86400, "2 years")],
)  # fmt: skip
def test_docker_age_speaks_as_docker_does(seconds: int, text: str) -> None:
    assert units.docker_age(seconds * SECOND) == text


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "0 ns"), (840_000, "840 µs"), (1_240_000, "1.24 ms"), (12_340_000, "12.3 ms"), (999_600_000, "1000 ms"),
     (3_210_000_000, "3.21 s"), (125 * SECOND, "2m 5s"), (7260 * SECOND, "2h 1m"), (90000 * SECOND, "1d 1h")],
)  # fmt: skip
def test_precise_duration(nanoseconds: int, text: str) -> None:
    assert units.precise_duration(nanoseconds) == text


def test_unknown_share_is_a_dash() -> None:
    assert units.percent(math.nan) == "–"
    assert units.percent(99.96) == "100%"
    assert units.percent(2.04) == "2.0%"


@pytest.mark.parametrize(("seconds", "text"), [(-5, "0s"), (99, "99s"), (100, "1m"), (7200, "2h"), (172800, "2d")])
def test_short_duration_has_one_unit(seconds: int, text: str) -> None:
    assert units.short_duration(seconds * SECOND) == text


def test_a_quiet_line_has_rate_zero() -> None:
    assert units.rate(0.2) == "0"
    assert units.rate(1_258_291) == "1.2M/s"
