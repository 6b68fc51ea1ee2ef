"""Orders of the container list. Numbers sort largest first; ties fall back to the name, so rows never jitter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .ports import port_list
from .state import state_rank

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.models import Container

    from .readings import Reading

SORT_KEYS: tuple[str, ...] = ("state", "name", "cpu", "memory", "pids", "net", "block", "uptime", "image", "ports")
_LARGEST_FIRST = frozenset({"cpu", "memory", "limit", "pids", "net", "block"})


def sort_containers(
    containers: Sequence[Container],
    column: str,
    *,
    reverse: bool = False,
    readings: Mapping[str, Reading] | None = None,
) -> list[Container]:
    """In the column's natural order (or its reverse); unknown columns sort by name."""
    known = readings or {}

    def value(container: Container) -> tuple[float, str]:
        if column == "state":
            return state_rank(container), ""
        if column == "uptime":
            return -(container.started_ns or container.created_ns), ""
        if column == "image":
            return 0, container.image.lower()
        if column == "ports":
            return 0, port_list(container.ports)
        return -_amount(container, known.get(container.id), column), ""

    by_name = sorted(containers, key=lambda container: container.name.lower())
    if column == "name":
        return by_name[::-1] if reverse else by_name
    return sorted(by_name, key=value, reverse=reverse)


def _amount(container: Container, reading: Reading | None, column: str) -> float:
    if column == "limit":
        return container.resources.memory
    if reading is None or column not in _LARGEST_FIRST:
        return -1.0
    number = {
        "cpu": reading.cpu,
        "memory": float(reading.memory),
        "pids": float(reading.pids),
        "net": reading.rx + reading.tx,
        "block": reading.read + reading.write,
    }[column]
    return number if number == number else 0.0


def matches(search: str, pattern: str) -> bool:
    """Whether a row's search text has every word of the pattern; a word after "!" must be absent."""
    for word in pattern.lower().split():
        if word.startswith("!") and len(word) > 1:
            if word[1:] in search:
                return False
        elif word not in search:
            return False
    return True
