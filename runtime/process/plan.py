"""All that a new container's first process needs to know, gathered before it is born.

After the clone nothing is looked up, parsed or imported on the way: what could fail for a reason that a person can
mend has failed here, in the creator, before anything was made.
"""

from __future__ import annotations

import os

from .. import idmap
from ..errors import InvalidConfig
from ..kernel import constants as k
from ..namespaces import NamespacePlan
from ..rootfs import cgroup_mounts, plan
from ..rootfs.devices import plan_devices, wants_devices
from ..security import seccomp
from ..spec import items, namespace_paths, section
from .become import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class InitPlan:
    """The plan of one container; see the attributes' names in `config.json`."""

    def __init__(
        self,
        config: dict[str, Any],
        bundle: str,
        *,
        filter_cache: str,
        preserve_fds: int,
        parent_death_signal: int,
        no_pivot: bool,
        no_new_keyring: bool,
        terminal: bool,
    ) -> None:
        linux = section(config, "linux")
        process = config.get("process")
        self.config = config
        self.bundle = bundle
        self.rootfs = os.path.realpath(os.path.join(bundle, config["root"]["path"]))
        self.hostname = config.get("hostname") or ""
        self.domainname = config.get("domainname") or ""
        self.sysctl: dict[str, str] = linux.get("sysctl") or {}
        self.propagation: str = linux.get("rootfsPropagation") or ""
        self.masked: list[str] = linux.get("maskedPaths") or []
        self.read_only: list[str] = linux.get("readonlyPaths") or []
        self.read_only_root = bool(config["root"].get("readonly"))
        self.mount_label: str = linux.get("mountLabel") or ""
        self.hooks: dict[str, list[dict[str, Any]]] = section(config, "hooks")
        self.uid_mappings: list[dict[str, int]] = linux.get("uidMappings") or []
        self.gid_mappings: list[dict[str, int]] = linux.get("gidMappings") or []
        self.time_offsets: dict[str, Any] = linux.get("timeOffsets") or {}
        self.no_pivot = no_pivot
        self.no_new_keyring = no_new_keyring
        self.terminal = terminal
        self.console_size = (process or {}).get("consoleSize")
        wanted = namespace_paths(config)
        self.in_user_namespace = "user" in wanted
        # One that is joined is somebody else's: its mounts are not changed, and its root is not moved.
        self.in_mount_namespace = wanted.get("mount") == ""
        self.mounts = plan.plan_mounts(config, bundle)
        self.planned = self.mounts
        self.cgroup_mounts: list[tuple[str, str]] = []
        self.devices = plan_devices(config) if wants_devices(config) else []
        if not self.in_mount_namespace and (self.mounts or items(config, "linux", "devices")):
            raise InvalidConfig(
                "mounts and devices need a mount namespace of the container's own", path="linux.namespaces"
            )
        profile = section(linux, "seccomp")
        self.program: Program | None = None
        if process is not None:
            self.program = Program(
                process,
                filter_program=seccomp.cached(filter_cache, profile) if profile else b"",
                filter_flags=seccomp.filter_flags(profile) if profile else 0,
                filter_listener=_listener(profile),
                filter_metadata=profile.get("listenerMetadata") or "",
                preserve_fds=preserve_fds,
                parent_death_signal=parent_death_signal,
                domain=section(linux, "personality").get("domain") or "",
                memory_policy=linux.get("memoryPolicy"),
                in_user_namespace=self.in_user_namespace,
            )
        self.namespaces = NamespacePlan(wanted)

    def cgroup_owner(self) -> int:
        """The host's uid of the program, when it may make cgroups of its own below the container's; else -1.

        Where it has its own cgroup namespace and a writable mount of it (config-linux.md, "Cgroup ownership").
        """
        writable = any(
            mount.fs_type in ("cgroup", "cgroup2")
            and mount.destination == "/sys/fs/cgroup"
            and not mount.options.set & k.MOUNT_ATTR_RDONLY
            for mount in self.mounts
        )
        if not (writable and self.namespaces.new_cgroup):
            return -1
        return idmap.host_id(self.uid_mappings, section(self.config, "process", "user").get("uid") or 0)

    def show_cgroup(self, mounts: list[tuple[str, str]]) -> None:
        """Say which cgroup directories a cgroup mount shows, once they exist."""
        self.cgroup_mounts = mounts
        self.planned = cgroup_mounts.expand(self.mounts, mounts)


def _listener(profile: dict[str, Any]) -> str:
    if not profile or not seccomp.notifies(profile):
        return ""
    path = profile.get("listenerPath") or ""
    if not path:
        raise InvalidConfig("is required by SCMP_ACT_NOTIFY", path="linux.seccomp.listenerPath")
    return str(path)
