"""The container's root file system, mounted in a mount namespace of the shim's own.

Private, because then the kernel unmounts it when the shim ends, however that happens, and because a thousand
mounts in the host's namespace would be copied into every new container. Mounts that the host makes or
removes later still propagate to here.
"""

from __future__ import annotations

from runtime.kernel import calls, constants, mounts

from ..snapshots import rootfs
from ..volumes.copyup import copy_up
from ..volumes.prepare import prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..paths import Paths
    from .plan import Plan


def leave_mount_namespace() -> None:
    """Give this process a mount namespace of its own, into which the host's changes still come."""
    calls.unshare(constants.CLONE_NEWNS)
    mounts.mount("none", "/", "", constants.MS_REC | constants.MS_SLAVE)


class Rootfs:
    def __init__(self, paths: Paths, plan: Plan) -> None:
        self._plan = plan
        self._bundle = paths.container(plan.container_id)
        self._mounted = False

    def mount(self) -> None:
        """Mount once for all restarts, and fill new volumes from it."""
        if self._mounted:
            return
        # With --rm nobody will ask for the writable layer after a power cut: it need not be synced.
        rootfs.mount(self._bundle, self._plan.lower_dirs, volatile=self._plan.auto_remove)
        self._mounted = True
        for volume in self._plan.copy_ups:
            copy_up(f"{self._bundle}/rootfs", volume.target, volume.volume_path)
        for source in self._plan.sources:
            prepare(source)

    def unmount(self) -> None:
        if self._mounted:
            rootfs.unmount(self._bundle)
            self._mounted = False
