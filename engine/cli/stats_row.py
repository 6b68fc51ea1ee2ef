"""One line of `pydock stats` from two samples of a container."""

from __future__ import annotations

import os

from .listing import short_id
from .units import binary_size, decimal_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container
    from ..stats.sample import Sample


def row(container: Container, sample: Sample | None, earlier: Sample | None, *, whole: bool = False) -> dict[str, str]:
    """The fields as text; "--" where a container that does not run has nothing to tell."""
    identifier = container.id if whole else short_id(container.id)
    base = {"Container": container.name, "ID": identifier, "Name": container.name}
    if sample is None:
        return {
            **base,
            "CPUPerc": "--",
            "MemUsage": "-- / --",
            "MemPerc": "--",
            "NetIO": "--",
            "BlockIO": "--",
            "PIDs": "--",
        }
    limit = sample.memory_limit or host_memory()
    return {
        **base,
        "CPUPerc": f"{cpu_percent(sample, earlier):.2f}%",
        "MemUsage": f"{binary_size(sample.memory)} / {binary_size(limit)}",
        "MemPerc": f"{100 * sample.memory / limit:.2f}%",
        "NetIO": f"{decimal_size(sample.net_rx)} / {decimal_size(sample.net_tx)}",
        "BlockIO": f"{decimal_size(sample.blk_read)} / {decimal_size(sample.blk_write)}",
        "PIDs": str(sample.pids),
    }


def cpu_percent(sample: Sample, earlier: Sample | None) -> float:
    """100 is one CPU used all the time between the two samples."""
    if earlier is None or sample.time_ns <= earlier.time_ns:
        return 0.0
    return 100 * max(0, sample.cpu_ns - earlier.cpu_ns) / (sample.time_ns - earlier.time_ns)


def host_memory() -> int:
    """Bytes of memory in this machine: the limit of who has none of their own."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
