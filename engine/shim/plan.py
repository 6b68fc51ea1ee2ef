"""What a shim is told: everything it needs to start its container, and to start it again."""

from __future__ import annotations

from ..containers.log_options import LogSettings
from ..models import Endpoint, HealthCheck, Phase, RestartPolicy
from ..record import Record
from ..volumes.sources import Source  # noqa: TC001 - decoding looks it up


class CopyUp(Record):
    """A new volume to be filled from what the image has at its mount point."""

    target: str
    volume_path: str


class Plan(Record):
    """`lower_dirs`: the image's unpacked layers, bottom first. `foreground`: the connection that brings this plan goes
    on as an attached session. `rows`, `columns`: the first size of the terminal, 0 if unknown. `id_base`: where
    the ids of its user namespace begin on the host, 0 without one. `runtime`: the path of a runtime that is not
    ours. `dns`: resolvers of the container's own. `volumes`: the data folders of all its volumes. `propagates`:
    mounts of the host are to come in, or its own out. `phases`: what was done before the shim came in."""

    container_id: str
    name: str
    root: str
    run_root: str
    lower_dirs: tuple[str, ...]
    network: str
    endpoints: tuple[Endpoint, ...] = ()
    dns: tuple[str, ...] = ()
    copy_ups: tuple[CopyUp, ...] = ()
    runtime: str = ""
    sources: tuple[Source, ...] = ()
    volumes: tuple[str, ...] = ()
    propagates: bool = False
    id_base: int = 0
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = True
    auto_remove: bool = False
    foreground: bool = False
    rows: int = 0
    columns: int = 0
    restart: RestartPolicy = RestartPolicy()
    health: HealthCheck | None = None
    log: LogSettings = LogSettings()
    phases: tuple[Phase, ...] = ()
