"""Stopping all processes of a cgroup: the v1 freezer, and v2's cgroup.freeze.

v1 (kernel Documentation/admin-guide/cgroup-v1/freezer-subsystem.rst) moves from THAWED over FREEZING to FROZEN, and
can stay at FREEZING for as long as a process forks or sits in a vfork: the cure is to thaw for a moment
and try again. v2 tells the end of the transition by a poll event on cgroup.events.
"""

from __future__ import annotations

import os
import select
import time

from .fault import CgroupFault, refused
from .files import read_flat, read_text, write_text

_TIMEOUT_S = 10.0


def freeze_v1(directory: str) -> None:
    """Returns when freezer.state says FROZEN; CgroupFault, with everything thawed again, after ten seconds."""
    file = f"{directory}/freezer.state"
    deadline = time.monotonic() + _TIMEOUT_S
    rounds = 0
    while True:
        _write(file, "FROZEN")
        rounds += 1
        for wait_s in (0.0, 0.0002, 0.0005, 0.001, 0.002, 0.005):
            if wait_s:
                time.sleep(wait_s)
            if read_text(file).strip() == "FROZEN":
                return
        if time.monotonic() >= deadline:
            _write(file, "THAWED")
            raise CgroupFault(f"{directory} did not freeze within {_TIMEOUT_S:.0f} s", path=file)
        if rounds % 4 == 0:
            _write(file, "THAWED")


def thaw_v1(directory: str) -> None:
    _write(f"{directory}/freezer.state", "THAWED")


def frozen_v1(directory: str) -> bool:
    """`freezer.self_freezing` is our own setting; `freezer.state` also shows that of an ancestor."""
    try:
        return read_text(f"{directory}/freezer.self_freezing").strip() == "1"
    except OSError:
        return False


def freeze_v2(directory: str) -> None:
    """Returns when cgroup.events says frozen; CgroupFault, thawed again, after ten seconds."""
    _write(f"{directory}/cgroup.freeze", "1")
    if not _await_event(directory, "frozen", 1, _TIMEOUT_S):
        _write(f"{directory}/cgroup.freeze", "0")
        raise CgroupFault(f"{directory} did not freeze within {_TIMEOUT_S:.0f} s", path=directory)


def thaw_v2(directory: str) -> None:
    _write(f"{directory}/cgroup.freeze", "0")
    _await_event(directory, "frozen", 0, _TIMEOUT_S)


def frozen_v2(directory: str) -> bool:
    try:
        return read_text(f"{directory}/cgroup.freeze").strip() == "1"
    except OSError:
        return False


def _await_event(directory: str, key: str, wanted: int, timeout_s: float) -> bool:
    """Wait for a value in cgroup.events. An empty cgroup counts as never frozen, so emptiness ends it too."""
    deadline = time.monotonic() + timeout_s
    file = f"{directory}/cgroup.events"
    poller = select.poll()
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        poller.register(fd, select.POLLPRI)
        while True:
            events = read_flat(file)
            if events.get(key) == wanted or not events.get("populated"):
                return True
            os.pread(fd, 4096, 0)
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            # A change between the read above and the poll is not lost: kernfs counts events per reader.
            poller.poll(min(left, 0.1) * 1000)
    finally:
        os.close(fd)


def _write(file: str, value: str) -> None:
    try:
        write_text(file, value)
    except OSError as error:
        raise refused(file, value, error, "") from error
