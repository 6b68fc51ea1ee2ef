"""Facts about the engine and its host, named as `docker info` names them."""

from __future__ import annotations

import os

from . import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .engine import Engine


def facts(engine: Engine) -> dict[str, Any]:
    """Counts and properties; cheap enough to ask at every start of a dashboard."""
    from runtime.cgroups import hosts

    states = [container.state for container in engine.containers.list(all=True)]
    kernel = os.uname()
    return {
        "ServerVersion": __version__,
        "Containers": len(states),
        "ContainersRunning": states.count("running"),
        "ContainersPaused": states.count("paused"),
        "ContainersStopped": len(states) - states.count("running") - states.count("paused"),
        "Images": len(engine.images.list()),
        "Driver": "overlay",
        "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": "2" if hosts.current().mode == "v2" else "1",
        "KernelVersion": kernel.release,
        "OperatingSystem": _operating_system(),
        "OSType": "linux",
        "Architecture": kernel.machine,
        "NCPU": os.cpu_count() or 1,
        "MemTotal": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "Name": kernel.nodename,
        "DockerRootDir": engine.paths.root,
        "RunRoot": engine.paths.run_root,
        "DefaultRuntime": "pydock-runc",
        "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
    }


def _operating_system() -> str:
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            for line in file:
                if line.startswith("PRETTY_NAME="):
                    return line.split("=", 1)[1].strip().strip('"')
    except OSError:
        pass
    return "Linux"
