"""What a container's cgroup is, whatever the host's version."""

from __future__ import annotations

from ..kernel.signals import SIGKILL
from . import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Cgroup:
    """The cgroup of one container, in every hierarchy that the host has mounted.

    Its life: `open_cgroup` names it and makes nothing. `create` makes the directories and sets all limits, so
    that the first process is bound by them. `add` moves a process in; its children are born there. `apply`
    changes limits while it runs, `freeze` and `thaw` stop and resume it, `kill` ends everything in it.
    `remove` waits for the kernel to let go of the last process, and deletes the directories; parents that were
    made on the way (`/pydock`) stay.

    All methods need root, are synchronous, and raise CgroupFault. None keeps a descriptor open.
    `warnings` collects what was asked for and cannot be had, where the specification or other runtimes let a
    container start nevertheless.
    """

    mode = ""

    def __init__(self, paths: dict[str, str]) -> None:
        self._paths = dict(paths)
        self.warnings: list[str] = []

    def paths(self) -> dict[str, str]:
        """Controller (or `name=systemd`, `unified`) to directory on the host; for state.json."""
        return dict(self._paths)

    @staticmethod
    def from_paths(paths: dict[str, str]) -> Cgroup:
        """The cgroup whose `paths()` were kept."""
        from .open import cgroup_from_paths

        return cgroup_from_paths(paths)

    def directories(self) -> list[str]:
        """The distinct directories, in the order in which a process should enter them."""
        return list(dict.fromkeys(self._paths.values()))

    def exists(self) -> bool:
        """Whether any of its directories is there."""
        return any(processes.is_directory(path) for path in self.directories())

    def check(self, resources: dict[str, Any]) -> None:
        """Raise CgroupFault for what this host cannot limit, or what makes no sense; touches nothing.

        What only the kernel knows (whether a CPU in a list exists) shows in `create`.
        """
        raise NotImplementedError

    def create(self, resources: dict[str, Any]) -> None:
        """Check, make it in every hierarchy, and set `resources` (linux.resources of config.json, devices included)."""
        raise NotImplementedError

    def add(self, pid: int) -> None:
        """Move a process, all its threads, into it.

        The first move on an idle host takes the kernel 5 to 15 ms (it waits for an RCU grace period); the
        others are free. So call it while the process has something else to do: all that must come later is
        its unshare of the cgroup namespace and its exec.
        """
        raise NotImplementedError

    def clone_fd(self) -> int:
        """A new descriptor for clone3's CLONE_INTO_CGROUP, to be closed by the caller; -1 where v1 rules.

        A process born inside costs 0.6 ms where `add` costs 5 to 15.
        """
        return -1

    def entry_fds(self) -> list[int]:
        """New descriptors, to be closed by the caller, into which a process of one thread writes "0" to enter.

        A thread that moves itself takes no lock of the whole system (Linux 5.6), so that is free where `add`
        is not. Together with `clone_fd` they cover every hierarchy; empty where that one does.
        """
        return []

    def apply(self, resources: dict[str, Any]) -> None:
        """Set the limits that `resources` names, and leave the others as they are."""
        raise NotImplementedError

    def add_device_rules(self, held: list[dict[str, Any]], added: list[dict[str, Any]]) -> None:
        """Let `added`, rules of linux.resources.devices, follow the rules `held` that are in force."""
        raise NotImplementedError

    def freeze(self) -> None:
        """Stop every process in it; returns when they are stopped."""
        raise NotImplementedError

    def thaw(self) -> None:
        """Let them run again."""
        raise NotImplementedError

    def frozen(self) -> bool:
        """Whether it is, or is being, frozen by its own setting."""
        raise NotImplementedError

    def pids(self, recursive: bool = True) -> list[int]:
        """The processes in it, in no order; with those of cgroups that the container made below."""
        raise NotImplementedError

    def kill(self, sig: int = SIGKILL) -> None:
        """Send a signal to every process in it and below, and with SIGKILL none escapes by forking.

        A frozen cgroup is thawed for SIGKILL, because on v1 nothing in it can die otherwise.
        """
        raise NotImplementedError

    def remove(self, timeout_s: float = 5.0) -> None:
        """Delete the directories, children first, waiting while the kernel still empties them.

        Silent when they are gone already. Raises CgroupFault when processes remain after `timeout_s`.
        """
        processes.remove_trees(self.directories(), timeout_s)

    def mounts(self) -> list[tuple[str, str]]:
        """What a `cgroup` mount in the container shows: (name below the mount point, host directory).

        One pair with an empty name on v2. A name with commas (`cpu,cpuacct`) wants a symlink for each part.
        """
        raise NotImplementedError

    def delegate(self, uid: int, gid: int) -> None:
        """Give the cgroup to the root user of the container's user namespace, so that it can make cgroups below.

        For a container with its own cgroup namespace and a writable cgroup mount (runtime-spec, config-linux,
        "Cgroup ownership"). v2 alone can be delegated safely; on v1 this does nothing.
        """

    def oom_killed(self) -> bool:
        """Whether the kernel has killed a process in it for lack of memory."""
        raise NotImplementedError
