"""config.json's mounts as a list of planned mounts: what to mount where, nothing touched yet."""

from __future__ import annotations

import os

from ..errors import InvalidConfig
from ..spec import items
from .options import MountOptions, parse_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What lxcfs and its like may put over files of a procfs; anything else there would let an image fake what the
# runtime writes to (CVE-2019-16884, CVE-2019-19921).
_PROC_FILES = frozenset(
    f"/proc/{name}"
    for name in (
        "cpuinfo",
        "diskstats",
        "meminfo",
        "stat",
        "swaps",
        "uptime",
        "loadavg",
        "slabinfo",
        "net/dev",
        "sys/kernel/ns_last_pid",
        "sys/crypto/fips_enabled",
    )
)


# Instances that are the host's too, so a remount must not change their own options.
_OF_THE_HOST = frozenset(("bind", "cgroup", "cgroup2", "sysfs"))
REMOUNT = "remount"
"""In place of a file system's type: the options of what is mounted there are changed."""


class PlannedMount:
    """One mount. `place` is where config.json has it; `source_fd` a detached mount once it has been opened."""

    __slots__ = ("destination", "fs_type", "mappings", "options", "place", "source", "source_fd")

    def __init__(self, place: str, destination: str, fs_type: str, source: str, options: MountOptions) -> None:
        self.place = place
        self.destination = destination
        self.fs_type = fs_type
        self.source = source
        self.options = options
        self.source_fd = -1
        self.mappings: tuple[list[dict[str, int]], list[dict[str, int]]] = ([], [])


def plan_mounts(config: dict[str, Any], bundle: str) -> list[PlannedMount]:
    """The mounts in their order. Relative bind sources count from the bundle, relative destinations from /."""
    planned: list[PlannedMount] = []
    for index, entry in enumerate(items(config, "mounts")):
        place = f"mounts[{index}]"
        options = parse_options(entry.get("options") or [], f"{place}.options")
        fs_type = entry.get("type") or ""
        destination = os.path.normpath("/" + entry["destination"])
        destination = "/" + destination.lstrip("/")
        source = entry.get("source") or ""
        if fs_type == "bind":
            options.bind = True
        if options.remount:
            fs_type = REMOUNT
            there = [each for each in planned if each.destination == destination and each.fs_type != REMOUNT]
            options.bind = not there or there[-1].fs_type in _OF_THE_HOST
        elif options.bind:
            if not source:
                raise InvalidConfig("a bind mount needs a source", path=f"{place}.source")
            fs_type, source = "bind", os.path.join(bundle, source)
        elif not fs_type or fs_type == "none":
            raise InvalidConfig("is required for all but bind mounts", path=f"{place}.type")
        if destination == "/":
            raise InvalidConfig("is the root itself", path=f"{place}.destination")
        if fs_type != REMOUNT:
            _check_proc(fs_type, destination, place)
        mount = PlannedMount(place, destination, fs_type, source, options)
        mount.mappings = _mappings(config, entry, options.idmap, place)
        if (options.idmap or mount.mappings[0]) and fs_type != "bind":
            raise InvalidConfig("only bind mounts can be id-mapped", path=f"{place}.options")
        planned.append(mount)
    return planned


def _mappings(
    config: dict[str, Any], entry: dict[str, Any], idmap: str, place: str
) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    """The mount's own, or with `idmap` alone those of the container's user namespace."""
    own = (entry.get("uidMappings") or [], entry.get("gidMappings") or [])
    if own[0] and own[1]:
        return own
    if own[0] or own[1]:
        raise InvalidConfig("uidMappings and gidMappings must be given together", path=place)
    if not idmap:
        return [], []
    container = (items(config, "linux", "uidMappings"), items(config, "linux", "gidMappings"))
    if not (container[0] and container[1]):
        raise InvalidConfig(
            f"{idmap} needs uidMappings and gidMappings", path=f"{place}.options", hint="The container has none either."
        )
    return container


def _check_proc(fs_type: str, destination: str, place: str) -> None:
    if destination == "/proc" and fs_type not in ("proc", "bind"):
        raise InvalidConfig(f"only procfs may be mounted on /proc, not {fs_type}", path=f"{place}.type")
    if destination.startswith("/proc/") and destination not in _PROC_FILES:
        raise InvalidConfig(f"{destination} lies inside /proc", path=f"{place}.destination")


def may_cover_procfs(mount: PlannedMount) -> bool:
    """Whether this mount is one of those allowed on top of a procfs."""
    return mount.destination in _PROC_FILES
