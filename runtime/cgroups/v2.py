"""cgroup v2: one directory, whose controllers every ancestor must pass on.

Rules of the kernel that shape this file: a controller works in a cgroup when its parent lists it in
cgroup.subtree_control; a cgroup other than the root that has processes cannot list any ("no internal
processes"); devices have no file, but a BPF program (`devices`).
"""

from __future__ import annotations

import os

from ..kernel.signals import SIGKILL
from . import devices, files, freezer, hosts, processes, v2_limits
from .base import Cgroup
from .fault import CgroupFault, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class V2Cgroup(Cgroup):
    """See `Cgroup`; `paths` has the one entry `unified`."""

    mode = "v2"

    def __init__(self, paths: dict[str, str]) -> None:
        super().__init__(paths)
        self._directory = paths[hosts.UNIFIED]

    def check(self, resources: dict[str, Any]) -> None:
        devices.parse(resources.get("devices") or [])
        _refuse_impossible(resources)
        v2_limits.unified(resources.get("unified") or {})
        available = set(files.read_text(f"{self._mount_point()}/cgroup.controllers").split())
        for controller, key, plan in _LIMITS:
            section = resources.get(key)
            if section and (wanted := plan(self._directory, section)) and controller not in available:
                raise files.absent(controller, wanted[0].json_path)

    def create(self, resources: dict[str, Any]) -> None:
        self.check(resources)
        mount_point = self._mount_point()
        path = mount_point
        for part in os.path.relpath(self._directory, mount_point).split("/"):
            enable_controllers(path)
            path = f"{path}/{part}"
            try:
                os.mkdir(path, 0o755)
            except FileExistsError:
                pass
            except OSError as error:
                raise refused(path, "a new cgroup", error, "linux.cgroupsPath") from error
        self.apply(resources)

    def add(self, pid: int) -> None:
        try:
            files.write_text(f"{self._directory}/cgroup.procs", str(pid))
        except OSError as error:
            raise refused(f"{self._directory}/cgroup.procs", str(pid), error, "") from error

    def clone_fd(self) -> int:
        if files.read_text_or(f"{self._directory}/pids.max").strip() == "0":
            # No process may be born in it, but one may move in.
            return -1
        return os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def apply(self, resources: dict[str, Any]) -> None:
        _refuse_impossible(resources)
        available = self._controllers()
        if resources.get("devices"):
            devices.apply_v2(self._directory, devices.parse(resources["devices"]))
        for controller, key, plan in _LIMITS:
            section = resources.get(key)
            if not section:
                continue
            writes = plan(self._directory, section)
            if writes and controller not in available:
                raise files.absent(controller, writes[0].json_path)
            files.apply(self._directory, writes)
        files.apply(self._directory, v2_limits.unified(resources.get("unified") or {}))
        self._warn(resources)

    def add_device_rules(self, held: list[dict[str, Any]], added: list[dict[str, Any]]) -> None:
        devices.apply_v2(self._directory, devices.parse([*held, *added]))

    def freeze(self) -> None:
        freezer.freeze_v2(self._directory)

    def thaw(self) -> None:
        freezer.thaw_v2(self._directory)

    def frozen(self) -> bool:
        return freezer.frozen_v2(self._directory)

    def pids(self, recursive: bool = True) -> list[int]:
        return processes.pids(self._directory, recursive)

    def kill(self, sig: int = SIGKILL) -> None:
        if sig != SIGKILL:
            processes.signal_all(self._directory, sig)
            return
        try:
            files.write_text(f"{self._directory}/cgroup.kill", "1")
            return
        except FileNotFoundError:
            if not processes.is_directory(self._directory):
                return
        except OSError:
            pass
        # Before 5.14. SIGKILL reaches frozen tasks on v2, and a frozen fork bomb cannot outrun the list.
        freezer.freeze_v2(self._directory)
        processes.kill_until_empty(self._directory)
        freezer.thaw_v2(self._directory)

    def mounts(self) -> list[tuple[str, str]]:
        return [("", self._directory)]

    def delegate(self, uid: int, gid: int) -> None:
        try:
            names = files.read_text("/sys/kernel/cgroup/delegate").split()
        except OSError:
            names = ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control"]
        for path in (self._directory, *(f"{self._directory}/{name}" for name in names)):
            try:
                os.chown(path, uid, gid)
            except FileNotFoundError:
                # The kernel lists the files of every controller; this cgroup need not have them all.
                continue
            except OSError as error:
                raise refused(path, f"owner {uid}:{gid}", error, "linux.uidMappings") from error

    def oom_killed(self) -> bool:
        return files.read_flat(f"{self._directory}/memory.events").get("oom_kill", 0) > 0

    def _mount_point(self) -> str:
        return hosts.current().hierarchies[hosts.UNIFIED].mount_point

    def _controllers(self) -> set[str]:
        try:
            return set(files.read_text(f"{self._directory}/cgroup.controllers").split())
        except OSError as error:
            raise refused(f"{self._directory}/cgroup.controllers", "", error, "linux.cgroupsPath") from error

    def _warn(self, resources: dict[str, Any]) -> None:
        memory = resources.get("memory") or {}
        if memory.get("kernel") or memory.get("kernelTCP"):
            self.warnings.append("cgroup v2 has no kernel memory limits: left out")


def _refuse_impossible(resources: dict[str, Any]) -> None:
    """What v1 could, and v2 has nothing for (config-linux.md, "Unified": no conversion, so an error)."""
    memory, cpu = resources.get("memory") or {}, resources.get("cpu") or {}
    block, network = resources.get("blockIO") or {}, resources.get("network") or {}
    for asked, where, what in (
        (memory.get("swappiness") is not None, "memory.swappiness", "swappiness of its own for a cgroup"),
        (memory.get("disableOOMKiller"), "memory.disableOOMKiller", "way to switch the OOM killer off"),
        (cpu.get("realtimeRuntime"), "cpu.realtimeRuntime", "realtime limits"),
        (cpu.get("realtimePeriod"), "cpu.realtimePeriod", "realtime limits"),
        (block.get("leafWeight"), "blockIO.leafWeight", "leaf weights"),
        (network.get("classID"), "network.classID", "network classes"),
        (network.get("priorities"), "network.priorities", "network priorities"),
    ):
        if asked:
            path = f"linux.resources.{where}"
            raise CgroupFault(f"{path}: cgroup v2, which this host has, has no {what}", path=path)


def enable_controllers(directory: str) -> None:
    """Pass every controller that `directory` has on to its children.

    One at a time, since the kernel takes all or none. A refusal is not an error here: some controllers can
    be refused (cpu beside realtime processes, EBUSY where processes are in the way), and whether one of them
    was needed shows when a limit is set.
    """
    try:
        available = files.read_text(f"{directory}/cgroup.controllers").split()
        enabled = files.read_text(f"{directory}/cgroup.subtree_control").split()
    except OSError:
        return
    for controller in available:
        if controller not in enabled:
            try:
                files.write_text(f"{directory}/cgroup.subtree_control", f"+{controller}")
            except OSError:
                continue


_LIMITS = (
    ("memory", "memory", v2_limits.memory),
    ("cpuset", "cpu", v2_limits.cpuset),
    ("cpu", "cpu", v2_limits.cpu),
    ("pids", "pids", v2_limits.pids),
    ("io", "blockIO", v2_limits.io),
    ("hugetlb", "hugepageLimits", v2_limits.hugetlb),
    ("rdma", "rdma", v2_limits.rdma),
)
