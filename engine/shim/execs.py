"""Further processes in the container, each with a terminal or pipes held here, so that they outlive their client."""

from __future__ import annotations

import os
import signal
from functools import partial

from runtime.errors import ExecFailed

from ..containers import states
from ..errors import NotFound, StartFailed
from . import frames
from .exits import Exit
from .loop import READ
from .stdio import Stdio
from .streams import near_and_far

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .client import Client
    from .supervisor import Supervisor

DRAIN_S = 0.2
"""How long output of processes may come that an exec left in the background with its pipes."""


class _Exec:
    def __init__(self, exec_id: str, command: list[str], pid: int, pidfd: int, stdio: Stdio) -> None:
        self.id = exec_id
        self.command = command
        self.pid = pid
        self.pidfd = pidfd
        self.stdio = stdio


class Execs:
    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._running: dict[str, _Exec] = {}

    def start(self, client: Client, body: dict[str, Any]) -> None:
        """Run a process; replies with its pid, then goes on as a session unless it is detached."""
        supervisor = self._supervisor
        name = supervisor.plan.name
        if supervisor.container is None or supervisor.ended:
            raise states.refusal(name, supervisor.state(), "exec")
        if supervisor.paused:
            raise states.refusal(name, "paused", "exec")
        tty, exec_id, process = bool(body.get("tty")), str(body["exec_id"]), body["process"]
        ours, theirs = near_and_far(tty=tty, open_stdin=bool(body.get("open_stdin")))
        try:
            started = supervisor.container.exec(
                process, stdio=theirs, want_console=tty, parent_death_signal=signal.SIGKILL
            )
        except BaseException as error:
            for fd in ours:
                if fd >= 0:
                    os.close(fd)
            if isinstance(error, ExecFailed):
                raise StartFailed(str(error), exit_code=127 if error.errno == 2 else 126) from error
            raise
        finally:
            for fd in theirs or ():
                os.close(fd)
        pidfd = os.pidfd_open(started.pid)
        kill = partial(_kill, pidfd)
        if tty:
            stdio = Stdio(supervisor.loop, master_fd=started.console_fd, kill=kill)
            if body.get("rows") and body.get("columns"):
                stdio.resize(int(body["rows"]), int(body["columns"]))
        else:
            stdio = Stdio(supervisor.loop, stdin_fd=ours[0], stdout_fd=ours[1], stderr_fd=ours[2], kill=kill)
        entry = _Exec(exec_id, list(process["args"]), started.pid, pidfd, stdio)
        self._running[exec_id] = entry
        supervisor.loop.watch(entry.pidfd, READ, lambda _events: self._reap(entry))
        client.send_json(frames.REPLY, {"exec_id": exec_id, "pid": entry.pid, "tty": tty})
        if body.get("detach"):
            client.close_when_sent()
        else:
            stdio.attach(client, foreground=True)
        said = " ".join(entry.command)
        supervisor.loop.later(
            0,
            lambda: supervisor.ledger.tell(
                (f"exec_create: {said}", {"execID": exec_id}), (f"exec_start: {said}", {"execID": exec_id})
            ),
        )

    def reattach(self, client: Client, body: dict[str, Any]) -> None:
        """Take a held process up again."""
        stdio = self.stdio(str(body["exec_id"]))
        client.send_json(frames.REPLY, {"exec_id": body["exec_id"], "tty": stdio.tty})
        stdio.attach(client)

    def terminals(self, _client: Client, _body: dict[str, Any]) -> dict[str, Any]:
        """The held processes that have a terminal, oldest first."""
        return {
            "terminals": [
                {"id": entry.id, "command": entry.command, "pid": entry.pid}
                for entry in self._running.values()
                if entry.stdio.tty
            ]
        }

    def stdio(self, exec_id: str) -> Stdio:
        entry = self._running.get(exec_id)
        if entry is None:
            raise NotFound(f"no such exec instance: {exec_id[:12]}")
        return entry.stdio

    def hang_up(self) -> None:
        """The container has ended, and with it every process in it."""
        for entry in tuple(self._running.values()):
            self._reap(entry, final=True)

    def _reap(self, entry: _Exec, *, final: bool = False) -> None:
        result = os.waitid(os.P_PIDFD, entry.pidfd, os.WEXITED | (0 if final else os.WNOHANG))
        if result is None:
            return
        self._supervisor.loop.unwatch(entry.pidfd)
        os.close(entry.pidfd)
        del self._running[entry.id]
        end = Exit.of(result)
        if entry.stdio.drained or final:
            self._finish(entry, end)
        else:
            entry.stdio.when_drained(DRAIN_S, lambda: self._finish(entry, end))

    def _finish(self, entry: _Exec, end: Exit) -> None:
        entry.stdio.finish(end.code)
        self._supervisor.ledger.tell(("exec_die", {"execID": entry.id, "exitCode": str(end.code)}))


def _kill(pidfd: int, number: int) -> None:
    try:
        signal.pidfd_send_signal(pidfd, number)
    except (OSError, ValueError):  # it has ended, or there is no such signal
        pass
