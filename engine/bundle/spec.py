"""Composes config.json: a create request and an image's configuration, as an OCI runtime bundle.

Built when the container is created, so that a wrong request is refused then, and again at each start, when its
addresses and the processes that it joins are known. Source: OCI runtime-spec 1.2, config.md and
config-linux.md.
"""

from __future__ import annotations

from ..containers.runtimes import OURS
from .capabilities import possible as possible_capabilities
from .devices import devices
from .files import write_files
from .id_range import mappings
from .mounts import mounts, root_propagation
from .namespaces import join, modes, namespaces
from .process import host_name, process
from .resources import resources
from .security import apparmor, masked_paths, readonly_paths, seccomp, sysctls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..images.config import ImageConfig
    from ..models import Container, CreateRequest
    from ..paths import Paths

OCI_VERSION = "1.2.0"
OLDEST_OCI_VERSION = "1.0.2"
CGROUP_PARENT = "/pydock"


def build(
    request: CreateRequest,
    image: ImageConfig,
    container: Container,
    paths: Paths,
    lower_dirs: tuple[str, ...],
    pid_of: Callable[[str], int] | None = None,
) -> dict[str, Any]:
    """The document; beside it the network files are written and missing bind sources made.

    `container` brings id, resolved command, mounts (volumes with names) and endpoints; its folder exists.
    `lower_dirs` are the image's layers, bottom first, read for passwd and group. `pid_of` is needed where a
    `container:ID` mode is to be started: it gives the pid of that container's init, 0 when it does not run.
    Raises InvalidRequest for what cannot be, HostUnfit for what the host lacks, WrongState for a joined
    container that does not run.
    """
    capabilities = possible_capabilities(request.cap_add, request.cap_drop, request.privileged)
    run = process(request, image, container, lower_dirs)
    profile = apparmor(request)
    if profile:
        run["apparmorProfile"] = profile
    linux: dict[str, Any] = {
        "namespaces": namespaces(request),
        "cgroupsPath": f"{cgroup_parent(request)}/{container.id}",
        "resources": resources(request),
        "devices": devices(request),
        "maskedPaths": masked_paths(request),
        "readonlyPaths": readonly_paths(request),
        "rootfsPropagation": root_propagation(request, container),
    }
    wanted_sysctls = sysctls(request)
    if container.id_base:
        linux["uidMappings"] = linux["gidMappings"] = mappings(container.id_base)
    if wanted_sysctls:
        linux["sysctl"] = wanted_sysctls
    filters = seccomp(request, capabilities)
    if filters:
        linux["seccomp"] = filters
    built: dict[str, Any] = {
        # Other runtimes refuse a version that is newer than they are; the document says nothing that 1.0 has not, or
        # that they could not pass over.
        "ociVersion": OCI_VERSION if request.runtime in OURS else OLDEST_OCI_VERSION,
        "process": run,
        "root": {"path": "rootfs", "readonly": request.read_only},
        "mounts": mounts(request, container, paths),
        "linux": linux,
    }
    if request.annotations:
        built["annotations"] = dict(request.annotations)
    if not modes(request)["uts"]:
        built["hostname"] = host_name(request, container)
        if request.domainname:
            built["domainname"] = request.domainname
    write_files(request, container, paths)
    if pid_of is not None:
        join(built, pid_of)
    return built


def cgroup_parent(request: CreateRequest) -> str:
    """The cgroup below which the container's own is made, from the root of each hierarchy."""
    return f"/{request.cgroup_parent.strip('/')}" if request.cgroup_parent else CGROUP_PARENT
