"""The server: a unix socket, one connection object per client, and an end that leaves nothing behind.

Whoever may open the socket has root's power over this machine, so its file belongs to root with mode 0600, or 0660 for
one group. It is made with these rights from its first moment.
"""

from __future__ import annotations

import asyncio
import fcntl
import grp
import os
import resource
import signal
import socket
from typing import TYPE_CHECKING

from .. import unix
from ..errors import Conflict, EngineError, InvalidRequest
from .connection import Connection
from .service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..engine import Engine

BACKLOG = 512
ACTIVATION_FD = 3
"""The first descriptor that systemd passes (sd_listen_fds(3))."""


def serve(engine: Engine, path: str, group: str, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is told where. Raises `Conflict` when another server is there."""
    _allow_many_files()
    passed = _activated()
    if passed:
        asyncio.run(_run(engine, passed, lambda: ready("the socket of systemd")))
        return
    lock = _lock(path)
    try:
        listener = _listen(path, group)
        try:
            asyncio.run(_run(engine, listener, lambda: ready(f"unix://{path}")))
        finally:
            os.unlink(path)
    finally:
        os.close(lock)


async def _run(engine: Engine, listener: socket.socket, ready: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    service = Service(engine)
    service.begin()
    server = await loop.create_unix_server(lambda: Connection(service), sock=listener, backlog=BACKLOG)
    ready()
    try:
        await end.wait()
    finally:
        server.close()
        service.close()


def _listen(path: str, group: str) -> socket.socket:
    group_id = _group_id(group) if group else -1
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        os.makedirs(os.path.dirname(path) or ".", mode=0o711, exist_ok=True)
        unix.bind(listener, path)
    except OSError as error:
        listener.close()
        raise EngineError(f"cannot listen on {path}: {(error.strerror or str(error)).lower()}") from error
    finally:
        os.umask(before)
    if group_id >= 0:
        os.chown(path, -1, group_id)
        os.chmod(path, 0o660)
    return listener


def _lock(path: str) -> int:
    """One server per socket; the lock outlives no process, unlike the socket's file."""
    os.makedirs(os.path.dirname(path) or ".", mode=0o711, exist_ok=True)
    fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Conflict(f"another pydock serves {path} already", hint="Stop it, or give another --host.") from None
    return fd


def _group_id(group: str) -> int:
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise InvalidRequest(f"no such group: {group}", hint=f"groupadd {group}") from None


def _activated() -> socket.socket | None:
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=ACTIVATION_FD)


def _allow_many_files() -> None:
    """A client with a stream takes a handful of descriptors."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
