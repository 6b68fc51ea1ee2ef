"""Times the steps of a life cycle; the record that `--timing` prints and the timeline draws."""

from __future__ import annotations

import time

from .models import Phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Phases:
    """Collects phases in order and passes each on as it ends."""

    def __init__(self, on_phase: Callable[[Phase], None] | None = None) -> None:
        self.recorded: list[Phase] = []
        self._on_phase = on_phase

    def step(self, name: str) -> _Step:
        """`with phases.step("bundle"):` records that block, unless it raises."""
        return _Step(self, name)

    def add(self, name: str, start_ns: int, duration_ns: int) -> None:
        """Record a step that was timed elsewhere."""
        phase = Phase(name=name, start_ns=start_ns, duration_ns=duration_ns)
        self.recorded.append(phase)
        if self._on_phase:
            self._on_phase(phase)


class _Step:
    def __init__(self, phases: Phases, name: str) -> None:
        self._phases = phases
        self._name = name

    def __enter__(self) -> None:
        self._start_ns = time.time_ns()
        self._started = time.monotonic_ns()

    def __exit__(self, kind: object, _error: object, _traceback: object) -> None:
        if kind is None:
            self._phases.add(self._name, self._start_ns, time.monotonic_ns() - self._started)
