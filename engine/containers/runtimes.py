"""`--runtime`: which OCI runtime makes a container, and what hosts need of one that is not ours.

Ours is a library inside the shim. Any other is a program with the command line that runc has; its state lies in a
folder of its own below the run root. Its containers have their cgroup from config.json like all others, so limits,
signals, freezing and figures are had from the kernel, whoever made the container.
"""

from __future__ import annotations

import os

from ..errors import InvalidRequest, WrongState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroups import Cgroup

    from ..models import Container
    from ..paths import Paths

OURS = ("", "pydock-runc", "io.containerd.runc.v2")
"""Names for our own; the last is what docker's clients call their default."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def program(name: str) -> str:
    """The absolute path of a runtime by name or path; "" for ours. Raises InvalidRequest."""
    if name in OURS:
        return ""
    if name.startswith("/"):
        candidates = [name]
    elif "/" in name:
        candidates = []
    else:
        candidates = [f"{folder}/{name}" for folder in (*os.environ.get("PATH", _PATH).split(":"), *_PATH.split(":"))]
    for path in candidates:
        if path.startswith("/") and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise InvalidRequest(
        f"unknown or invalid runtime name: {name}", hint="A program in PATH such as crun or runc, or an absolute path."
    )


def state_root(paths: Paths, path: str) -> str:
    """Where a foreign runtime keeps its state."""
    return f"{paths.run_root}/runtimes/{os.path.basename(path)}"


def cgroup(paths: Paths, container: Container, runtime: str) -> Cgroup | None:
    """The cgroup of a container that runs."""
    if runtime in OURS:
        from runtime.container import Container as RuntimeContainer
        from runtime.errors import RuntimeFault

        try:
            return RuntimeContainer.load(paths.runtime, container.id).cgroup
        except RuntimeFault as error:  # it has ended since its row was read
            raise WrongState(f"container {container.name} is not running") from error
    return cgroup_of(container.pid, container.id)


def cgroup_of(pid: int, container_id: str) -> Cgroup | None:
    """The cgroup named after the container that its process is in; None when it is in none."""
    from runtime.cgroups import hosts
    from runtime.cgroups.open import cgroup_from_paths

    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    found = {}
    hierarchies = hosts.current().hierarchies
    for line in lines:
        _number, controllers, path = line.split(":", 2)
        if container_id not in path:
            continue
        for name in controllers.split(",") if controllers else (hosts.UNIFIED,):
            if name in hierarchies:
                found[name] = hierarchies[name].mount_point.rstrip("/") + path
    return cgroup_from_paths(found) if found else None


def clear_foreign(paths: Paths, container_id: str) -> None:
    """Have a foreign runtime forget a container whose shim was killed; its processes are gone by then, if they were in
    a cgroup. Nothing happens to ours. Raises RuntimeFault, OSError."""
    path = noted(paths, container_id)
    if path:
        from ..shim import foreign

        log = f"{paths.container(container_id)}/runtime.log"
        foreign.run(path, state_root(paths, path), ["delete", "--force", container_id], log=log)
        forget(paths, container_id)


def note(paths: Paths, container_id: str, path: str) -> None:
    """Remember, until the next boot, which program has made the container."""
    with open(_note(paths, container_id), "w", encoding="utf-8") as file:
        file.write(path)


def noted(paths: Paths, container_id: str) -> str:
    """The program that has made the container, "" for ours."""
    try:
        with open(_note(paths, container_id), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def forget(paths: Paths, container_id: str) -> None:
    try:
        os.unlink(_note(paths, container_id))
    except FileNotFoundError:
        pass


def _note(paths: Paths, container_id: str) -> str:
    return f"{paths.container_run(container_id)}/runtime"
