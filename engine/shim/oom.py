"""Is told by the kernel when a process of the container is killed for lack of memory.

v2: inotify on memory.events. v1: an eventfd on memory.oom_control, which wakes before the victim is chosen, so the
counter is read again a moment later. The counter decides, never the wake-up alone: it also comes when the cgroup goes.
"""

from __future__ import annotations

import os

from runtime.kernel import inotify

from .loop import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Loop, Timer

_COUNTED_AFTER_S = 0.1


class OomWatch:
    """Calls `told` for each wake-up that brought new victims. `paths` is `Cgroup.paths()`."""

    def __init__(self, loop: Loop, paths: dict[str, str], told: Callable[[], None]) -> None:
        self._loop = loop
        self._told = told
        self._count = 0
        self._timer: Timer | None = None
        self._fd = -1
        try:
            if "memory" in paths:
                self._file = f"{paths['memory']}/memory.oom_control"
                self._fd = _register_v1(paths["memory"])
            elif "unified" in paths:
                self._file = f"{paths['unified']}/memory.events"
                self._fd = inotify.create()
                inotify.watch(self._fd, self._file, inotify.IN_MODIFY)
            else:
                return
        except OSError:  # no memory controller there: nothing is ever killed by it
            self.close()
            return
        loop.watch(self._fd, READ, lambda _events: self._woken())

    @property
    def killed(self) -> bool:
        """Whether there was any victim; asks the kernel once more."""
        self._check()
        return self._count > 0

    def close(self) -> None:
        """Quiet when called twice."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._fd >= 0:
            self._loop.unwatch(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _woken(self) -> None:
        try:
            os.read(self._fd, 4096)
        except OSError:
            pass
        self._check()
        if self._timer is None:
            self._timer = self._loop.later(_COUNTED_AFTER_S, self._late)

    def _late(self) -> None:
        self._timer = None
        self._check()

    def _check(self) -> None:
        if self._fd < 0:
            return
        try:
            with open(self._file, "rb") as file:
                text = file.read()
        except OSError:
            return
        count = next((int(line[9:]) for line in text.split(b"\n") if line.startswith(b"oom_kill ")), 0)
        if count > self._count:
            self._count = count
            self._told()


def _register_v1(directory: str) -> int:
    """An eventfd that the kernel adds to when the cgroup runs out of memory (cgroup-v1/memory.rst, 10)."""
    event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    try:
        control = os.open(f"{directory}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            with open(f"{directory}/cgroup.event_control", "wb", buffering=0) as file:
                file.write(b"%d %d" % (event, control))
        finally:
            os.close(control)
    except OSError:
        os.close(event)
        raise
    return event
