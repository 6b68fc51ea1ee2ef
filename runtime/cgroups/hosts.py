"""Which cgroup hierarchies this host has mounted, read once per process.

The truth is /proc/self/mountinfo (proc(5)). /proc/cgroups is not asked: it lists what the kernel has, which is
of no use when it is not mounted, and newer kernels can be built without it.
"""

from __future__ import annotations

UNIFIED = "unified"

_CONTROLLERS = frozenset(
    {
        "blkio",
        "cpu",
        "cpuacct",
        "cpuset",
        "debug",
        "devices",
        "freezer",
        "hugetlb",
        "memory",
        "misc",
        "net_cls",
        "net_prio",
        "perf_event",
        "pids",
        "rdma",
    }
)

_current: Host | None = None


class Hierarchy:
    """One mounted hierarchy. `own_path`: where this process is in it, seen from the mount point."""

    def __init__(self, mount_point: str, own_path: str) -> None:
        self.mount_point = mount_point
        self.own_path = own_path


class Host:
    """`mode` is v1, hybrid (v1 controllers, and a unified tree beside them) or v2.

    `hierarchies` maps each v1 controller, each named hierarchy (`name=systemd`) and `unified` to its mount.
    Controllers mounted together share a mount point.
    """

    def __init__(self, hierarchies: dict[str, Hierarchy]) -> None:
        self.hierarchies = hierarchies
        if not any(name in _CONTROLLERS for name in hierarchies):
            self.mode = "v2"
            self.hierarchies = {name: h for name, h in hierarchies.items() if name == UNIFIED}
        else:
            self.mode = "hybrid" if UNIFIED in hierarchies else "v1"


def current() -> Host:
    """The hierarchies of the process's mount namespace as they were at the first call.

    Raises CgroupFault when none is mounted.
    """
    global _current
    if _current is None:
        with open("/proc/self/mountinfo") as mountinfo, open("/proc/self/cgroup") as own:
            host = parse(mountinfo.read(), own.read())
        if not host.hierarchies:
            from .fault import CgroupFault

            raise CgroupFault(
                "no cgroup hierarchy is mounted",
                path="/sys/fs/cgroup",
                hint="mount one: mount -t cgroup2 none /sys/fs/cgroup",
            )
        _current = host
    return _current


def parse(mountinfo: str, own: str) -> Host:
    """The host that these two files of /proc describe; a pure function."""
    own_paths = {}
    for line in own.splitlines():
        _id, listed, path = line.split(":", 2)
        for name in listed.split(",") if listed else (UNIFIED,):
            own_paths[name] = path
    hierarchies: dict[str, Hierarchy] = {}
    for line in mountinfo.splitlines():
        before, _dash, after = line.partition(" - ")
        kind, _source, options = after.split(" ", 2)
        if kind == "cgroup2":
            names = [UNIFIED]
        elif kind == "cgroup":
            names = [o for o in options.split(",") if o in _CONTROLLERS or o.startswith("name=")]
        else:
            continue
        fields = before.split(" ")
        root, mount_point = _unescape(fields[3]), _unescape(fields[4])
        for name in names:
            own_path = _below(own_paths.get(name, "/"), root)
            # The first mount is the host's own; later ones are bind mounts made for somebody's container.
            hierarchies.setdefault(name, Hierarchy(mount_point, own_path))
    return Host(hierarchies)


def _below(path: str, root: str) -> str:
    """`path` as it is seen through a mount whose root is `root`; `/` when it cannot be seen."""
    if root == "/":
        return path if not path.startswith("/..") else "/"
    if path == root or path.startswith(root + "/"):
        return path[len(root) :] or "/"
    return "/"


def _unescape(field: str) -> str:
    """mountinfo writes space, tab, newline and backslash as octal."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field
