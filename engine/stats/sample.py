"""One measurement of a container, as the ring keeps it and everybody shows it."""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple

    class Interface(NamedTuple):
        """Bytes through one network interface of the container, by its name inside."""

        name: str
        received: int
        sent: int

    class Device(NamedTuple):
        """Bytes from and to one block device of the host."""

        major: int
        minor: int
        read: int
        written: int

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
        memory_total: int = 0
        """Bytes, all cache included: what the limit is compared with."""
        memory_peak: int = 0
        """The most that `memory_total` ever was; 0 is unknown."""
        swap: int = 0
        swap_limit: int = 0
        """Bytes beyond the memory limit; 0 is none."""
        interfaces: tuple[Interface, ...] = ()
        """All but lo, the first few; `net_rx` and `net_tx` count the others too."""
        devices: tuple[Device, ...] = ()
        """The first few; `blk_read` and `blk_write` count the others too."""

else:
    # The shim pays for every import, and typing costs more than all of this package.
    Interface = namedtuple("Interface", "name received sent")
    Device = namedtuple("Device", "major minor read written")
    Sample = namedtuple(
        "Sample",
        "time_ns cpu_ns cpu_user_ns cpu_system_ns throttled_ns memory memory_cache memory_limit pids pids_limit "
        "net_rx net_tx blk_read blk_write psi_cpu psi_memory psi_io "
        "memory_total memory_peak swap swap_limit interfaces devices",
        defaults=(0, 0, 0, 0, (), ()),
    )
