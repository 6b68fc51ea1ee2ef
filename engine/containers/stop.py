"""Ending and holding containers: stop, kill, pause, unpause, wait."""

from __future__ import annotations

import os
import signal

from ..errors import ShimSilent
from . import reconcile, rows, states
from .locks import wait_for_shim
from .session import ask, request, shim_pid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container
    from ..paths import Paths
    from ..store import Store

DEFAULT_TIMEOUT_S = 10
_NO_SHIM = (FileNotFoundError, ConnectionError)


def stop(
    store: Store,
    paths: Paths,
    container: Container,
    number: int,
    timeout_s: float,
    *,
    restarting: bool = False,
    lasting: bool = True,
) -> None:
    """Ask the container to end, make it end after the time (negative: never), and wait for it. With `restarting` its
    state says so, until the caller starts it again. `lasting`: it is not started again when the machine comes up."""
    if container.state not in (*rows.LIVE_STATES, "dead"):
        return
    path = paths.shim_socket(container.id)
    try:
        waiting, _reply = request(path, {"op": "wait", "final": True})
        with waiting:
            body = {"op": "signal", "signal": number, "stop": True, "timeout_s": timeout_s}
            ask(path, {**body, "restarting": restarting, "lasting": lasting})
            for _frame in waiting.frames():
                pass
    except _NO_SHIM:
        reconcile.settle(store, paths, container.id)
    except ShimSilent:
        if number != signal.SIGKILL:
            raise
        _end_shim(store, paths, container)


def _end_shim(store: Store, paths: Paths, container: Container) -> None:
    """Kill a shim that does not answer; the kernel ends its container with it."""
    pid = shim_pid(paths.shim_socket(container.id))
    if pid:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            pass
        else:
            if shim_pid(paths.shim_socket(container.id)) == pid:  # it has not ended in between
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)
    wait_for_shim(paths, container.id)
    reconcile.settle(store, paths, container.id)


def kill(store: Store, paths: Paths, container: Container, number: int, *, stop_signal: int) -> None:
    """Send a signal; SIGKILL and the container's stop signal say that the end is wanted. Raises `WrongState` when
    nothing runs."""
    wanted = number in (signal.SIGKILL, stop_signal)
    try:
        _tell(store, paths, container, {"op": "signal", "signal": number, "stop": wanted}, "kill")
    except ShimSilent:
        if number != signal.SIGKILL:
            raise
        _end_shim(store, paths, container)


def pause(store: Store, paths: Paths, container: Container) -> None:
    """Freeze all processes."""
    _tell(store, paths, container, {"op": "pause"}, "pause")


def unpause(store: Store, paths: Paths, container: Container) -> None:
    """Let frozen processes go on."""
    states.check(container, "unpause")
    _tell(store, paths, container, {"op": "resume"}, "unpause")


def wait(store: Store, paths: Paths, container: Container, *, final: bool = False) -> int:
    """Block until its program ends, or with `final` until it will not be started again; its exit code."""
    if container.state in rows.LIVE_STATES:
        try:
            waiting, _reply = request(paths.shim_socket(container.id), {"op": "wait", "final": final})
            with waiting:
                for frame in waiting.frames():
                    if frame.kind == "exit":
                        return frame.code
        except _NO_SHIM:
            pass
        reconcile.settle(store, paths, container.id)
        container = rows.load(store, container.id)
    return container.exit_code


def _tell(store: Store, paths: Paths, container: Container, body: dict[str, object], action: str) -> None:
    if container.state in rows.LIVE_STATES:
        try:
            ask(paths.shim_socket(container.id), body)
        except _NO_SHIM:
            reconcile.settle(store, paths, container.id)
        else:
            return
        container = rows.load(store, container.id)
    raise states.refusal(container.name, container.state, action)
