"""The program that `--init` puts before the container's own: ours (engine/init/init.c), or a distribution's."""

from __future__ import annotations

import os

from ..errors import HostUnfit

INIT_TARGET = "/sbin/docker-init"

# Statically linked ones as distributions ship them, for machines that ours is not built for.
_OTHERS = (
    "/usr/libexec/docker/docker-init",
    "/usr/bin/docker-init",
    "/usr/sbin/docker-init",
    "/usr/bin/tini-static",
    "/usr/libexec/podman/catatonit",
    "/usr/bin/catatonit",
)


def init_binary() -> str:
    """The program on the host; it is bound into the container. Raises HostUnfit."""
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "init")
    for path in (f"{folder}/init-{os.uname().machine}", *_OTHERS):
        if os.access(path, os.X_OK):
            return path
    raise HostUnfit(
        "no init program for --init on this host",
        hint="Install one of them: apt install catatonit, or tini.",
    )
