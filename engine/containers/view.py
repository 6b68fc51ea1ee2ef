"""A container's root directory as a descriptor, as its processes see it, whether it runs or not.

    running   /proc/PID/root: its mounts, volumes and tmpfs among them, are walked as its own processes walk them
    else      its layers and volumes, mounted in a mount namespace that nobody else sees and that goes with the view

Everything below the descriptor is the container's and means harm: open it with `resolve.open_in_root` only.
The namespaces belong to a thread that has ended by the time the view is used; the process's own are left alone.
"""

from __future__ import annotations

import json
import os
import threading

from runtime.kernel import calls, constants, mounts
from runtime.rootfs import mounting
from runtime.rootfs.plan import plan_mounts

from ..errors import EngineError, HostUnfit
from ..snapshots import overlay, rootfs
from ..volumes.copyup import copy_up
from ..volumes.prepare import prepare
from ..volumes.sources import sources
from . import rows
from .locks import LifecycleLock, wait_for_shim

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

    from runtime.rootfs.plan import PlannedMount

    from ..images.images import Images
    from ..models import Container
    from ..paths import Paths
    from ..store import Store
    from ..volumes.hold import Hold
    from ..volumes.sources import Source
    from ..volumes.volumes import Volumes

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class View:
    """`with View(…) as view:` `view.fd`, and `view.running`. With `write`, a container that does not run cannot be
    started meanwhile. Without `with_mounts` only the root file system itself, none of what is mounted in it.
    `id_base`: the id here that is root's in there."""

    def __init__(
        self,
        store: Store,
        paths: Paths,
        images: Images,
        volumes: Volumes,
        container: Container,
        *,
        write: bool,
        with_mounts: bool = True,
    ) -> None:
        self.fd = -1
        self.running = False
        self.id_base = 0
        self._store = store
        self._paths = paths
        self._images = images
        self._volumes = volumes
        self._id = container.id
        self._write = write
        self._with_mounts = with_mounts
        self._lock: LifecycleLock | None = None
        self._hold: Hold | None = None
        self._namespace_fd = -1

    def __enter__(self) -> Self:
        try:
            if not self._open_running():
                self._open_resting()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        for fd in (self.fd, self._namespace_fd):
            if fd >= 0:
                os.close(fd)
        self.fd = self._namespace_fd = -1
        if self._hold is not None:
            self._hold.close()
        if self._lock is not None:
            self._lock.__exit__()
            self._lock = None

    def _open_running(self) -> bool:
        container = rows.load(self._store, self._id)
        if container.state not in ("running", "paused") or not container.pid:
            return False
        try:
            pidfd = os.pidfd_open(container.pid)
        except ProcessLookupError:
            return False
        try:
            # The row still says so while we hold the process: its number is not somebody else's by now.
            again = rows.load(self._store, self._id)
            if (again.state, again.pid) != (container.state, container.pid):
                return self._open_running()
            if self._with_mounts:
                self.fd = os.open(f"/proc/{container.pid}/root", _FOLDER)
            else:
                self.fd = _in_thread(lambda: _bare_root(pidfd))
        except (FileNotFoundError, ProcessLookupError):
            return False  # it ended this moment
        finally:
            os.close(pidfd)
        self.running = True
        self.id_base = container.id_base
        return True

    def _open_resting(self) -> None:
        if self._write:
            lock = LifecycleLock(self._paths, self._id)
            lock.__enter__()
            self._lock = lock
            if self._open_running():  # started before we had the lock
                return
            wait_for_shim(self._paths, self._id)
        container = rows.load(self._store, self._id)
        image = self._images.config(container.image_id)
        self._images.ensure_unpacked(image)
        layers = tuple(self._images.layer_path(chain_id) for chain_id in image.chain_ids)
        made = sources(container, self._paths, self._images) if self._with_mounts else ()
        names = [mount.source for mount in container.mounts if mount.type == "volume" and self._with_mounts]
        self._hold = self._volumes.hold(names)
        try:
            _in_thread(lambda: self._mount(container, layers, made))
        except OSError as error:
            reason = os.strerror(error.errno or 0).lower()
            raise EngineError(f"cannot open the files of {container.name}: {reason}") from error

    def _mount(self, container: Container, layers: tuple[str, ...], made: tuple[Source, ...]) -> int:
        bundle = self._paths.container(container.id)
        calls.unshare(constants.CLONE_NEWNS)
        self._namespace_fd = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        mounts.mount("none", "/", "", constants.MS_REC | constants.MS_PRIVATE)
        if os.path.exists(f"{bundle}/copied"):
            self.id_base = container.id_base  # a copy's owners are those of the container's user namespace
        root = self._mount_root(bundle, layers)
        self.fd = os.open(root, _FOLDER)
        if self._with_mounts:
            self._mount_rest(container, bundle, root, made)
        return self.fd

    def _mount_root(self, bundle: str, layers: tuple[str, ...]) -> str:
        if self._write or os.path.exists(f"{bundle}/copied"):
            rootfs.mount(bundle, layers)
            return f"{bundle}/rootfs"
        # To look at, the container's changes are one more layer; mount points that are missing are made in memory.
        scratch = self._paths.tmp
        if os.path.isdir(f"{bundle}/upper"):
            layers = (*layers, f"{bundle}/upper")
        try:
            mounts.mount("tmpfs", scratch, "tmpfs", 0, "mode=700")
            overlay.mount(scratch, layers)
        except (HostUnfit, OSError):
            mounts.umount(scratch)
            rootfs.mount(bundle, layers[: len(layers) - os.path.isdir(f"{bundle}/upper")])
            return f"{bundle}/rootfs"
        return f"{scratch}/rootfs"

    def _mount_rest(self, container: Container, bundle: str, root: str, made: tuple[Source, ...]) -> None:
        with open(f"{bundle}/config.json", "rb") as file:
            config: dict[str, Any] = json.load(file)
        for mount in container.mounts:
            if mount.type == "volume" and "nocopy" not in mount.options and not mount.subpath:
                copy_up(root, mount.target, self._paths.volume(mount.source))
        for source in made:
            prepare(source)
        for planned in plan_mounts(config, bundle):
            if _is_file_or_folder(planned):
                if not self.id_base:  # as on disk: nobody here is in the container's user namespace
                    planned.mappings, planned.options.idmap = ([], []), ""
                mounting.perform(self.fd, planned)
        if self._write and config["root"].get("readonly"):
            mounts.set_attributes(self.fd, add=constants.MOUNT_ATTR_RDONLY)


def _is_file_or_folder(planned: PlannedMount) -> bool:
    """Volumes, binds and the network files; not what the kernel makes, nor what is another container's."""
    return planned.fs_type == "bind" and planned.source.startswith("/") and os.path.exists(planned.source)


def _bare_root(pidfd: int) -> int:
    """The root file system of a process as a mount of its own, without those on top of it."""
    calls.unshare(constants.CLONE_FS)  # setns refuses a thread that shares its root with others
    calls.setns(pidfd, constants.CLONE_NEWNS)
    return mounts.open_tree(constants.AT_FDCWD, "/")


def _in_thread(work: Callable[[], int]) -> int:
    """Run it in a thread of its own, whose namespaces end with it unless a descriptor keeps them."""
    results: list[int] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="view")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
