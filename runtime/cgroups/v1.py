"""cgroup v1, and the hybrid of v1 controllers with a v2 tree beside them.

The container gets a directory in every mounted hierarchy. On a hybrid host the unified tree carries no
controllers, but the container is in it too: that gives `cgroup.kill` (5.14), pressure figures, and the
freezer where v1's is not mounted.
"""

from __future__ import annotations

import os

from ..kernel.signals import SIGKILL
from . import devices, files, freezer, hosts, processes, v1_limits
from .base import Cgroup
from .fault import CgroupFault, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ENTRY_ORDER = (hosts.UNIFIED, "devices", "memory", "pids", "freezer", "cpu")
"""What binds a process first: what ends it, what guards the host, and then the rest."""


class V1Cgroup(Cgroup):
    """See `Cgroup`; `paths` has one entry per controller, and `unified` on a hybrid host."""

    def __init__(self, paths: dict[str, str]) -> None:
        first = [name for name in _ENTRY_ORDER if name in paths]
        super().__init__({name: paths[name] for name in [*first, *(n for n in paths if n not in first)]})
        self.mode = "hybrid" if hosts.UNIFIED in paths else "v1"

    def check(self, resources: dict[str, Any]) -> None:
        if resources.get("unified"):
            raise CgroupFault(
                "linux.resources.unified: this host has cgroup v1, whose files have other names",
                path="linux.resources.unified",
                hint="use the named limits (memory, cpu, pids, …), or boot with systemd.unified_cgroup_hierarchy=1",
            )
        if resources.get("devices"):
            self._directory("devices", "linux.resources.devices")
            devices.check_v1(devices.parse(resources["devices"]))
        for controller, key, plan in _LIMITS:
            section = resources.get(key)
            if section and controller not in self._paths and (wanted := plan("", section)):
                raise files.absent(controller, wanted[0].json_path)

    def create(self, resources: dict[str, Any]) -> None:
        self.check(resources)
        for directory in self.directories():
            try:
                processes.make_directory(directory)
            except OSError as error:
                raise refused(directory, "a new cgroup", error, "linux.cgroupsPath") from error
        if "cpuset" in self._paths:
            v1_limits.inherit_cpuset(self._paths["cpuset"])
        self._set(resources)

    def add(self, pid: int) -> None:
        for directory in self.directories():
            try:
                files.write_text(f"{directory}/cgroup.procs", str(pid))
            except OSError as error:
                raise refused(f"{directory}/cgroup.procs", str(pid), error, "") from error

    def clone_fd(self) -> int:
        if hosts.UNIFIED not in self._paths:
            return -1
        return os.open(self._paths[hosts.UNIFIED], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def entry_fds(self) -> list[int]:
        found: list[int] = []
        try:
            for directory in self.directories():
                if directory != self._paths.get(hosts.UNIFIED):
                    found.append(os.open(f"{directory}/tasks", os.O_WRONLY | os.O_CLOEXEC))
        except OSError as error:
            for fd in found:
                os.close(fd)
            raise refused(f"{directory}/tasks", "0", error, "linux.cgroupsPath") from error
        return found

    def apply(self, resources: dict[str, Any]) -> None:
        self.check(resources)
        self._set(resources)

    def add_device_rules(self, held: list[dict[str, Any]], added: list[dict[str, Any]]) -> None:
        directory = self._directory("devices", "linux.resources.devices")
        every = devices.parse([*held, *added])
        devices.check_v1(every)
        # The kernel's own list is the rules that are held.
        devices.apply_v1(directory, every[len(held) :])

    def _set(self, resources: dict[str, Any]) -> None:
        if resources.get("devices"):
            devices.apply_v1(self._paths["devices"], devices.parse(resources["devices"]))
        for controller, key, plan in _LIMITS:
            section = resources.get(key)
            if section and controller in self._paths:
                directory = self._paths[controller]
                files.apply(directory, plan(directory, section))
        memory = resources.get("memory") or {}
        if memory.get("kernel") or memory.get("kernelTCP"):
            self.warnings.append("kernel memory limits are not supported by this kernel, and were left out")

    def freeze(self) -> None:
        if "freezer" in self._paths:
            freezer.freeze_v1(self._paths["freezer"])
        else:
            freezer.freeze_v2(self._directory(hosts.UNIFIED, "freezer"))

    def thaw(self) -> None:
        if "freezer" in self._paths:
            freezer.thaw_v1(self._paths["freezer"])
        else:
            freezer.thaw_v2(self._directory(hosts.UNIFIED, "freezer"))

    def frozen(self) -> bool:
        if "freezer" in self._paths:
            return freezer.frozen_v1(self._paths["freezer"])
        return hosts.UNIFIED in self._paths and freezer.frozen_v2(self._paths[hosts.UNIFIED])

    def pids(self, recursive: bool = True) -> list[int]:
        return processes.pids(self._listing(), recursive)

    def kill(self, sig: int = SIGKILL) -> None:
        if sig != SIGKILL:
            processes.signal_all(self._listing(), sig)
            return
        was_frozen = self.frozen()
        if not self._kill_by_unified_tree() and not was_frozen:
            # What stands still cannot fork away from the list.
            try:
                self.freeze()
                was_frozen = True
            except CgroupFault:
                pass
        if was_frozen:
            # v1's frozen processes die when thawed, not before.
            processes.signal_all(self._listing(), SIGKILL)
            self.thaw()
        processes.kill_until_empty(self._listing())

    def _kill_by_unified_tree(self) -> bool:
        """cgroup.kill of the v2 tree (5.14), which no fork escapes; False where there is none."""
        unified = self._paths.get(hosts.UNIFIED)
        if not unified:
            return False
        try:
            files.write_text(f"{unified}/cgroup.kill", "1")
        except OSError:
            return False
        return True

    def mounts(self) -> list[tuple[str, str]]:
        host = hosts.current()
        found: dict[str, str] = {}
        for name, directory in self._paths.items():
            hierarchy = host.hierarchies.get(name)
            below = os.path.basename(hierarchy.mount_point) if hierarchy else name.removeprefix("name=")
            found.setdefault(directory, below)
        return [(name, directory) for directory, name in found.items()]

    def oom_killed(self) -> bool:
        if "memory" not in self._paths:
            return False
        return any(
            files.read_flat(f"{directory}/memory.oom_control").get("oom_kill", 0)
            for directory in processes.tree(self._paths["memory"])
        )

    def _listing(self) -> str:
        """The hierarchy to list processes by: one that a container cannot usually move them about in."""
        for name in ("pids", "devices", "memory"):
            if name in self._paths:
                return self._paths[name]
        return next(iter(self._paths.values()))

    def _directory(self, controller: str, json_path: str) -> str:
        try:
            return self._paths[controller]
        except KeyError:
            raise files.absent(controller, json_path) from None


_LIMITS = (
    ("memory", "memory", v1_limits.memory),
    ("cpuset", "cpu", v1_limits.cpuset),
    ("cpu", "cpu", v1_limits.cpu),
    ("pids", "pids", v1_limits.pids),
    ("blkio", "blockIO", v1_limits.blkio),
    ("hugetlb", "hugepageLimits", v1_limits.hugetlb),
    ("net_cls", "network", v1_limits.net_cls),
    ("net_prio", "network", v1_limits.net_prio),
    ("rdma", "rdma", v1_limits.rdma),
)
