"""What a command runs in: the engine, opened at its first use."""

from __future__ import annotations

import os

from ..errors import HostUnfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import cast

    from ..engine import Engine
    from ..paths import Paths
    from ..remote.engine import RemoteEngine
    from .hosts import Asked
else:

    def cast(_kind, value):
        return value


class Context:
    """The roots that were asked for, and the engine over them, or another engine. `close()` once at the end."""

    def __init__(self, root: str | None = None, run_root: str | None = None, asked: Asked | None = None) -> None:
        self._root = root
        self._run_root = run_root
        self.asked = asked
        self._engine: Engine | None = None
        self._remote: RemoteEngine | None = None
        self._decided = False

    @property
    def engine(self) -> Engine:
        """The engine, or what has its face and is another one; opened on first use. Raises `HostUnfit` when this
        person may use neither."""
        self._decide()
        if self._remote is not None:
            return cast("Engine", self._remote)
        return self.here

    @property
    def remote(self) -> RemoteEngine | None:
        """The other engine, where commands speak to one; it does what has to be done on its own machine."""
        self._decide()
        return self._remote

    @property
    def here(self) -> Engine:
        """The engine of this machine, whatever the environment names: for what is done on the spot or not at all."""
        if self._engine is None:
            require_root(self.paths)
            from ..engine import Engine

            self._engine = Engine(self._root, self._run_root)
        return self._engine

    @property
    def paths(self) -> Paths:
        """Where this engine's files lie; needs no rights."""
        from ..paths import Paths

        return Paths(self._root, self._run_root)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        if self._remote is not None:
            self._remote.close()
            self._remote = None

    def _decide(self) -> None:
        if self._decided:
            return
        from .hosts import find_target, usable_socket

        target = find_target(self.asked, self.paths.run_root)
        if target is None and os.geteuid() != 0:
            target = usable_socket(self.paths.run_root)
            if target is None:
                require_root(self.paths)
        if target is not None:
            from ..remote.engine import RemoteEngine

            self._remote = RemoteEngine(target)
        self._decided = True


def require_root(paths: Paths) -> None:
    """Raise `HostUnfit` unless this process has root's rights; says which socket would do instead."""
    if os.geteuid() == 0:
        return
    from .hosts import SOCKET_NAME

    path = f"{paths.run_root}/{SOCKET_NAME}"
    if os.path.exists(path):
        cure = f"Run it with sudo, or join the group that owns {path}{_group(path)}."
    else:
        cure = f"Run it with sudo. Or let root run 'pydock serve --group GROUP': then {path} is used, without sudo."
    raise HostUnfit(f"this needs root: {paths.root} belongs to it, and so do mounts and namespaces", hint=cure)


def _group(path: str) -> str:
    import grp

    try:
        name = grp.getgrgid(os.stat(path).st_gid).gr_name
    except (OSError, KeyError):
        return ""
    return "" if name == "root" else f" ({name}): sudo usermod -aG {name} $USER"
