"""SCMP_ACT_NOTIFY: the way of the filter's notification descriptor to the agent at linux.seccomp.listenerPath.

The filter is already in force when there is a descriptor to send, so the connection is made before: a socket whose
writes the filter leaves to the agent itself could never announce it. The message is the ContainerProcessState of
runtime-spec (config-linux.md, "Seccomp").
"""

from __future__ import annotations

import os

from .. import jsontext
from ..errors import SetupFailed
from ..kernel import sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def connect(path: str) -> int:
    """A descriptor connected to the agent, made in the creator, where the path means the host's."""
    try:
        return sockets.connect_stream(path)
    except OSError as error:
        raise SetupFailed(
            f"no agent listens on {path}: {os.strerror(error.errno or 0)}",
            path="linux.seccomp.listenerPath",
            errno=error.errno or 0,
        ) from error


def process_state(state: dict[str, Any], pid: int, metadata: str) -> bytes:
    """The message that goes with the descriptor."""
    return jsontext.dumps(
        {
            "ociVersion": state["ociVersion"],
            "fds": ["seccompFd"],
            "pid": pid,
            "metadata": metadata,
            "state": state,
        }
    ).encode()


def hand_over(socket_fd: int, message: bytes, notify_fd: int) -> None:
    """Send the descriptor to the agent and forget it here."""
    try:
        sockets.send_descriptor(socket_fd, message, notify_fd)
    finally:
        os.close(notify_fd)
        os.close(socket_fd)
