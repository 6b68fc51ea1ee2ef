"""Id-mapped mounts: a bind mount whose files show other owners (mount_setattr(2), Linux 5.12).

The kernel takes the mapping from a user namespace; a child that lives just long enough to have one provides it.
"""

from __future__ import annotations

import os

from .. import idmap
from ..errors import SetupFailed
from ..kernel import calls, mounts
from ..kernel import constants as k

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .plan import PlannedMount

_HINTS = {22: "The file system of the source does not support id-mapped mounts."}


def apply(mount_fd: int, mount: PlannedMount) -> None:
    """Map the ids of a detached bind mount, recursively with `ridmap`. Raises SetupFailed."""
    uid_mappings, gid_mappings = mount.mappings
    if not uid_mappings:
        raise SetupFailed("id-mapped without uidMappings and gidMappings", path=f"{mount.place}.options")
    userns_fd = user_namespace(uid_mappings, gid_mappings)
    try:
        mounts.set_attributes(
            mount_fd,
            add=k.MOUNT_ATTR_IDMAP,
            userns_fd=userns_fd,
            recursive=mount.options.idmap == "ridmap",
        )
    except OSError as error:
        number = error.errno or 0
        raise SetupFailed(
            f"{mount.source} cannot be id-mapped: {error.strerror}",
            path=f"{mount.place}.uidMappings",
            hint=_HINTS.get(number, ""),
            errno=number,
        ) from error
    finally:
        os.close(userns_fd)


def user_namespace(uid_mappings: list[dict[str, int]], gid_mappings: list[dict[str, int]]) -> int:
    """A descriptor of a user namespace with these maps, whose only process is gone."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pid = calls.clone(k.CLONE_NEWUSER)
    if pid == 0:
        try:
            os.close(writer)
            os.read(reader, 1)
        finally:
            os._exit(0)
    try:
        idmap.write_maps(pid, uid_mappings, gid_mappings)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(reader)
        os.close(writer)
        os.waitpid(pid, 0)
