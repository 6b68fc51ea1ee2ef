"""Which namespaces the container gets, and those it shares with the host or another container.

`container:ID` modes cannot be settled when the container is created, as the other's process changes with each
start: they are written as the path `container:ID:KIND`, which no runtime takes for a real one, and `join` puts
the path of the running process there at every start.
"""

from __future__ import annotations

from ..errors import InvalidRequest, WrongState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..models import CreateRequest

_FILES = {"network": "net", "pid": "pid", "ipc": "ipc", "uts": "uts"}


def namespaces(request: CreateRequest) -> list[dict[str, str]]:
    """`linux.namespaces`: a kind that is missing is the host's own."""
    built = [{"type": "mount"}]
    if not shares_host_cgroups(request):
        built.append({"type": "cgroup"})
    if request.userns_mode == "auto":
        built.append({"type": "user"})
    for kind, mode in modes(request).items():
        if mode == "host":
            continue
        if mode.startswith("container:"):
            built.append({"type": kind, "path": f"{mode}:{kind}"})
        else:
            built.append({"type": kind})
    return built


def modes(request: CreateRequest) -> dict[str, str]:
    """The mode per kind: "host", "container:ID" or "" for a new one."""
    network = request.network
    ipc = request.ipc_mode
    wanted = {
        "network": network if network == "host" or network.startswith("container:") else "",
        "pid": request.pid_mode,
        "ipc": "" if ipc in ("private", "shareable", "none") else ipc,
        "uts": request.uts_mode,
    }
    if request.network.startswith("container:") and not wanted["uts"]:
        # As Docker has it: who shares a network shares the host name that stands for it.
        wanted["uts"] = network
    for kind, mode in wanted.items():
        if mode and mode != "host" and not (mode.startswith("container:") and mode != "container:"):
            option = "network" if kind == "network" else kind
            raise InvalidRequest(f'invalid --{option} mode "{mode}": host or container:NAME is wanted')
    return wanted


def shares_host_cgroups(request: CreateRequest) -> bool:
    """Whether the container sees the host's cgroup tree. Unlike Docker's on cgroup v1, ours is private by default."""
    return request.cgroupns_mode == "host"


def joined(request: CreateRequest) -> tuple[str, ...]:
    """The containers whose namespaces this one joins, by the reference as it stands in the request."""
    names = {mode.partition(":")[2] for mode in modes(request).values() if mode.startswith("container:")}
    return tuple(sorted(names))


def with_ids(request: CreateRequest, id_of: Callable[[str], str]) -> CreateRequest:
    """The request with the full ids of the containers that it joins, so that a later rename changes nothing.

    `id_of` finds a container's id by name or id, and raises ContainerNotFound.
    """
    changes = {}
    for field in ("network", "pid_mode", "ipc_mode", "uts_mode"):
        mode = getattr(request, field)
        if mode.startswith("container:"):
            changes[field] = f"container:{id_of(mode.removeprefix('container:'))}"
    return request.replace(**changes) if changes else request


def join(spec: dict[str, Any], pid_of: Callable[[str], int]) -> None:
    """Point the `container:ID` entries of `spec` at running processes, at each start.

    `pid_of` gives the pid of a container's init by the reference in the request, 0 when it does not run: then
    WrongState is raised.
    """
    for entry in spec["linux"]["namespaces"]:
        path = entry.get("path", "")
        if path.startswith("container:"):
            reference = path.split(":")[1]
            entry["path"] = f"/proc/{_pid(reference, pid_of)}/ns/{_FILES[entry['type']]}"
    for mount in spec["mounts"]:
        source = mount.get("source", "")
        if source.startswith("container:"):
            _, reference, path = source.split(":", 2)
            mount["source"] = f"/proc/{_pid(reference, pid_of)}/root{path}"


def _pid(reference: str, pid_of: Callable[[str], int]) -> int:
    pid = pid_of(reference)
    if pid <= 0:
        raise WrongState(
            f"cannot join the namespaces of {reference}: it is not running",
            hint=f"Start it first: pydock start {reference}",
        )
    return pid
