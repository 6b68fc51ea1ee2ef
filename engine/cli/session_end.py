"""What the end of a stream means for a command: its message and its exit code."""

from __future__ import annotations

import sys

from ..errors import ContainerNotFound, EngineError
from . import stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..engine import Engine
    from .stream import Outcome


def container_exit_code(engine: Engine, container_id: str, outcome: Outcome) -> int:
    """The exit code for a joined container; waits for the record when the session broke off before it."""
    if outcome.kind == stream.DETACHED:
        sys.stderr.write("read escape sequence\n")
        return 0
    if outcome.kind == stream.LOST:
        try:
            return engine.containers.wait(container_id)
        except ContainerNotFound:
            raise EngineError(f"the connection to container {container_id[:12]} broke, and it is gone since") from None
    return outcome.code


def exec_exit_code(container: str, outcome: Outcome) -> int:
    """The exit code for a joined exec."""
    if outcome.kind == stream.DETACHED:
        sys.stderr.write("read escape sequence\n")
        return 0
    if outcome.kind == stream.LOST:
        raise EngineError(
            f"the connection to container {container} broke before the command told its exit code",
            hint=f"pydock ps -a --filter name={container} shows what became of it",
        )
    return outcome.code
