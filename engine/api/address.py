"""Where a server listens: unix sockets, TCP behind TLS, and what systemd has opened already.

Whoever may open the unix socket has root's power over this machine, so its file belongs to root with mode 0600, or
0660 for one group, from its first moment. On TCP a client certificate is the only way in: there is no other door.
"""

from __future__ import annotations

import fcntl
import grp
import os
import socket
from typing import TYPE_CHECKING

from .. import unix
from ..errors import Conflict, EngineError, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack

ACTIVATION_FD = 3
"""The first descriptor that systemd passes (sd_listen_fds(3))."""
DEFAULT_PORT = 2376
_WRITTEN = "written as unix:///PATH, tcp://ADDRESS[:PORT] or fd://"


class Listener:
    """A socket that listens, and how a person names it."""

    def __init__(self, sock: socket.socket, name: str) -> None:
        self.sock = sock
        self.name = name

    @property
    def needs_tls(self) -> bool:
        return self.sock.family != socket.AF_UNIX


class Address:
    """One `--host`. `path`: of a unix socket; `host` and `port`: of TCP; neither: the sockets of systemd."""

    def __init__(self, text: str) -> None:
        """Raises `ValueError` for what is none."""
        scheme, separator, rest = text.partition("://")
        self.text = text
        self.path, self.host, self.port = "", "", 0
        if not separator:
            raise ValueError(_WRITTEN)
        if scheme == "unix" and rest.startswith("/"):
            self.path = rest
        elif scheme == "tcp" and rest:
            host, colon, port = rest.rpartition(":")
            if not colon or rest.endswith("]"):
                host, port = rest, str(DEFAULT_PORT)
            self.host = host.strip("[]")
            if not (port.isdigit() and int(port) < 1 << 16):
                raise ValueError(_WRITTEN)
            self.port = int(port)
        elif scheme != "fd":
            raise ValueError(_WRITTEN)

    @property
    def is_tcp(self) -> bool:
        return not self.path and self.text.startswith("tcp")


def open_all(addresses: Sequence[Address], group: str, stack: ExitStack) -> list[Listener]:
    """Listen everywhere, or nowhere; `stack` takes it all back. Raises `Conflict` when another server is there."""
    group_id = _group_id(group) if group else -1
    found: list[Listener] = []
    passed = _activated()
    for address in addresses:
        if address.path:
            found.append(_unix(address.path, group_id, stack))
        elif address.is_tcp:
            found.append(_tcp(address, stack))
        elif not passed:
            raise InvalidRequest("fd:// without a socket from systemd", hint="Start it by a .socket unit.")
        else:
            found += passed
    for listener in found:
        stack.callback(listener.sock.close)
    return found


def is_activated() -> bool:
    return os.environ.get("LISTEN_PID") == str(os.getpid())


def _activated() -> list[Listener]:
    """The sockets of systemd, once: what is started from here must not take them for its own."""
    if not is_activated():
        return []
    count = os.environ.get("LISTEN_FDS", "")
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    found = []
    for fd in range(ACTIVATION_FD, ACTIVATION_FD + (int(count) if count.isdigit() else 0)):
        os.set_inheritable(fd, False)
        sock = socket.socket(fileno=fd)
        if sock.type != socket.SOCK_STREAM or sock.family not in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6):
            raise InvalidRequest("a socket from systemd is no stream socket", hint="Use ListenStream= in its unit.")
        found.append(Listener(sock, "the socket of systemd"))
    return found


def _unix(path: str, group_id: int, stack: ExitStack) -> Listener:
    lock = _lock(path)
    stack.callback(os.close, lock)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        unix.bind(listener, path)
    except OSError as error:
        listener.close()
        raise EngineError(f"cannot listen on {path}: {(error.strerror or str(error)).lower()}") from error
    finally:
        os.umask(before)
    stack.callback(_unlink, path)
    if group_id >= 0:
        os.chown(path, -1, group_id)
        os.chmod(path, 0o660)
    return Listener(listener, f"unix://{path}")


def _tcp(address: Address, stack: ExitStack) -> Listener:
    try:
        family, kind, protocol, _name, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        stack.callback(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
    except OSError as error:
        raise EngineError(f"cannot listen on {address.text}: {(error.strerror or str(error)).lower()}") from error
    host, port = listener.getsockname()[:2]
    return Listener(listener, f"tcp://[{host}]:{port}" if family == socket.AF_INET6 else f"tcp://{host}:{port}")


def _lock(path: str) -> int:
    """One server per socket; the lock outlives no process, unlike the socket's file."""
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o711, exist_ok=True)
        fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EngineError(f"cannot listen on {path}: {(error.strerror or str(error)).lower()}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Conflict(f"another pydock serves {path} already", hint="Stop it, or give another --host.") from None
    return fd


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _group_id(group: str) -> int:
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise InvalidRequest(f"no such group: {group}", hint=f"groupadd {group}") from None
