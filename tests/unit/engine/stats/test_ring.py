"""The history file: what readers see, also when the writer dies between any two bytes."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from engine.stats.ring import FILE_BYTES, Ring, history, latest
from engine.stats.sample import Device, Interface, Sample

BIRTH = 1_700_000_000 * 10**9


def sample(second: int, **changes: Any) -> Sample:
    figures = Sample(
        BIRTH + second * 10**9 + 123,
        second * 5_000_000,
        second * 3_000_000,
        second * 2_000_000,
        7,
        64 << 20,
        1 << 20,
        128 << 20,
        3,
        100,
        second * 1000,
        second * 2000,
        1 << 40,
        0,
        0.25,
        -1.0,
        99.99,
        80 << 20,
        90 << 20,
        second,
        1 << 30,
        (Interface("eth0", second * 400, 1 << 50), Interface("a-name-of-15-ch", 0, second)),
        (Device(8, 0, second, 77), Device(259, 1 << 19, 0, 1 << 60)),
    )
    return figures._replace(**changes)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "stats.ring")


def test_a_sample_comes_back_as_it_was(path: str) -> None:
    writer = Ring.create(path)
    writer.append(sample(5))
    assert latest(path) == sample(5)
    assert history(path) == [sample(5)]
    writer.close()


def test_what_there_is_no_room_for_is_left_out_and_counted_in_the_totals(path: str) -> None:
    many = sample(
        1,
        interfaces=tuple(Interface(f"eth{number}", number, number) for number in range(9)),
        devices=tuple(Device(8, number, number, 1) for number in range(9)),
    )
    writer = Ring.create(path)
    writer.append(many)
    writer.close()
    assert latest(path) == many._replace(interfaces=many.interfaces[:4], devices=many.devices[:4])


def test_nothing_there_is_none_and_empty(path: str) -> None:
    assert latest(path) is None
    assert history(path) == []
    Ring.create(path).close()
    assert latest(path) is None
    assert history(path) == []


def test_fifteen_minutes_by_the_second_then_six_hours_by_fifteen(path: str) -> None:
    writer = Ring.create(path)
    last = 8 * 3600
    for second in range(last + 1):
        writer.append(sample(second))
    writer.close()
    times = [(each.time_ns - BIRTH) // 10**9 for each in history(path)]
    fine = [time for time in times if time > last - 900]
    coarse = [time for time in times if time <= last - 900]
    assert fine == list(range(last - 899, last + 1))
    assert {after - before for before, after in pairwise(coarse)} == {15}
    assert last - 6 * 3600 <= coarse[0] <= last - 6 * 3600 + 15
    assert coarse[-1] >= last - 900 - 15
    assert os.path.getsize(path) == FILE_BYTES


def test_a_restart_goes_on_with_the_same_history(path: str) -> None:
    for begin in (0, 1000, 2000):
        writer = Ring.open(path)
        for second in range(begin, begin + 3):
            writer.append(sample(second))
        writer.close()
    seconds = [(each.time_ns - BIRTH) // 10**9 for each in history(path)]
    assert seconds == [0, 1, 2, 1000, 1001, 1002, 2000, 2001, 2002]
    assert latest(path) == sample(2002)


def test_what_is_older_than_six_hours_is_not_shown_after_a_long_stop(path: str) -> None:
    writer = Ring.create(path)
    for second in range(2000):
        writer.append(sample(second))
    for second in range(100_000, 100_900):
        writer.append(sample(second))
    writer.close()
    assert min(each.time_ns for each in history(path)) == sample(100_000).time_ns


@pytest.mark.parametrize("before", [0, 1, 950])
def test_a_writer_killed_at_any_byte_leaves_whole_records(
    path: str, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut the next append off after each of its bytes: readers see the old sample or the new one, and the
    history never loses more than the one slot that was being written."""
    writer = Ring.create(path)
    for second in range(before):
        writer.append(sample(second))
    writes: list[tuple[bytes, int]] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda _fd, data, at: writes.append((data, at)))
        writer.append(sample(before))
    writer.close()
    whole = Path(path).read_bytes()
    old = latest(path)
    stream = [(at + offset, data[offset : offset + 1]) for data, at in writes for offset in range(len(data))]
    expected = {each.time_ns for each in history(path)}
    for cut in range(0, len(stream) + 1, 1 if before < 2 else 13):
        damaged = bytearray(whole)
        for at, byte in stream[:cut]:
            damaged[at : at + 1] = byte
        Path(path).write_bytes(damaged)
        assert latest(path) in (old, sample(before), None if before == 0 else old)
        times = {each.time_ns for each in history(path)}
        assert len(expected - times) <= 1
        assert times <= expected | {sample(before).time_ns}
    assert latest(path) == sample(before)


def test_a_file_of_something_else_is_no_history_and_is_replaced(path: str) -> None:
    Path(path).write_bytes(b"x" * FILE_BYTES)
    assert latest(path) is None
    assert history(path) == []
    writer = Ring.open(path)
    writer.append(sample(1))
    writer.close()
    assert history(path) == [sample(1)]


def test_a_short_file_is_read_as_far_as_it_goes(path: str) -> None:
    writer = Ring.create(path)
    writer.append(sample(1))
    writer.close()
    for size in (0, 10, 64, 200, 300, 500, 900):
        os.truncate(path, size)
        history(path)
        latest(path)
