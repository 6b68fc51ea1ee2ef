"""Reads all figures of one container from its cgroup files, cheaply enough for once a second.

The files stay open, and each sample is one pread(2) a file: a dozen calls, about 0.1 ms. Works on v1, hybrid
and v2. What a host does not have reads as 0, or -1 for pressure: a missing controller must not cost the
other graphs.
"""

from __future__ import annotations

import os
import time

from .sample import Device, Interface, Sample

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SMALL, _LARGE = 512, 16384
KEPT_INTERFACES = KEPT_DEVICES = 4
_UNLIMITED = 1 << 60
"""v1 says "no limit" with the largest multiple of a page."""


class Meter:
    """Holds the open files of one container's cgroup, and of its network namespace, until `close`.

    `paths` is `Cgroup.paths()`; `pid` a process of the container, whose interfaces are counted unless it shares
    ours (`--network host`). The open net/dev keeps the network namespace alive: close the meter before it is
    expected to go. Not for use by two threads at once.
    """

    def __init__(self, paths: dict[str, str], pid: int) -> None:
        unified = paths.get("unified", "")
        is_v2 = set(paths) == {"unified"}

        def v1(controller: str, name: str) -> int:
            return _open(f"{paths[controller]}/{name}") if controller in paths else -1

        def v2(name: str) -> int:
            return _open(f"{unified}/{name}") if unified else -1

        self._fds: list[int] = []
        self._cpu_v2 = self._keep(v2("cpu.stat"))
        if is_v2:
            self._throttled_v1 = -1
            self._memory = self._keep(v2("memory.current"))
            self._memory_limit = self._keep(v2("memory.max"))
            self._memory_peak = self._keep(v2("memory.peak"))
            self._swap, self._swap_limit = self._keep(v2("memory.swap.current")), self._keep(v2("memory.swap.max"))
            self._pids, self._pids_limit = self._keep(v2("pids.current")), self._keep(v2("pids.max"))
            self._io = self._keep(v2("io.stat"))
            self._read_io = _io_v2
            memory_stat = v2("memory.stat")
            self._inactive, self._cache = b"\ninactive_file ", b"\nfile "
        else:
            self._throttled_v1 = self._keep(v1("cpu", "cpu.stat"))
            self._memory = self._keep(v1("memory", "memory.usage_in_bytes"))
            self._memory_limit = self._keep(v1("memory", "memory.limit_in_bytes"))
            self._memory_peak = self._keep(v1("memory", "memory.max_usage_in_bytes"))
            # memory and swap together, and what is swapped is in memory.stat
            self._swap, self._swap_limit = -1, self._keep(v1("memory", "memory.memsw.limit_in_bytes"))
            self._pids, self._pids_limit = self._keep(v1("pids", "pids.current")), self._keep(v1("pids", "pids.max"))
            self._io = self._keep(v1("blkio", "blkio.throttle.io_service_bytes_recursive"))
            if self._io < 0:
                self._io = self._keep(v1("blkio", "blkio.throttle.io_service_bytes"))
            self._read_io = _io_v1
            memory_stat = v1("memory", "memory.stat")
            self._inactive, self._cache = b"\ntotal_inactive_file ", b"\ntotal_cache "
        self._memory_stat = self._keep(memory_stat)
        # In a hybrid's unified tree cpu.stat has the times even without the controller, in one file.
        self._cpuacct = [-1, -1, -1]
        if self._cpu_v2 < 0 or b"usage_usec" not in _read(self._cpu_v2, _SMALL):
            names = ("cpuacct.usage", "cpuacct.usage_user", "cpuacct.usage_sys")
            self._cpuacct = [self._keep(v1("cpuacct", name)) for name in names]
        self._pressure = [self._keep(v2(f"{name}.pressure")) for name in ("cpu", "memory", "io")]
        self._net = self._keep(_open(f"/proc/{pid}/net/dev")) if _has_own_network(pid) else -1

    _read_io: Callable[[bytes], dict[bytes, list[int]]]

    def sample(self) -> Sample:
        """The figures of now. Never raises: a file that has gone reads as 0."""
        now = time.time_ns()
        cpu_stat = _read(self._cpu_v2, _SMALL)
        if self._cpuacct[0] >= 0:
            usage, user, system = (_number(_read(fd, _SMALL)) for fd in self._cpuacct)
        else:
            head = b"\n" + cpu_stat
            usage = _field(head, b"\nusage_usec ") * 1000
            user = _field(head, b"\nuser_usec ") * 1000
            system = _field(head, b"\nsystem_usec ") * 1000
        if self._throttled_v1 >= 0:
            throttled = _field(_read(self._throttled_v1, _SMALL), b"\nthrottled_time ")
        else:
            throttled = _field(cpu_stat, b"\nthrottled_usec ") * 1000
        memory_stat = b"\n" + _read(self._memory_stat, _LARGE)
        inactive, cache = _field(memory_stat, self._inactive), _field(memory_stat, self._cache)
        memory = _number(_read(self._memory, _SMALL))
        limit = _limit(_read(self._memory_limit, _SMALL))
        swap_limit = _limit(_read(self._swap_limit, _SMALL))
        if self._swap < 0:
            swap, swap_limit = _field(memory_stat, b"\ntotal_swap "), max(0, swap_limit - limit)
        else:
            swap = _number(_read(self._swap, _SMALL))
        interfaces = _network(_read(self._net, _LARGE))
        devices = self._read_io(_read(self._io, _LARGE))
        psi_cpu, psi_memory, psi_io = (_pressure(_read(fd, _SMALL)) for fd in self._pressure)
        return Sample(
            now,
            usage,
            user,
            system,
            throttled,
            max(0, memory - inactive),
            cache,
            limit,
            _number(_read(self._pids, _SMALL)),
            _number(_read(self._pids_limit, _SMALL)),
            sum(each.received for each in interfaces),
            sum(each.sent for each in interfaces),
            sum(read for read, _written in devices.values()),
            sum(written for _read, written in devices.values()),
            psi_cpu,
            psi_memory,
            psi_io,
            memory,
            _number(_read(self._memory_peak, _SMALL)),
            swap,
            swap_limit,
            tuple(interfaces[:KEPT_INTERFACES]),
            tuple(_devices(devices)),
        )

    def close(self) -> None:
        """Let go of all files; `sample` gives zeros from then on."""
        fds, self._fds = self._fds, []
        for fd in fds:
            os.close(fd)
        self._cpu_v2 = self._throttled_v1 = self._memory = self._memory_limit = self._memory_stat = -1
        self._memory_peak = self._swap = self._swap_limit = -1
        self._pids = self._pids_limit = self._io = self._net = -1
        self._cpuacct, self._pressure = [-1, -1, -1], [-1, -1, -1]

    def _keep(self, fd: int) -> int:
        if fd >= 0:
            self._fds.append(fd)
        return fd


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def _has_own_network(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino != os.stat("/proc/self/ns/net").st_ino
    except OSError:
        return False


def _read(fd: int, size: int) -> bytes:
    if fd < 0:
        return b""
    try:
        return os.pread(fd, size, 0)
    except OSError:
        # ENODEV: the cgroup has been removed. EOPNOTSUPP: pressure accounting is switched off.
        return b""


def _number(text: bytes) -> int:
    """The number of a one-value file; 0 for `max` and for nothing."""
    return int(text) if text[:1].isdigit() else 0


def _field(text: bytes, key: bytes) -> int:
    """The number after `key`, which begins with a newline and ends with a space; 0 when it is not there."""
    at = text.find(key)
    if at < 0:
        return 0
    at += len(key)
    end = text.find(b"\n", at)
    return int(text[at:end] if end >= 0 else text[at:])


def _pressure(text: bytes) -> float:
    """avg10 of the line `some` (kernel Documentation/accounting/psi.rst)."""
    if not text.startswith(b"some avg10="):
        return -1.0
    return float(text[11 : text.index(b" ", 11)])


def _limit(text: bytes) -> int:
    number = _number(text)
    return 0 if number >= _UNLIMITED else number


def _network(text: bytes) -> list[Interface]:
    """All interfaces but lo, from net/dev (proc(5))."""
    found = []
    for line in text.split(b"\n")[2:]:
        name, colon, numbers = line.partition(b":")
        if colon and name.strip() != b"lo":
            fields = numbers.split()
            found.append(Interface(name.strip().decode(errors="replace"), int(fields[0]), int(fields[8])))
    return found


def _io_v1(text: bytes) -> dict[bytes, list[int]]:
    """Bytes read and written by device, from blkio.throttle.io_service_bytes."""
    devices: dict[bytes, list[int]] = {}
    for line in text.split(b"\n"):
        fields = line.split()
        if len(fields) == 3 and fields[1] in (b"Read", b"Write"):
            devices.setdefault(fields[0], [0, 0])[fields[1] == b"Write"] += int(fields[2])
    return devices


def _io_v2(text: bytes) -> dict[bytes, list[int]]:
    """Bytes read and written by device, from io.stat."""
    devices: dict[bytes, list[int]] = {}
    for line in text.split(b"\n"):
        device, *words = line.split() or [b""]
        for word in words:
            if word.startswith(b"rbytes="):
                devices.setdefault(device, [0, 0])[0] += int(word[7:])
            elif word.startswith(b"wbytes="):
                devices.setdefault(device, [0, 0])[1] += int(word[7:])
    return devices


def _devices(figures: dict[bytes, list[int]]) -> list[Device]:
    kept: list[Device] = []
    for name, (read, written) in figures.items():
        major, colon, minor = name.partition(b":")
        if colon and (read or written) and len(kept) < KEPT_DEVICES:
            kept.append(Device(int(major), int(minor), read, written))
    return kept
