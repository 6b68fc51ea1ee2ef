"""The host bar: name, CPU and memory of the machine, containers by state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class HostBar(Widget):
    """One row at the top."""

    def __init__(self, name: str = "pydock", *, id: str | None = None) -> None:
        super().__init__(id=id)

    def set_host(self, cpu_percent: float, memory_used: int, memory_total: int) -> None:
        """A new reading; the bar keeps the history for its sparklines."""

    def set_counts(self, counts: Mapping[str, int]) -> None:
        """Containers by state word (running, paused, exited, …)."""

    def set_notes(self, notes: Sequence[str]) -> None:
        """Short words at the right end (rootless, cgroup v1, warnings)."""
