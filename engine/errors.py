"""The engine's exceptions: few, by what a caller can do about them.

Texts are lower case and name the object; `hint` is a separate sentence that says what to do. `exit_code` is
Docker's: 125 for the engine, 126 not executable, 127 not found, 1 for refused operations on existing objects.
"""

from __future__ import annotations


class EngineError(Exception):
    """Anything the engine refuses or fails at; shown to people as one line."""

    exit_code = 125

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidRequest(EngineError):
    """The request itself is wrong: a flag, a name, a port, a reference."""


class NotFound(EngineError):
    """No such container, image, network or volume."""


class ContainerNotFound(NotFound):
    """No such container."""


class ImageNotFound(NotFound):
    """No such image here, or in the registry."""


class NetworkNotFound(NotFound):
    """No such network."""


class VolumeNotFound(NotFound):
    """No such volume."""


class Conflict(EngineError):
    """The object's state, or another object, does not allow this now."""


class NameInUse(Conflict):
    """Another object has this name."""


class InUse(Conflict):
    """The object is used by others, whom the message names."""


class WrongState(Conflict):
    """The container is in a state that does not allow the operation: `state` is what it is in, `wanted` what would do;
    both are empty where there is more to it than a state."""

    def __init__(self, message: str, *, hint: str = "", state: str = "", wanted: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.state = state
        self.wanted = wanted


class RegistryError(EngineError):
    """The registry refused, lied or could not be reached."""


class Unauthorized(RegistryError):
    """The registry wants credentials, or other ones."""


class CorruptContent(EngineError):
    """A blob, manifest or layer is not what its digest or format says."""


class DiskFull(EngineError):
    """The disk is full, or refuses to be written to; the message says which."""


class ShimSilent(EngineError):
    """The process that has a container in its hands lives and does not answer."""


class StartFailed(EngineError):
    """The container's program could not be started; `exit_code` is Docker's 125, 126 or 127."""

    def __init__(self, message: str, *, hint: str = "", exit_code: int = 125) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


class HostUnfit(EngineError):
    """This host lacks something that the operation needs; the hint is the cure."""


class Cancelled(EngineError):
    """The caller asked for the operation to stop."""
