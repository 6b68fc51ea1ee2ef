"""What is observed of the program while it runs: its figures, its want of memory, its health."""

from __future__ import annotations

import os
import signal

from .health import Health
from .oom import OomWatch
from .sampler import Sampler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.container import Container

    from ..paths import Paths
    from .foreign import ForeignContainer
    from .ledger import Ledger
    from .loop import Loop
    from .plan import Plan


class Watches:
    """Of one run of the container; made before its program starts, so that nothing is missed."""

    def __init__(
        self,
        loop: Loop,
        paths: Paths,
        plan: Plan,
        ledger: Ledger,
        container: Container | ForeignContainer,
        process: dict[str, Any],
        *,
        paused: Callable[[], bool],
    ) -> None:
        """`process`: the container's own, as whom and where its health is probed."""
        self._container = container
        self._process = process
        self._ledger = ledger
        self._sampler = Sampler(loop, paths.ring(plan.container_id), container)
        self._oom = OomWatch(loop, container.cgroup.paths() if container.cgroup else {}, self._out_of_memory)
        self._health: Health | None = None
        if plan.health:
            path = paths.health(plan.container_id)
            self._health = Health(loop, plan.health, path, run=self._probe, told=self._health_changed, busy=paused)

    def start(self) -> None:
        """The program runs, and its row says so."""
        self._sampler.start()
        if self._health:
            self._health.start()

    def ended(self) -> dict[str, Any]:
        """The program has ended; for the record of its end. The cgroup must still be there."""
        if self._health:
            self._health.close()
        return {"oom_killed": self._oom.killed, **self._sampler.last_figures()}

    def close(self) -> None:
        """Let go of everything. Quiet when called twice."""
        if self._health:
            self._health.close()
        self._oom.close()
        self._sampler.stop()

    def _probe(self, command: tuple[str, ...], output_fd: int) -> int:
        process = {key: value for key, value in self._process.items() if key != "consoleSize"}
        process |= {"args": list(command), "terminal": False}
        nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        try:
            stdio = (nothing, output_fd, output_fd)
            return self._container.exec(process, stdio=stdio, parent_death_signal=signal.SIGKILL).pid
        finally:
            os.close(nothing)

    def _health_changed(self, status: str) -> None:
        self._ledger.change(lambda row: row.replace(health=status), (f"health_status: {status}", {}))

    def _out_of_memory(self) -> None:
        self._ledger.change(lambda row: row.replace(oom_killed=True), ("oom", {}))
