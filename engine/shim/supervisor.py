"""The life of one container, from its start to the record of its end, restarts included.

The shim is the only writer of its container's row while it lives. Order at the end, so that nothing told is
untrue and nothing untold is lost: network undone; row (or its removal) and `die` event in one transaction; clients
told; then the rest is cleared away.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import socket
import time

from runtime.container import Container as RuntimeContainer
from runtime.errors import RuntimeFault

from .. import unix
from ..containers import files
from ..errors import EngineError
from ..networks import clear
from ..paths import Paths
from ..phases import Phases
from . import account, answers, frames
from .client import Client
from .endpoints import Endpoints
from .exits import Exit, StopRequest
from .ledger import Ledger, death_events
from .log import LogWriter, open_log
from .loop import READ, Loop
from .restart import Restarts
from .rootfs import Rootfs
from .service import Service
from .stdio import Stdio
from .streams import near_and_far
from .watches import Watches

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..models import Container
    from .foreign import ForeignContainer
    from .loop import Timer
    from .plan import Plan

DRAIN_S = 2.0
"""How long output may come after the end of init, from processes outside that hold its pipes."""
DYING_MS = 300
FLUSH_S = 5.0
"""How long clients may take to read the last of it."""


class Supervisor:
    """One container's shim. All state belongs to the loop; there is one thread."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.loop = Loop()
        self.paths = Paths(plan.root, plan.run_root)
        self.ledger = Ledger(self.paths, plan.container_id)
        self.bundle = self.paths.container(plan.container_id)
        self.container: RuntimeContainer | ForeignContainer | None = None
        self.stdio: Stdio | None = None
        self.stop: StopRequest | None = None
        self.restarting = False
        self.paused = False
        self.ended: Exit | None = None
        self.endpoints = Endpoints(self.loop, self.paths, plan, self.ledger)
        self._rootfs = Rootfs(self.paths, plan)
        self._service = Service(self)
        self._watches: Watches | None = None
        self._log: LogWriter | None = None
        self._lock = -1
        self._pidfd = -1
        self._restarts = Restarts()
        self._started_s = 0.0
        self._started_ns = 0
        self._restart_timer: Timer | None = None
        self._done = False

    def run(self, connection: socket.socket, started: Callable[[], None] | None = None) -> None:
        """Start, tell the starter, and serve to the end."""
        self._lock = os.open(self.paths.shim_lock(self.plan.container_id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        unix.bind(listener, self.paths.shim_socket(self.plan.container_id))
        listener.listen(64)
        phases = Phases(lambda phase: answers.send_phase(connection, phase))
        try:
            self._start(phases)
        except (EngineError, RuntimeFault, OSError) as error:
            self._undo_start(error)
            answers.send_failure(connection, answers.as_start_failure(error))
            connection.close()
            self._clear_rules()
            return
        self._service.listen(listener)
        self._welcome(Client(self.loop, connection))
        if started:
            self.loop.later(0, started)
        self.loop.run(lambda: self._done)
        self._service.flush(FLUSH_S)
        self._clear()
        self._clear_rules()

    def _start(self, phases: Phases) -> None:
        plan = self.plan
        with phases.step("rootfs"):
            self._rootfs.mount()
        with open(f"{self.bundle}/config.json", "rb") as file:
            spec = json.load(file)
        if plan.id_base:
            from ..snapshots.mapped import keep_possible

            keep_possible(spec, plan.id_base)

        def wire(pid: int) -> None:
            if plan.network != "host":
                with phases.step("network"):
                    self.endpoints.attach(pid)

        # Both wait for the kernel most of the time; but what a container asks of its network's sysctls comes first.
        in_turn = bool(plan.runtime) or any("conf" in key for key in spec["linux"].get("sysctl") or ())
        ours, theirs = near_and_far(tty=plan.tty, open_stdin=plan.open_stdin)
        try:
            self.container = self._create(spec, theirs, phases, None if in_turn else wire)
        except BaseException:
            for fd in ours:
                if fd >= 0:
                    os.close(fd)
            raise
        finally:
            for fd in set(theirs or ()):
                os.close(fd)
        self._open_log()
        if plan.tty:
            self.stdio = Stdio(self.loop, master_fd=self.container.console_fd, sink=self._sink(), kill=self._kill)
            if plan.rows and plan.columns:
                self.stdio.resize(plan.rows, plan.columns)
        else:
            self.stdio = Stdio(
                self.loop,
                stdin_fd=ours[0],
                stdout_fd=ours[1],
                stderr_fd=ours[2],
                sink=self._sink(),
                stdin_once=plan.stdin_once,
                kill=self._kill,
            )
        if in_turn:
            wire(self.container.pid)
        self._watches = Watches(
            self.loop, self.paths, plan, self.ledger, self.container, spec["process"], paused=lambda: self.paused
        )
        with phases.step("exec"):
            self.container.start()
        self._pidfd = os.pidfd_open(self.container.pid)
        self.loop.watch(self._pidfd, READ, lambda _events: self._reap())
        self._started_s, self._started_ns = time.monotonic(), time.time_ns()
        self.ended = None
        self._record_start(phases)
        self._watches.start()

    def _create(
        self,
        spec: dict[str, Any],
        stdio: tuple[int, int, int] | None,
        phases: Phases,
        on_born: Callable[[int], None] | None,
    ) -> RuntimeContainer | ForeignContainer:
        plan = self.plan
        if plan.runtime:
            from .foreign import ForeignContainer

            return ForeignContainer.create(
                self.paths, plan.runtime, plan.container_id, stdio=stdio, want_console=plan.tty, on_phase=phases.add
            )
        return RuntimeContainer.create(
            self.paths.runtime,
            plan.container_id,
            self.bundle,
            spec=spec,
            stdio=stdio,
            want_console=plan.tty,
            parent_death_signal=signal.SIGKILL,
            on_phase=phases.add,
            on_born=on_born,
        )

    def _welcome(self, starter: Client) -> None:
        """No output has been read yet: a starter in the foreground misses nothing."""
        assert self.container is not None
        starter.send_json(frames.REPLY, {"pid": self.container.pid, "tty": self.plan.tty})
        if self.plan.foreground and self.stdio:
            self._service.adopt(starter)
            self.stdio.attach(starter, foreground=True)
        else:
            starter.close_when_sent()

    def _open_log(self) -> None:
        if self._log is None:
            self._log = open_log(self.plan.log, self.paths.log(self.plan.container_id), self.loop)

    def _sink(self) -> Callable[[str, bytes], None] | None:
        return self._log.write if self._log else None

    def _record_start(self, phases: Phases) -> None:
        container = self.container
        assert container is not None
        recorded = tuple(sorted((*self.plan.phases, *phases.recorded), key=lambda phase: phase.start_ns))

        def started(row: Container) -> Container:
            return account.started(
                row,
                pid=container.pid,
                started_ns=self._started_ns,
                restarts=self._restarts.count,
                checked=self.plan.health is not None,
                endpoints=self.endpoints.current,
                phases=recorded,
            )

        # A start of which nobody could know is none; a restart nobody waits for.
        told = "" if self._restarts.count else "mount"
        self.ledger.change(started, ("start", {}), needed=not self._restarts.count, volumes=told)

    def _undo_start(self, error: Exception) -> None:
        """A start that failed leaves the container as it was, with the reason in its row."""
        failure = answers.as_start_failure(error)
        self._dismantle()
        self.endpoints.release()

        if self.plan.auto_remove:
            self.ledger.remove()
        else:
            self.ledger.change(lambda row: account.not_started(row, failure), release_network=True)
        self._clear()

    def state(self) -> str:
        """What the container's row says, or will say in a moment."""
        if self._restart_timer:
            return "restarting"
        if self.container is None or self.ended:
            return "exited"
        return "paused" if self.paused else "running"

    def has_ended(self) -> bool:
        """Whether the program is gone, be it that the loop has not been told yet. One that is just being taken down
        by the kernel is waited for, a moment: for those who ask because something failed."""
        if self.container is None or self.ended or self._pidfd < 0:
            return True
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        for wait_ms in (0, DYING_MS):
            if poll.poll(wait_ms):
                return True
            try:
                os.readlink(f"/proc/{self.container.pid}/ns/mnt")
            except OSError:  # it has given its namespaces up, and waits for us to reap what was executed in it
                return True
        return False

    def _kill(self, number: int) -> None:
        if self.container and self.ended is None:
            try:
                self.container.kill(number)
            except (RuntimeFault, OSError):  # it ended this very moment, or there is no such signal
                pass

    def _reap(self) -> None:
        result = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
        if result is None:
            return
        self.loop.unwatch(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        observed = self._watches.ended() if self._watches else {}
        self.ended = Exit.of(result).replace(started_ns=self._started_ns, stop=self.stop, **observed)
        if self.stdio:
            self.stdio.when_drained(DRAIN_S, self._finish)

    def _finish(self) -> None:
        assert self.ended is not None
        self._service.execs.hang_up()
        end = self.ended = self.ended.replace(stop=self.stop)  # one may have been asked for since
        self._close_output()
        delay_s = self._restarts.next_delay_s(
            self.plan.restart,
            end.code,
            ran_s=time.monotonic() - self._started_s,
            stop_requested=self.stop is not None,
        )
        if delay_s is not None:
            self._restart_later(end, delay_s)
            return
        self.endpoints.release(interfaces=False)
        events = death_events(end)
        if self._is_last():
            self.ledger.remove(*events, volumes="unmount")
        else:
            self.ledger.write_exit_record(end)
            self.ledger.change(self._after(end), *events, release_network=True, volumes="unmount")
        self._tell_clients(end)
        self._service.tell_waiters(end.code)
        self._done = True

    def _is_last(self) -> bool:
        """Whether the container goes with its end; one that somebody restarts does not."""
        return self.plan.auto_remove and not self.restarting

    def _after(self, end: Exit) -> Callable[[Container], Container]:
        """How the row is changed: whoever restarts the container is about to start it again, so it is not over."""
        if not self.restarting:
            return end.applied
        return lambda row: end.applied(row).replace(state="restarting")

    def _restart_later(self, end: Exit, delay_s: float) -> None:
        self.ledger.write_exit_record(end)
        self.ledger.change(lambda row: end.applied(row).replace(state="restarting"), *death_events(end))
        self._tell_clients(end)
        self._service.tell_waiters(end.code, final=False)
        self._dismantle()
        self._restart_timer = self.loop.later(delay_s, self._restart)

    def _restart(self) -> None:
        self._restart_timer = None
        try:
            self._start(Phases())
        except (EngineError, RuntimeFault, OSError) as error:
            self.ledger.complain(f"restart failed: {error}")
            failure = answers.as_start_failure(error)
            self._dismantle()
            self.endpoints.release()
            self.ledger.change(lambda row: account.not_restarted(row, failure), release_network=True)
            self._service.tell_waiters(failure.exit_code)
            self._done = True

    def keep_limits(self, limits: dict[str, Any]) -> None:
        """Let a restart have them too."""
        path = f"{self.bundle}/config.json"
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        config["linux"]["resources"].update(limits)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(json.dumps(config))
        os.replace(f"{path}.new", path)

    def cancel_restart(self) -> bool:
        """A stop while waiting to restart: the container is exited, as it was."""
        if self._restart_timer is None:
            return False
        self._restart_timer.cancel()
        self._restart_timer = None
        self.endpoints.release()
        if self.ended:
            self.ledger.write_exit_record(self.ended.replace(stop=self.stop))
        self.ledger.change(lambda row: account.stopped_between(row, self.stop), ("stop", {}), release_network=True)
        self._service.tell_waiters(self.ended.code if self.ended else 0)
        self._done = True
        return True

    def _close_output(self) -> None:
        """Whoever reads the log after the end finds all of it."""
        if self.stdio:
            self.stdio.read_rest()
        if self._log:
            self._log.close()
            self._log = None

    def _tell_clients(self, end: Exit) -> None:
        if self.stdio:
            self.stdio.finish(end.code)
            self.stdio = None

    def _dismantle(self) -> None:
        """Undo what a start has made, as far as it went."""
        if self._pidfd >= 0:
            self.loop.unwatch(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        if self._watches:
            self._watches.close()
            self._watches = None
        self.endpoints.leave()
        if self.container:
            try:
                self.container.delete(force=True)
            except (RuntimeFault, OSError) as error:
                self.ledger.complain(str(error))
            self.container = None
        if self.stdio:
            self.stdio.close()
            self.stdio = None

    def _clear(self) -> None:
        """The last act: cgroup, runtime state, mounts, socket, and with --rm the files."""
        self._dismantle()
        self.endpoints.release()
        self._rootfs.unmount()
        if self._is_last():
            files.remove(self.paths, self.plan.container_id)
        try:
            os.unlink(self.paths.shim_socket(self.plan.container_id))
        except FileNotFoundError:
            pass

    def _clear_rules(self) -> None:
        """Nothing of the container is left but this process: the next start need not wait for it."""
        os.close(self._lock)
        if not (self.plan.endpoints or self.endpoints.current):
            return
        try:
            clear.linger(self.paths)
        except (EngineError, OSError) as error:
            self.ledger.complain(f"network: {error}")
