"""One measurement of a container, as the ring keeps it and everybody shows it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class Sample(NamedTuple):
        """Figures of one moment. `*_ns` beside `time_ns` (since the epoch), network and block bytes are totals
        since the container's start; the rest is as of now."""

        time_ns: int
        cpu_ns: int
        cpu_user_ns: int
        cpu_system_ns: int
        throttled_ns: int
        memory: int
        """Bytes, without file cache that the kernel could drop at once (inactive file pages), as Docker counts."""
        memory_cache: int
        memory_limit: int
        """Bytes; 0 is none."""
        pids: int
        pids_limit: int
        """0 is none."""
        net_rx: int
        net_tx: int
        blk_read: int
        blk_write: int
        psi_cpu: float
        """Share of the last 10 s in which some process waited for it, in percent; -1 is unknown."""
        psi_memory: float
        psi_io: float

else:
    # The shim pays for every import, and typing costs more than all of this package.
    from collections import namedtuple

    Sample = namedtuple(
        "Sample",
        "time_ns cpu_ns cpu_user_ns cpu_system_ns throttled_ns memory memory_cache memory_limit pids pids_limit "
        "net_rx net_tx blk_read blk_write psi_cpu psi_memory psi_io",
    )
