"""Unix sockets under folders of any depth.

A socket's path holds 107 bytes, and a container's run folder alone has 64 in its name. So the folder is
opened and the socket named through its descriptor (/proc/self/fd/N/name; unix(7), proc(5)).
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


def bind(sock: socket.socket, path: str) -> None:
    """Bind to a path, replacing what a dead owner left there; only the owner may connect."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    _named(path, sock.bind)
    os.chmod(path, 0o600)


def connect(sock: socket.socket, path: str) -> None:
    """Connect; FileNotFoundError or ConnectionRefusedError when nobody listens."""
    _named(path, sock.connect)


def send_to(sock: socket.socket, data: bytes, path: str) -> None:
    """Send one datagram."""
    _named(path, lambda name: sock.sendto(data, name))


def _named(path: str, action: Callable[[str], object]) -> None:
    if len(os.fsencode(path)) <= 107:
        action(path)
        return
    folder, name = os.path.split(path)
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        action(f"/proc/self/fd/{fd}/{name}")
    finally:
        os.close(fd)
