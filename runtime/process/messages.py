"""What the creating process and the container's first process tell each other, over one socket pair.

        creator                                 stage (only where needed)            init
           |<------------- MAP_ME --------------------|                               |
           |-------------- MAPPED ------------------->|                               |
           |<------------- OFFSETS -------------------|                               |
           |-------------- OFFSETS_SET -------------->|                               |
           |<------------- BORN pid ------------------|                               |
           |-------------- MAPPED (no stage, new user namespace) -------------------->|
           |-------------- IN_CGROUP pid -------------------------------------------->|
           |<------------- CONSOLE + descriptor --------------------------------------|
           |<------------- MOUNTED (prestart and createRuntime hooks are due) --------|
           |-------------- HOOKS_RUN ------------------------------------------------>|
           |<------------- READY phases ----------------------------------------------|
           |<------------- FAILED what path hint errno, instead of any of these ------|

An `exec` uses IN_CGROUP, CONSOLE, READY (about to execute; then the end of file says that it worked) and FAILED.
A message is one kind byte and fields separated by NUL. End of file at any other point means that the other
side is gone.
"""

from __future__ import annotations

import os

from ..errors import ExecFailed, HookFailed, InvalidConfig, RuntimeFault, SetupFailed
from ..kernel import sockets

MAP_ME = b"m"
MAPPED = b"M"
OFFSETS = b"t"
OFFSETS_SET = b"T"
BORN = b"b"
IN_CGROUP = b"C"
CONSOLE = b"c"
MOUNTED = b"h"
HOOKS_RUN = b"H"
READY = b"r"
FAILED = b"f"

EXECUTING = b"\1"
"""What init writes to the fifo of `start` just before its execve."""

_LIMIT = 1 << 16
_KINDS: dict[str, type[RuntimeFault]] = {
    kind.__name__: kind for kind in (RuntimeFault, InvalidConfig, SetupFailed, HookFailed, ExecFailed)
}


class Channel:
    """One end of the pair. Owns its descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def send(self, kind: bytes, *fields: str) -> None:
        """Send one message. Raises OSError (EPIPE) when nobody is there any more."""
        os.write(self.fd, kind + "\0".join(fields).encode("utf-8", "surrogateescape"))

    def send_descriptor(self, kind: bytes, fd: int) -> None:
        sockets.send_descriptor(self.fd, kind, fd)

    def send_failure(self, fault: RuntimeFault) -> None:
        """Tell the creator what went wrong; nothing more is to be expected afterwards."""
        kind = type(fault).__name__ if type(fault).__name__ in _KINDS else "SetupFailed"
        errno = getattr(fault, "errno", 0) or 0
        self.send(FAILED, kind, fault.message, fault.path, fault.hint, str(errno))

    def receive(self) -> tuple[bytes, list[str], int]:
        """The next message: kind, fields, descriptor (or -1). Kind b"" at the end of file.

        Raises what a FAILED message carries.
        """
        try:
            message, fd = sockets.receive_descriptor(self.fd, _LIMIT)
        except ConnectionResetError:
            # The other side went without reading all; what it had said itself comes after this error.
            message, fd = sockets.receive_descriptor(self.fd, _LIMIT)
        fields = message[1:].decode("utf-8", "surrogateescape").split("\0")
        if message[:1] == FAILED:
            raise _fault(fields)
        return message[:1], fields, fd

    def expect(self, kind: bytes) -> list[str]:
        """The fields of the next message, which must be of this kind; on the init's side."""
        got, fields, _fd = self.receive()
        if got != kind:
            raise SetupFailed("the creating process is gone")
        return fields

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def channel_pair() -> tuple[Channel, Channel]:
    """The creator's and the child's end."""
    ours, theirs = sockets.socket_pair()
    return Channel(ours), Channel(theirs)


def _fault(fields: list[str]) -> RuntimeFault:
    kind, message, path, hint, number = fields
    found = _KINDS.get(kind, SetupFailed)
    if issubclass(found, SetupFailed):
        return found(message, path=path, hint=hint, errno=int(number))
    return found(message, path=path, hint=hint)


def parse_failure(message: bytes) -> RuntimeFault:
    """The fault that a FAILED message carries, got by another way than a channel."""
    return _fault(message[1:].decode("utf-8", "surrogateescape").split("\0"))


def as_fault(error: BaseException, step: str) -> RuntimeFault:
    """Any exception of a child's step as a fault that can be sent."""
    if isinstance(error, RuntimeFault):
        return error
    if isinstance(error, OSError):
        detail = error.strerror or os.strerror(error.errno or 0)
        path = os.fsdecode(error.filename) if error.filename else ""
        return SetupFailed(f"{step}: {detail}", path=path, errno=error.errno or 0)
    return SetupFailed(f"{step}: {type(error).__name__}: {error}")
