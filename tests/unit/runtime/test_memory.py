"""Which memory a process has written since its fork, and taking it ahead."""

from __future__ import annotations

import ctypes
import mmap
import os

import pytest

from runtime.kernel import calls

from .child import in_child

PAGE = os.sysconf("SC_PAGE_SIZE")
COUNT = 64


def _addresses(area: mmap.mmap) -> list[int]:
    first = ctypes.addressof(ctypes.c_char.from_buffer(area))
    return [first + index * PAGE for index in range(COUNT)]


def _own(address: int, ranges: list[tuple[int, int]]) -> bool:
    return any(first <= address < last for first, last in ranges)


def _filled() -> mmap.mmap:
    area = mmap.mmap(-1, COUNT * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # pages of their own, not one large one
    area.madvise(mmap.MADV_NOHUGEPAGE)
    for index in range(COUNT):
        area[index * PAGE] = 1
    return area


def test_what_is_written_after_a_fork_is_ones_own() -> None:
    area = _filled()
    addresses = _addresses(area)

    def child() -> list[bool]:
        for index in range(0, COUNT, 2):
            area[index * PAGE] = 2
        ranges = calls.written_memory()
        return [_own(address, ranges) for address in addresses]

    assert in_child(child) == [index % 2 == 0 for index in range(COUNT)]


@pytest.mark.skipif(
    tuple(int(part) for part in os.uname().release.split(".")[:2]) < (5, 14),
    reason="MADV_POPULATE_WRITE is of Linux 5.14",
)
def test_memory_can_be_taken_ahead_and_keeps_what_is_in_it() -> None:
    area = _filled()
    addresses = _addresses(area)

    def child() -> tuple[list[bool], int]:
        calls.own_memory([(addresses[8], addresses[24])])
        ranges = calls.written_memory()
        return [_own(address, ranges) for address in addresses], sum(area[index * PAGE] for index in range(COUNT))

    own, total = in_child(child)
    assert own == [8 <= index < 24 for index in range(COUNT)]
    assert total == COUNT
