"""Layers that belong to the root of a container's own user namespace, while on disk they are everybody's.

Where the file system can, the container's folder and that of the layers are mounted again, id-mapped, and overlayfs is
put together from those: what root inside writes lies on disk as root's (Linux 5.19). Elsewhere the layers are copied
and the copy's owners are shifted. Runs in the shim: single-threaded, in a mount namespace of its own.
"""

from __future__ import annotations

import os
import stat

from runtime.kernel import constants, mounts
from runtime.rootfs.idmapped import user_namespace

from ..bundle.id_range import SIZE, mappings
from ..errors import HostUnfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

_CAPABILITY = "security.capability"
_REVISION_2, _REVISION_3 = 0x02000000, 0x03000000
_REVISION_MASK = 0xFF000000


class MappedLayers:
    """`with MappedLayers(…) as layers`: `own` has upper/ and work/, `lower_dirs` the image's layers, both id-mapped.
    They are needed until the overlay is mounted. Raises HostUnfit where this cannot be."""

    def __init__(self, container_dir: str, lower_dirs: tuple[str, ...], base: int) -> None:
        self.own = f"{container_dir}/ids/own"
        self._base = base
        self._sources = {self.own: container_dir}
        shared = os.path.commonpath(lower_dirs) if lower_dirs else container_dir
        if len(lower_dirs) == 1:
            shared = os.path.dirname(shared)
        layers = f"{container_dir}/ids/layers"
        self._sources[layers] = shared
        self.lower_dirs = tuple(f"{layers}/{os.path.relpath(path, shared)}" for path in lower_dirs)
        self._attached: list[str] = []

    def __enter__(self) -> Self:
        try:
            for target, source in self._sources.items():
                os.makedirs(target, mode=0o700, exist_ok=True)
                _attach(source, target, self._base)
                self._attached.append(target)
        except OSError as error:
            self.__exit__()
            raise HostUnfit(
                f"{error.filename or self.own} cannot be id-mapped: {error.strerror}",
                hint="ext4, xfs, btrfs and tmpfs can be, from Linux 5.19 on.",
            ) from error
        return self

    def __exit__(self, *_error: object) -> None:
        for target in self._attached:
            mounts.umount(target)
        self._attached.clear()


def keep_possible(spec: dict[str, Any], base: int) -> None:
    """Take our mappings off those mounts whose file system cannot have them: what lies there is nobody's inside."""
    for mount in spec.get("mounts") or []:
        if mount.get("uidMappings") == mappings(base):
            try:
                fd = _mapped(mount["source"], base)
            except OSError:
                del mount["uidMappings"], mount["gidMappings"]
            else:
                os.close(fd)


def shift(root: str, base: int) -> None:
    """Give the files of a copied root to the container's ids. What was shifted before is left alone, so that a second
    run ends what a first one began."""
    _shift_one(root, None, base)
    for _path, folders, names, folder_fd in os.fwalk(root, follow_symlinks=False):
        for name in (*folders, *names):
            _shift_one(name, folder_fd, base)


def _shift_one(name: str, folder_fd: int | None, base: int) -> None:
    status = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    if status.st_uid >= SIZE:
        return
    capability = b""
    path = f"/proc/self/fd/{folder_fd}/{name}" if folder_fd is not None else name
    if stat.S_ISREG(status.st_mode):
        try:
            capability = os.getxattr(path, _CAPABILITY, follow_symlinks=False)
        except OSError:
            pass
    os.chown(name, status.st_uid + base, status.st_gid + base, dir_fd=folder_fd, follow_symlinks=False)
    if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_ISUID | stat.S_ISGID):
        os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=folder_fd)  # chown has taken the bits away
    if capability:
        os.setxattr(path, _CAPABILITY, of_namespace(capability, base), follow_symlinks=False)


def of_namespace(capability: bytes, root_uid: int) -> bytes:
    """File capabilities that hold in the user namespace of this root alone (capabilities(7), revision 3)."""
    magic = int.from_bytes(capability[:4], "little")
    if magic & _REVISION_MASK != _REVISION_2:
        return capability
    magic = magic & ~_REVISION_MASK | _REVISION_3
    return magic.to_bytes(4, "little") + capability[4:20] + root_uid.to_bytes(4, "little")


def _attach(source: str, target: str, base: int) -> None:
    fd = _mapped(source, base)
    try:
        target_fd = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            mounts.attach(fd, target_fd)
        finally:
            os.close(target_fd)
    finally:
        os.close(fd)


def _mapped(source: str, base: int) -> int:
    """A detached, id-mapped mount of a folder or file. Raises OSError."""
    fd = mounts.open_tree(constants.AT_FDCWD, source)
    try:
        userns_fd = user_namespace(mappings(base), mappings(base))
        try:
            mounts.set_attributes(fd, add=constants.MOUNT_ATTR_IDMAP, userns_fd=userns_fd)
        finally:
            os.close(userns_fd)
    except BaseException:
        os.close(fd)
        raise
    return fd
