"""The container's root file system, mounted in a mount namespace of the shim's own.

Private, because then the kernel unmounts it when the shim ends, however that happens, and because a thousand
mounts in the host's namespace would be copied into every new container. Mounts that the host makes or
removes later still propagate to here.
"""

from __future__ import annotations

import os

from runtime.kernel import calls, constants, mounts

from ..snapshots import rootfs
from ..volumes.copyup import copy_up
from ..volumes.prepare import prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..paths import Paths
    from .plan import Plan


_host_fd = -1
"""The host's mount namespace, until the container's root is mounted."""


def leave_mount_namespace() -> None:
    """Give this process a mount namespace of its own, into which the host's changes still come, where they are
    shared."""
    global _host_fd
    if _host_fd < 0:
        _host_fd = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    calls.unshare(constants.CLONE_NEWNS)
    mounts.mount("none", "/", "", constants.MS_REC | constants.MS_SLAVE)


def leave_again() -> None:
    """Exchange the namespace for a new one, with the host's mounts as they are now."""
    calls.setns(_host_fd, constants.CLONE_NEWNS)
    leave_mount_namespace()


def _forget_host() -> None:
    global _host_fd
    if _host_fd >= 0:
        os.close(_host_fd)
        _host_fd = -1


class Rootfs:
    def __init__(self, paths: Paths, plan: Plan) -> None:
        self._plan = plan
        self._paths = paths
        self._bundle = paths.container(plan.container_id)
        self._mounted = False

    def mount(self) -> None:
        """Mount once for all restarts, and fill new volumes from it."""
        if self._mounted:
            return
        if self._plan.propagates and _host_fd >= 0:
            leave_again()  # nothing tells of a mount that was made shared while we waited
        _forget_host()
        self._forget_volumes()
        plan = self._plan
        if plan.id_base and plan.copy_ups:
            # What a volume gets is what the image has, not what it looks like in this container.
            rootfs.mount(self._bundle, plan.lower_dirs)
            self._fill_volumes()
            rootfs.unmount(self._bundle)
        # With --rm nobody will ask for the writable layer after a power cut: it need not be synced.
        rootfs.mount(self._bundle, plan.lower_dirs, volatile=plan.auto_remove, id_base=plan.id_base)
        self._mounted = True
        if not plan.id_base:
            self._fill_volumes()
        for source in self._plan.sources:
            prepare(source)

    def _fill_volumes(self) -> None:
        for volume in self._plan.copy_ups:
            copy_up(f"{self._bundle}/rootfs", volume.target, volume.volume_path)

    def unmount(self) -> None:
        if self._mounted:
            rootfs.unmount(self._bundle)
            self._mounted = False

    def _forget_volumes(self) -> None:
        """Let go of the volumes that the host has mounted for others: a copy here would keep them from being
        unmounted."""
        try:
            if not os.listdir(self._paths.mounted_volumes):
                return
        except FileNotFoundError:
            return
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
            targets = [line.split(" ")[1] for line in file]
        for target in targets:
            if target.startswith(f"{self._paths.volumes}/") and target not in self._plan.volumes:
                try:
                    mounts.umount(target)
                except OSError:  # propagation was faster
                    continue
