"""Which kind of cgroup this host gives a container.

`cgroupsPath` is read as the runtime specification says (config-linux, "Cgroups Path"): an absolute path counts
from the mount point of each hierarchy, a relative one from where the runtime itself is, and none means the
container's id. `..` leads nowhere above the mount point.
"""

from __future__ import annotations

import os

from . import hosts
from .fault import CgroupFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .base import Cgroup


def open_cgroup(cgroups_path: str, container_id: str, *, systemd: bool = False) -> Cgroup:
    """The cgroup that a container will have, or has; nothing is made yet.

    With `systemd`, `cgroups_path` is `slice:prefix:name` and the unit is asked of systemd by `create`.
    Raises CgroupFault when the host has no cgroups mounted, or the path is not usable.
    """
    host = hosts.current()
    if systemd:
        from .systemd import SystemdCgroup

        return SystemdCgroup.named(host, cgroups_path, container_id)
    if "\0" in cgroups_path or "\n" in cgroups_path:
        raise CgroupFault(
            f"cgroup path {cgroups_path!r} has a character that no cgroup can have", path="linux.cgroupsPath"
        )
    wanted = cgroups_path or container_id
    paths = {}
    for name, hierarchy in host.hierarchies.items():
        if wanted.startswith("/"):
            base = "/"
        else:
            base = hierarchy.own_path
            if host.mode == "v2" and base != "/":
                # The runtime's own cgroup holds the runtime, and a v2 cgroup that has processes can have
                # no controllers below it: the container goes beside it.
                base = os.path.dirname(base)
        inside = os.path.normpath("/" + base + "/" + wanted)
        if inside in ("/", "//"):
            raise CgroupFault(f"cgroup path {cgroups_path!r} is the root of the hierarchy", path="linux.cgroupsPath")
        paths[name] = hierarchy.mount_point.rstrip("/") + os.path.normpath("/" + inside.lstrip("/"))
    return cgroup_from_paths(paths)


def cgroup_from_paths(paths: dict[str, str]) -> Cgroup:
    """The cgroup again whose `paths()` were kept, for instance in state.json. Makes and checks nothing."""
    if any(path.endswith(".scope") for path in paths.values()):
        from .systemd import SystemdCgroup

        if scope := SystemdCgroup.adopt(paths):
            return scope
    # a host has one kind
    if set(paths) == {hosts.UNIFIED}:
        from .v2 import V2Cgroup

        return V2Cgroup(paths)
    from .v1 import V1Cgroup

    return V1Cgroup(paths)
