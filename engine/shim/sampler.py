"""Writes the container's figures into its ring once a second, from its first moment on."""

from __future__ import annotations

from ..stats.meter import Meter
from ..stats.ring import Ring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.container import Container

    from ..stats.sample import Sample
    from .foreign import ForeignContainer
    from .loop import Loop, Timer

INTERVAL_S = 1.0


class Sampler:
    """`last`: what was measured last, at the end the container's last figures."""

    def __init__(self, loop: Loop, path: str, container: Container | ForeignContainer) -> None:
        self.last: Sample | None = None
        self._loop = loop
        self._ring = Ring.open(path)
        self._meter = Meter(container.cgroup.paths() if container.cgroup else {}, container.pid)
        self._timer: Timer | None = None
        self._stopped = False

    def start(self) -> None:
        """The first sample now, the others each second."""
        self._sample()

    def stop(self) -> None:
        """The end, after a last sample. May be called again."""
        if self._stopped:
            return
        self._stopped = True
        if self._timer:
            self._timer.cancel()
        self._take()
        self._meter.close()
        self._ring.close()

    def last_figures(self) -> dict[str, Any]:
        """What the record of the end keeps: measured now, while the cgroup is still there."""
        if not self._stopped:
            self._take()
        if self.last is None:
            return {}
        pressure = (self.last.psi_cpu, self.last.psi_memory, self.last.psi_io)
        return {"memory_peak": self.last.memory_peak, "pressure": pressure}

    def _sample(self) -> None:
        self._take()
        self._timer = self._loop.later(INTERVAL_S, self._sample)

    def _take(self) -> None:
        self.last = self._meter.sample()
        try:
            self._ring.append(self.last)
        except OSError:  # the disk is full
            pass
