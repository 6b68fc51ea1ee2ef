"""Root file systems by overlayfs: `lower_dirs` shared, `upper/` and `work/` in the container's bundle.

Layers are given one by one (`lowerdir+`, Linux 6.8), which has no limit but overlayfs' own 500. Older kernels take
them in one page of mount options; there they are passed as descriptors, whose names are short and need no escapes.
Runs in the shim: single-threaded, few imports. Source: kernel Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

import errno
import os
import stat

from runtime.kernel import mounts

from ..errors import HostUnfit

FSCONFIG_MAXIMUM = 255
_plain_options: list[str] | None = None
_PATH = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


def mount(container_dir: str, lower_dirs: tuple[str, ...], *, volatile: bool = False, id_base: int = 0) -> None:
    """See `snapshotter`. Raises HostUnfit when overlayfs refuses these directories."""
    for path in lower_dirs:
        if not os.path.isdir(path):
            raise HostUnfit(f"layer {path} is missing", hint="Pull the image again.")
    for name in ("rootfs", "upper", "work"):
        _make(f"{container_dir}/{name}", lower_dirs if name == "upper" else ())
    _forget_volatile(container_dir)
    if not lower_dirs:
        lower_dirs = (f"{container_dir}/empty",)
        _make(lower_dirs[0], ())
    try:
        if id_base:
            from runtime.kernel.fsuid import FileSystemUser

            from .mapped import MappedLayers

            # overlayfs works in upper/ and work/ as whoever mounts it, and there the host's root is nobody.
            with MappedLayers(container_dir, lower_dirs, id_base) as mapped, FileSystemUser(id_base, id_base):
                _mount(container_dir, mapped.own, mapped.lower_dirs, volatile)
        else:
            _mount(container_dir, container_dir, lower_dirs, volatile)
    except OSError as error:
        raise _refusal(error, container_dir) from error


def unmount(container_dir: str) -> None:
    """See `snapshotter`."""
    try:
        mounts.umount(f"{container_dir}/rootfs")
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise


def _mount(container_dir: str, own_dir: str, lower_dirs: tuple[str, ...], volatile: bool) -> None:
    """`own_dir` has upper/ and work/: the container's folder, or that folder mounted in another place."""
    flags = [*_plain(), *(["volatile"] if volatile else [])]
    upper = [f"upperdir={own_dir}/upper", f"workdir={own_dir}/work"]
    paths = (*lower_dirs, f"{own_dir}/upper")
    # Longer values are refused; some of these characters mean something to some kernels.
    if not any(len(path) > FSCONFIG_MAXIMUM or set(path) & set(":,\\") for path in paths):
        lower = [f"lowerdir+={path}" for path in reversed(lower_dirs)]
        try:
            mount_fd = mounts.new_filesystem("overlay", "overlay", [*lower, *upper, *flags])
        except OSError as error:
            # No fsopen before 5.2, no `lowerdir+` before 6.8; a true refusal is repeated below.
            if error.errno not in (errno.ENOSYS, errno.EINVAL):
                raise
        else:
            _attach(mount_fd, f"{container_dir}/rootfs")
            return
    _mount_by_descriptors(container_dir, own_dir, lower_dirs, flags)


def _plain() -> list[str]:
    """Options for changes that are whole files in their places, where the kernel does otherwise by default: a renamed
    directory that only redirects, or a file without its data, would be lost on `diff` and `commit`."""
    global _plain_options
    if _plain_options is None:
        _plain_options = []
        for name in ("redirect_dir", "metacopy"):
            try:
                with open(f"/sys/module/overlay/parameters/{name}", encoding="ascii") as file:
                    if file.read(1) == "Y":
                        _plain_options.append(f"{name}=off")
            except OSError:
                continue
    return _plain_options


def _attach(mount_fd: int, target: str) -> None:
    try:
        target_fd = os.open(target, _PATH | os.O_NOFOLLOW)
        try:
            mounts.attach(mount_fd, target_fd)
        finally:
            os.close(target_fd)
    finally:
        os.close(mount_fd)


def _mount_by_descriptors(container_dir: str, own_dir: str, lower_dirs: tuple[str, ...], flags: list[str]) -> None:
    fds: list[int] = []
    try:
        for path in (*reversed(lower_dirs), f"{own_dir}/upper", f"{own_dir}/work"):
            fds.append(os.open(path, _PATH))
        *lower, upper, work = [f"/proc/self/fd/{fd}" for fd in fds]
        data = ",".join([f"lowerdir={':'.join(lower)}", f"upperdir={upper}", f"workdir={work}", *flags])
        mounts.mount("overlay", f"{container_dir}/rootfs", "overlay", 0, data)
    finally:
        for fd in fds:
            os.close(fd)


def _make(path: str, lower_dirs: tuple[str, ...]) -> None:
    """Make a directory; the upper one takes the attributes of the image's root, which it stands for."""
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        return
    os.chmod(path, 0o755)
    if lower_dirs:
        root = os.stat(lower_dirs[-1])
        os.chown(path, root.st_uid, root.st_gid)
        os.chmod(path, stat.S_IMODE(root.st_mode))


def _forget_volatile(container_dir: str) -> None:
    """After a volatile mount the kernel refuses the next one until told that the changes are still wanted."""
    note = os.path.join(container_dir, "work", "work", "incompat", "volatile")
    for remove, path in ((os.rmdir, f"{note}/dirty"), (os.unlink, f"{note}/dirty"), (os.rmdir, note)):
        try:
            remove(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue


def _refusal(error: OSError, container_dir: str) -> HostUnfit:
    if error.errno == errno.ENODEV:
        return HostUnfit("this kernel has no overlayfs", hint="modprobe overlay")
    return HostUnfit(
        f"overlayfs refuses {container_dir}: {error.strerror}",
        hint="The data root must lie on a file system that overlayfs can write to, such as ext4 or xfs.",
    )
