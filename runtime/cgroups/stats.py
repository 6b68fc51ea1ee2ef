"""Everything the cgroup files tell about a container at one moment, in the shape of `runc events --stats`.

For `pydock-runc events`; the once-a-second samples of the engine are made elsewhere, from fewer files. Counters
are totals, times nanoseconds, sizes bytes. What the host does not have is left out.
"""

from __future__ import annotations

import os

from . import files, hosts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NO_LIMIT = (1 << 64) - 1
_V1_BLKIO = {
    "ioServiceBytesRecursive": "blkio.throttle.io_service_bytes_recursive",
    "ioServicedRecursive": "blkio.throttle.io_serviced_recursive",
}


def read(paths: dict[str, str]) -> dict[str, Any]:
    """The figures of a cgroup whose `paths()` these are. Never raises: a file that has gone is a figure less."""
    if set(paths) == {hosts.UNIFIED}:
        data = _v2(paths[hosts.UNIFIED])
    else:
        data = _v1(paths)
    unified = paths.get(hosts.UNIFIED)
    if unified:
        for name, section in (("cpu", "cpu"), ("memory", "memory"), ("io", "blkio")):
            if pressure := _pressure(f"{unified}/{name}.pressure"):
                data.setdefault(section, {})["psi"] = pressure
    return data


def _v1(paths: dict[str, str]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if directory := paths.get("cpuacct"):
        data["cpu"] = {
            "usage": {
                "total": files.read_int(f"{directory}/cpuacct.usage"),
                "percpu": _numbers(f"{directory}/cpuacct.usage_percpu"),
                "kernel": files.read_int(f"{directory}/cpuacct.usage_sys"),
                "user": files.read_int(f"{directory}/cpuacct.usage_user"),
            }
        }
    if directory := paths.get("cpu"):
        stat = files.read_flat(f"{directory}/cpu.stat")
        data.setdefault("cpu", {})["throttling"] = _throttling(stat, stat.get("throttled_time", 0))
    if directory := paths.get("memory"):
        raw = files.read_flat(f"{directory}/memory.stat")
        data["memory"] = {
            "cache": raw.get("total_cache", 0),
            "usage": _v1_memory(directory, "memory"),
            "raw": raw,
        }
        if os.path.exists(f"{directory}/memory.memsw.usage_in_bytes"):
            data["memory"]["swap"] = _v1_memory(directory, "memory.memsw")
    if directory := paths.get("pids"):
        data["pids"] = _pids(directory)
    if directory := paths.get("blkio"):
        data["blkio"] = {key: entries for key, name in _V1_BLKIO.items() if (entries := _v1_io(f"{directory}/{name}"))}
    if directory := paths.get("hugetlb"):
        names = ("usage_in_bytes", "max_usage_in_bytes", "failcnt")
        data["hugetlb"] = _hugetlb(directory, "usage_in_bytes", names)
    return data


def _v2(directory: str) -> dict[str, Any]:
    stat = files.read_flat(f"{directory}/cpu.stat")
    data: dict[str, Any] = {
        "cpu": {
            "usage": {
                "total": stat.get("usage_usec", 0) * 1000,
                "kernel": stat.get("system_usec", 0) * 1000,
                "user": stat.get("user_usec", 0) * 1000,
            },
            "throttling": _throttling(stat, stat.get("throttled_usec", 0) * 1000),
        }
    }
    if os.path.exists(f"{directory}/memory.current"):
        raw = files.read_flat(f"{directory}/memory.stat")
        events = files.read_flat(f"{directory}/memory.events")
        data["memory"] = {
            "cache": raw.get("file", 0),
            "usage": {
                "limit": files.read_int(f"{directory}/memory.max", _NO_LIMIT),
                "usage": files.read_int(f"{directory}/memory.current"),
                "max": files.read_int(f"{directory}/memory.peak"),
                "failcnt": events.get("max", 0),
            },
            "raw": raw,
        }
        if os.path.exists(f"{directory}/memory.swap.current"):
            data["memory"]["swap"] = {
                "limit": files.read_int(f"{directory}/memory.swap.max", _NO_LIMIT),
                "usage": files.read_int(f"{directory}/memory.swap.current"),
                "max": files.read_int(f"{directory}/memory.swap.peak"),
                "failcnt": files.read_flat(f"{directory}/memory.swap.events").get("max", 0),
            }
    if os.path.exists(f"{directory}/pids.current"):
        data["pids"] = _pids(directory)
    data["blkio"] = _v2_io(f"{directory}/io.stat")
    if hugetlb := _hugetlb(directory, "current", ("current", "max", "events")):
        data["hugetlb"] = hugetlb
    return data


def _throttling(stat: dict[str, int], time_ns: int) -> dict[str, int]:
    return {
        "periods": stat.get("nr_periods", 0),
        "throttledPeriods": stat.get("nr_throttled", 0),
        "throttledTime": time_ns,
    }


def _v1_memory(directory: str, prefix: str) -> dict[str, int]:
    return {
        "limit": files.read_int(f"{directory}/{prefix}.limit_in_bytes", _NO_LIMIT),
        "usage": files.read_int(f"{directory}/{prefix}.usage_in_bytes"),
        "max": files.read_int(f"{directory}/{prefix}.max_usage_in_bytes"),
        "failcnt": files.read_int(f"{directory}/{prefix}.failcnt"),
    }


def _pids(directory: str) -> dict[str, int]:
    """`limit` 0 is none, as runc has it."""
    return {
        "current": files.read_int(f"{directory}/pids.current"),
        "limit": files.read_int(f"{directory}/pids.max", 0),
    }


def _hugetlb(directory: str, marker: str, names: tuple[str, str, str]) -> dict[str, dict[str, int]]:
    try:
        entries = os.listdir(directory)
    except OSError:
        return {}
    sizes = [each.split(".")[1] for each in entries if each.startswith("hugetlb.") and each.count(".") == 2]
    found = {}
    for size in dict.fromkeys(sizes):
        usage, most, failures = (f"{directory}/hugetlb.{size}.{name}" for name in names)
        if os.path.exists(f"{directory}/hugetlb.{size}.{marker}"):
            counted = files.read_flat(failures).get("max", 0) or files.read_int(failures)
            found[size] = {"usage": files.read_int(usage), "max": files.read_int(most), "failcnt": counted}
    return found


def _v1_io(path: str) -> list[dict[str, Any]]:
    """Lines "8:0 Read 4096"; the line "Total" is for all devices and left out."""
    entries = []
    for line in _lines(path):
        words = line.split()
        if len(words) == 3:
            major, _, minor = words[0].partition(":")
            entries.append({"major": int(major), "minor": int(minor), "op": words[1], "value": int(words[2])})
    return entries


def _v2_io(path: str) -> dict[str, list[dict[str, Any]]]:
    """Lines "8:0 rbytes=1 wbytes=2 rios=3 wios=4 …"."""
    keys = {
        "rbytes": ("ioServiceBytesRecursive", "Read"),
        "wbytes": ("ioServiceBytesRecursive", "Write"),
        "rios": ("ioServicedRecursive", "Read"),
        "wios": ("ioServicedRecursive", "Write"),
    }
    found: dict[str, list[dict[str, Any]]] = {}
    for line in _lines(path):
        device, *words = line.split()
        major, _, minor = device.partition(":")
        for word in words:
            name, _, value = word.partition("=")
            if name in keys and minor.isdigit():
                section, op = keys[name]
                entry = {"major": int(major), "minor": int(minor), "op": op, "value": int(value)}
                found.setdefault(section, []).append(entry)
    return found


def _pressure(path: str) -> dict[str, dict[str, float]]:
    """ "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and the same with "full"."""
    found = {}
    for line in _lines(path):
        kind, *words = line.split()
        pairs = (word.partition("=") for word in words)
        found[kind] = {name: int(value) if name == "total" else float(value) for name, _, value in pairs}
    return found


def _numbers(path: str) -> list[int]:
    return [int(word) for line in _lines(path) for word in line.split()]


def _lines(path: str) -> list[str]:
    try:
        return files.read_text(path).splitlines()
    except OSError:
        return []
