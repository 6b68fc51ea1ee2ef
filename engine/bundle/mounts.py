"""`mounts`: what Docker mounts into every container, the three network files, and what the request adds.

Order is the order of mounting: kernel file systems first, then the rest by depth of the target, so that a mount
never hides one below it that was asked for too. A target of the request replaces the default one there.
"""

from __future__ import annotations

import os
import posixpath

from ..errors import EngineError, InvalidRequest
from . import id_range
from .idmap import mappings
from .init import INIT_TARGET, init_binary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..models import Container, CreateRequest, Mount
    from ..paths import Paths

#: Option of a bind mount: fail when the source is not there, as `--mount` wants; `-v` makes a directory.
MUST_EXIST = "must-exist"

_PROPAGATION = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
# Options of the engine or of others' SELinux; the kernel does not know them.
_NOT_FOR_THE_RUNTIME = frozenset(
    (
        *("z", "Z", "nocopy", "copy", "ro", "rw", "rro", "ro-non-recursive", "ro-force-recursive", "bind", "rbind"),
        *("cached", "delegated", "consistent", MUST_EXIST),
    )
)
_TMPFS_DEFAULTS = ("noexec", "nosuid", "nodev")
NETWORK_FILES = ("resolv.conf", "hostname", "hosts")


def mounts(request: CreateRequest, container: Container, paths: Paths) -> list[dict[str, Any]]:
    """The list. Bind sources are checked, and made where Docker makes them."""
    chosen = container.mounts or request.mounts
    wanted = {_clean(mount.target): mount for mount in chosen}
    places = {_clean(mount.target): paths.mount_source(container.id, index) for index, mount in enumerate(chosen)}
    built = [mount for mount in kernel_mounts(request) if mount["destination"] not in wanted]
    later = [mount for mount in network_files(request, container, paths) if mount["destination"] not in wanted]
    if container.id_base:
        later = [id_range.with_mappings(mount, container.id_base) for mount in later]
    if request.init:
        later.append(_bind(init_binary(), INIT_TARGET, ["bind", "ro"]))
    for target, mount in wanted.items():
        asked = _requested(target, mount, paths, places[target])
        # A folder of the host stays whose it is; what is the engine's own is the container's root's.
        if container.id_base and mount.type in ("volume", "image") and "uidMappings" not in asked:
            asked = id_range.with_mappings(asked, container.id_base)
        later.append(asked)
    later.sort(key=lambda mount: str(mount["destination"]).count("/"))
    return built + later


def kernel_mounts(request: CreateRequest) -> list[dict[str, Any]]:
    """The file systems that come from the kernel."""
    own = ["nosuid", "noexec", "nodev"]
    read_only = [] if request.privileged else ["ro"]
    built: list[dict[str, Any]] = [
        _mount("/proc", "proc", "proc", own),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount(
            "/dev/pts",
            "devpts",
            "devpts",
            ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        _mount("/sys", "sysfs", "sysfs", [*own, *read_only]),
        _mount("/sys/fs/cgroup", "cgroup", "cgroup", [*own, *read_only]),
    ]
    ipc = request.ipc_mode
    if ipc == "host":
        built.append(_bind("/dev/mqueue", "/dev/mqueue", ["rbind", *own]))
        built.append(_bind("/dev/shm", "/dev/shm", ["rbind", *own]))
    elif ipc.startswith("container:"):
        # `namespaces.join` puts the other's root in front when it is known.
        built.append(_mount("/dev/mqueue", "mqueue", "mqueue", own))
        built.append(_bind(f"{ipc}:/dev/shm", "/dev/shm", ["rbind", *own]))
    else:
        built.append(_mount("/dev/mqueue", "mqueue", "mqueue", own))
        if ipc != "none":
            built.append(_mount("/dev/shm", "tmpfs", "shm", [*own, "mode=1777", f"size={request.shm_size}"]))
    return [mount for mount in built if mount["destination"] != "/dev/mqueue" or _mqueue(mount)]


def network_files(request: CreateRequest, container: Container, paths: Paths) -> list[dict[str, Any]]:
    """hosts, hostname and resolv.conf, kept in the bundle so that they can change while the container runs."""
    owner = container.id
    if request.network.startswith("container:"):
        owner = request.network.partition(":")[2]
    folder = paths.container(owner)
    access = "ro" if request.read_only else "rw"
    return [_bind(f"{folder}/{name}", f"/etc/{name}", ["rbind", "rprivate", access]) for name in NETWORK_FILES]


def root_propagation(request: CreateRequest, container: Container) -> str:
    """The root's propagation must let through what a mount asks for."""
    asked = {option for mount in container.mounts or request.mounts for option in mount.options}
    if asked & {"shared", "rshared"}:
        return "rshared"
    if asked & {"slave", "rslave"}:
        return "rslave"
    return "rprivate"


def _requested(target: str, mount: Mount, paths: Paths, prepared: str) -> dict[str, Any]:
    """`prepared`: where the source of an image, or of a path inside something, will have been made."""
    if mount.type == "tmpfs":
        return _mount(target, "tmpfs", "tmpfs", _tmpfs_options(mount))
    if mount.type == "image" or mount.subpath:
        source = prepared
    elif mount.type == "volume":
        if not mount.source:
            raise InvalidRequest(f"the anonymous volume at {target} has no name yet")
        source = paths.volume(mount.source)
    else:
        source = mount.source
        _ensure_source(source, mount)
    options = [
        option for option in mount.options if option not in _NOT_FOR_THE_RUNTIME and not option.startswith("idmap")
    ]
    if not _PROPAGATION & set(options):
        options.append("rprivate")
    options.insert(0, "bind" if "bind" in mount.options else "rbind")
    given = set(mount.options)
    if mount.read_only or given & {"ro", "rro", "ro-force-recursive"}:
        options.append("ro")
        if not given & {"bind", "ro-non-recursive", "writable"}:
            # Else what is mounted below the source would stay writable.
            options.append("rro")
    # Never "rw": what the host has mounted read-only stays so.
    return _bind(source, target, options) | mappings(mount, options)


def _ensure_source(source: str, mount: Mount) -> None:
    if not source.startswith("/"):
        raise InvalidRequest(f'bind source path "{source}" must be absolute')
    if os.path.lexists(source):
        if not os.path.exists(source):
            raise InvalidRequest(f"bind source path does not exist: {source} is a dangling symbolic link")
        return
    if MUST_EXIST in mount.options:
        raise InvalidRequest(
            f"invalid mount config for type bind: bind source path does not exist: {source}",
            hint="Make it first, or use -v, which makes a directory there.",
        )
    try:
        os.makedirs(source, mode=0o755, exist_ok=True)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise EngineError(f"error while creating mount source path {source}: {reason}") from error


def _tmpfs_options(mount: Mount) -> list[str]:
    given = [option for option in mount.options if option not in ("rw", "ro", "nocopy")]
    chosen = [name for name in _TMPFS_DEFAULTS if name.removeprefix("no") not in given and name not in given]
    if mount.read_only or "ro" in mount.options:
        chosen.append("ro")
    if not any(option.startswith("mode=") for option in given):
        chosen.append("mode=1777")
    return chosen + given


def _mqueue(mount: dict[str, Any]) -> bool:
    # A kernel without CONFIG_POSIX_MQUEUE has nothing to mount there, and not every host mounts its own.
    return os.path.isdir(mount["source"] if mount["type"] == "bind" else "/proc/sys/fs/mqueue")


def _mount(target: str, kind: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": options}


def _bind(source: str, target: str, options: list[str]) -> dict[str, Any]:
    return _mount(target, "bind", source, options)


def _clean(target: str) -> str:
    return posixpath.normpath(target)
