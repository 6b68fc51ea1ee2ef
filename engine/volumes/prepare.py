"""Makes mount sources: an image's root, and a path inside a volume or an image.

What lies inside is a container's to change, so the path is resolved once, by openat2(2) within its root, and the
directory or file that it led to is what gets mounted at a place of ours; exchanging links meanwhile leads nowhere
(CVE-2017-1002101 is the class). Runs in the mount namespace of a shim or a view, with which the mounts go.
"""

from __future__ import annotations

import os
import stat

from runtime.kernel import calls, constants, mounts

from ..errors import EngineError, InvalidRequest
from ..snapshots import rootfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .sources import Source

_RESOLVE = constants.RESOLVE_IN_ROOT | constants.RESOLVE_NO_MAGICLINKS


def prepare(source: Source) -> None:
    """Mount it. Raises InvalidRequest for a subpath that is not there."""
    base = source.base
    if not base:
        folder = f"{source.path}.image"
        os.makedirs(folder, mode=0o700, exist_ok=True)
        rootfs.mount(folder, source.lower_dirs)
        base = f"{folder}/rootfs"
    base_fd = os.open(base, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found_fd = calls.openat2(base_fd, source.subpath or ".", os.O_PATH, resolve=_RESOLVE)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise InvalidRequest(f"cannot access path {source.subpath!r} of the mount: {reason}") from error
    finally:
        os.close(base_fd)
    try:
        _attach(found_fd, source.path)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise EngineError(f"cannot mount path {source.subpath!r} at {source.path}: {reason}") from error
    finally:
        os.close(found_fd)


def _attach(found_fd: int, path: str) -> None:
    mount_fd = mounts.open_tree(found_fd, "", recursive=True)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        if stat.S_ISDIR(os.fstat(found_fd).st_mode):
            if os.path.isfile(path):
                os.unlink(path)
            os.makedirs(path, mode=0o700, exist_ok=True)
        else:
            if os.path.isdir(path):
                os.rmdir(path)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        target_fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            mounts.attach(mount_fd, target_fd)
        finally:
            os.close(target_fd)
    finally:
        os.close(mount_fd)
