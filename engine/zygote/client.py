"""Gets a shim: connects to the zygote of this build, starting it when there is none.

The listening socket is made here and handed to the new zygote, so that the request can be sent before the
zygote has finished its imports.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys

from .. import unix
from ..errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..paths import Paths

LISTEN_FD = 3
_PACKAGES = ("engine", "runtime")


def connect(paths: Paths) -> socket.socket:
    """A connection on which one request may be sent; a shim answers. The caller closes it."""
    path = f"{paths.run_root}/zygote-{build()}.sock"
    connection = _try(path)
    if connection:
        return connection
    lock = os.open(f"{paths.run_root}/zygote.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = _try(path)
        if connection is None:
            _start(paths, path)
            connection = _try(path)
    finally:
        os.close(lock)
    if connection is None:
        raise EngineError(f"the zygote at {path} does not answer", hint=f"See {paths.run_root}/zygote.log.")
    return connection


_build = ""


def build() -> str:
    """Names the code as it lay on disk when this process first asked, so that no zygote of another version is asked."""
    global _build
    if not _build:
        _build = _fingerprint()
    return _build


def _fingerprint() -> str:
    newest = 0
    total = 0
    pending = [f"{_parent()}/{package}" for package in _PACKAGES]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    status = entry.stat()
                    newest = max(newest, status.st_mtime_ns)
                    total += status.st_size
                elif "." not in entry.name and entry.name not in ("__pycache__", "cli", "images") and entry.is_dir():
                    pending.append(entry.path)
    return f"{newest:x}-{total:x}"


def _parent() -> str:
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _try(path: str) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        unix.connect(connection, path)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    return connection


def _start(paths: Paths, path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        unix.bind(listener, path)
        listener.listen(512)
        log = f"{paths.run_root}/zygote.log"
        main = f"{os.path.dirname(os.path.abspath(__file__))}/main.py"
        starter = os.posix_spawn(
            sys.executable,
            [sys.executable, "-SI", main, path],
            {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LC_ALL": "C.UTF-8"},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, listener.fileno(), LISTEN_FD),
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        try:
            os.waitpid(starter, 0)
        except ChildProcessError:  # this host lets the kernel reap for it
            pass
