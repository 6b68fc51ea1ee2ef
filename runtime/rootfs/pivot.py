"""Making the rootfs a mount of its own and, at the end, the root.

First every mount of the new namespace stops propagating to the host, then the rootfs is bound onto itself
(pivot_root wants a mount point), and after all is mounted inside, it becomes / and the host's tree is let go of.
"""

from __future__ import annotations

import os

from ..errors import SetupFailed
from ..kernel import calls, mounts
from ..kernel import constants as k
from .options import PROPAGATION


def isolate(propagation: str, rootfs: str) -> None:
    """Cut the namespace's mounts off the host's as `linux.rootfsPropagation` says (default: rslave)."""
    flag, _recursive = _parse(propagation or "rslave")
    if flag == k.MS_UNBINDABLE:
        # The rootfs is still to be bound; it becomes unbindable at the end.
        flag = k.MS_PRIVATE
    mounts.mount("", "/", "", flag | k.MS_REC)
    if flag == k.MS_SHARED:
        # The bind of the rootfs must not propagate to the host, and pivot_root refuses a shared parent.
        mounts.mount("", _mount_point_of(rootfs), "", k.MS_PRIVATE)


def bind_root(rootfs: str, propagation: str = "") -> int:
    """Bind the rootfs, with what is mounted in it, onto itself; a descriptor of the new mount's root.

    It gets no more mounts from the host, unless `linux.rootfsPropagation` is that of a slave.
    """
    try:
        mount_fd = mounts.open_tree(k.AT_FDCWD, rootfs, recursive=True)
        try:
            target_fd = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                mounts.attach(mount_fd, target_fd)
            finally:
                os.close(target_fd)
            if propagation not in ("slave", "rslave"):
                # Still what it was opened for: the directory at the mount's root, now attached.
                mounts.set_attributes(mount_fd, propagation=k.MS_PRIVATE)
        except BaseException:
            os.close(mount_fd)
            raise
    except OSError as error:
        raise SetupFailed(f"{rootfs}: {error.strerror}", path="root.path", errno=error.errno or 0) from error
    return mount_fd


def enter(root_fd: int, *, pivot: bool = True) -> None:
    """Make the mount the root of this mount namespace. Without `pivot` (for hosts that run from an initramfs) it is
    moved over the old root instead."""
    os.fchdir(root_fd)
    if pivot:
        # The new root is stacked under the old one at /, so the old one is what "." leads to from outside:
        # no directory for it is needed inside.
        old_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            mounts.pivot_root(".", ".")
            os.fchdir(old_fd)
        finally:
            os.close(old_fd)
        # Unmounting must not travel to the host.
        mounts.mount("", ".", "", k.MS_SLAVE | k.MS_REC)
        mounts.umount(".", k.MNT_DETACH)
    else:
        mounts.mount(".", "/", "", k.MS_MOVE)
        os.chroot(".")
    os.chdir("/")


def finish(root_fd: int, propagation: str, *, read_only: bool) -> None:
    """The root's own propagation and read-only flag, when nothing has to be made in it any more."""
    if propagation:
        flag, recursive = _parse(propagation)
        mounts.set_attributes(root_fd, propagation=flag, recursive=recursive)
    if read_only:
        mounts.set_attributes(root_fd, add=k.MOUNT_ATTR_RDONLY)


def change_root(rootfs: str) -> None:
    """For a container without a mount namespace of its own: chroot(2)."""
    os.chroot(rootfs)
    os.chdir("/")
    if not calls.getcwd().startswith("/"):
        raise SetupFailed("the working directory lies outside the root", path="root.path")


def _parse(propagation: str) -> tuple[int, bool]:
    if propagation in PROPAGATION:
        return PROPAGATION[propagation], False
    return PROPAGATION[propagation[1:]], True


def _mount_point_of(path: str) -> str:
    """The mount point under which `path` lies (proc_pid_mountinfo(5), field 5)."""
    real = os.path.realpath(path)
    best = "/"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            point = line.split(" ", 5)[4]
            for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
                point = point.replace(code, character)
            if len(point) > len(best) and (real == point or real.startswith(point + "/")):
                best = point
    return best
