"""From the engine's exceptions to Docker's status codes and words; the only place that knows both."""

from __future__ import annotations

import http

from ..cli.border import worded
from ..cli.errors import UsageError
from ..errors import (
    Conflict,
    EngineError,
    HostUnfit,
    InvalidRequest,
    NotFound,
    StartFailed,
    Unauthorized,
    VolumeNotFound,
)
from .words import in_dockers_words

# the first that fits decides
_STATUS: tuple[tuple[type[EngineError], int], ...] = (
    (UsageError, 400),
    (InvalidRequest, 400),
    (NotFound, 404),
    (Conflict, 409),
    (Unauthorized, 401),
    (HostUnfit, 503),
)
_NOT_FOUND = ("executable file not found", "no such file or directory")
NOT_A_PROGRAM = (126, 127)


class ApiError(Exception):
    """An answer that is not the engine's: a wrong path, version, parameter or body, or what does not exist here."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def answer_to(error: Exception) -> tuple[int, str]:
    """(status, message) for an exception; whatever is not meant for people becomes a 500 with its type."""
    if isinstance(error, ApiError):
        return error.status, error.message
    if isinstance(error, StartFailed):
        return (400 if error.exit_code in NOT_A_PROGRAM else 500), start_message(error)
    if isinstance(error, VolumeNotFound):
        return 404, f"get {error.message.rpartition(': ')[2]}: no such volume"
    if isinstance(error, EngineError):
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        return status, in_dockers_words(worded(error.message))
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return 500, f"{where}{error.strerror.lower()}"
    return 500, f"unexpected {type(error).__name__}: {error}"


def start_message(error: StartFailed) -> str:
    """docker's client takes its exit code 126 or 127 from these words."""
    message = worded(error.message)
    if error.exit_code == 127 and not any(words in message for words in _NOT_FOUND):
        return f"{message}: executable file not found in $PATH"
    if error.exit_code == 126 and "permission denied" not in message:
        return f"{message}: permission denied"
    return message


def reason_of(status: int) -> bytes:
    """The phrase of the status line."""
    return http.HTTPStatus(status).phrase.encode()
