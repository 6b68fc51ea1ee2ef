"""What whoever ordered a start is told on its connection, before a session begins there."""

from __future__ import annotations

from runtime.errors import ExecFailed

from ..containers.session import error_data
from ..errors import EngineError, StartFailed
from . import frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from ..models import Phase


def as_start_failure(error: Exception) -> StartFailed:
    """Docker's exit codes: 127 when the program is not there, 126 when it cannot be executed, else 125."""
    if isinstance(error, StartFailed):
        return error
    if isinstance(error, EngineError):
        return StartFailed(error.message, hint=error.hint)
    if isinstance(error, ExecFailed):
        code = 127 if error.errno == 2 else 126
        return StartFailed(str(error), hint="The image has no such program." if code == 127 else "", exit_code=code)
    return StartFailed(str(error))


def send_failure(connection: socket.socket, failure: StartFailed) -> None:
    send_quietly(connection, frames.json_frame(frames.ERROR, error_data(failure)))


def send_phase(connection: socket.socket, phase: Phase) -> None:
    send_quietly(connection, frames.json_frame(frames.PHASE, phase.to_json()))


def send_quietly(connection: socket.socket, data: bytes) -> None:
    """The starter may be gone; the container starts all the same."""
    try:
        connection.sendall(data)
    except OSError:
        pass
