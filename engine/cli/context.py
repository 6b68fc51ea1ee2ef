"""What a command runs in: the engine, opened at its first use."""

from __future__ import annotations

import os

from ..errors import HostUnfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..engine import Engine
    from ..paths import Paths


class Context:
    """The roots that were asked for, and the engine over them. `close()` once at the end."""

    def __init__(self, root: str | None = None, run_root: str | None = None) -> None:
        self._root = root
        self._run_root = run_root
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine; opened on first use. Raises `HostUnfit` without root's rights."""
        if self._engine is None:
            require_root(self.paths.root)
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


def require_root(path: str) -> None:
    """Raise `HostUnfit` unless this process has root's rights, which namespaces and mounts need."""
    if os.geteuid() != 0:
        raise HostUnfit(
            f"this needs root: {path} belongs to it, and so do mounts and namespaces",
            hint="run it with sudo",
        )
