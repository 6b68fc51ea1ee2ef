"""The `cgroup` mount: the container's own cgroup, and nothing of the host's, in every hierarchy.

Its directories are bound from the host's mounts. Seen from the container's cgroup namespace their root is "/",
as that of a mount made there would be; without such a namespace it is the only way that shows no foreign
cgroup (CVE-2023-25809). `ro` is honoured in both cases.
"""

from __future__ import annotations

import os

from ..errors import SetupFailed
from ..kernel import constants as k
from ..kernel import mounts
from . import resolve
from .options import MountOptions
from .plan import PlannedMount

_OPTIONS_OF_THE_MOUNT = ("mode=", "size=", "nr_inodes=")


def expand(planned: list[PlannedMount], cgroup_mounts: list[tuple[str, str]]) -> list[PlannedMount]:
    """Replace each cgroup mount by what it consists of: one bind (v2), or a tmpfs with a bind per hierarchy (v1)."""
    expanded: list[PlannedMount] = []
    for mount in planned:
        if mount.fs_type not in ("cgroup", "cgroup2"):
            expanded.append(mount)
        elif not cgroup_mounts:
            raise SetupFailed("the container has no cgroup to show", path=f"{mount.place}.type")
        elif len(cgroup_mounts) == 1 and not cgroup_mounts[0][0]:
            expanded.append(_bind(mount, mount.destination, cgroup_mounts[0][1]))
        else:
            expanded.append(_folder(mount))
            for name, host_path in cgroup_mounts:
                expanded.append(_bind(mount, f"{mount.destination}/{name}", host_path))
    return expanded


def link_controllers(root_fd: int, planned: list[PlannedMount], cgroup_mounts: list[tuple[str, str]]) -> None:
    """v1: a symlink per controller of a joint hierarchy (cpu → cpu,cpuacct), then the folder's own read-only flag."""
    for mount in planned:
        if mount.fs_type not in ("cgroup", "cgroup2") or (len(cgroup_mounts) == 1 and not cgroup_mounts[0][0]):
            continue
        folder_fd = resolve.open_in_root(root_fd, mount.destination, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name, _host_path in cgroup_mounts:
                for controller in name.split(",") if "," in name else ():
                    try:
                        os.symlink(name, controller, dir_fd=folder_fd)
                    except FileExistsError:
                        continue
            if mount.options.set & k.MOUNT_ATTR_RDONLY:
                mounts.set_attributes(folder_fd, add=k.MOUNT_ATTR_RDONLY)
        except OSError as error:
            raise SetupFailed(
                f"{mount.destination}: {error.strerror}", path=mount.place, errno=error.errno or 0
            ) from error
        finally:
            os.close(folder_fd)


def _bind(mount: PlannedMount, destination: str, host_path: str) -> PlannedMount:
    options = MountOptions()
    options.set, options.clear = mount.options.set, mount.options.clear
    options.recursive_set, options.recursive_clear = mount.options.recursive_set, mount.options.recursive_clear
    options.propagation = mount.options.propagation
    options.bind = True
    return PlannedMount(mount.place, destination, "bind", host_path, options)


def _folder(mount: PlannedMount) -> PlannedMount:
    options = MountOptions()
    options.set = mount.options.set & ~k.MOUNT_ATTR_RDONLY
    options.clear = mount.options.clear
    options.propagation = mount.options.propagation
    options.data = [word for word in mount.options.data if word.startswith(_OPTIONS_OF_THE_MOUNT)]
    if not any(word.startswith("mode=") for word in options.data):
        options.data.append("mode=755")
    return PlannedMount(mount.place, mount.destination, "tmpfs", "cgroup", options)
