"""The health check of one container: a command run in it now and then, and what its results make of the container.

    starting ── a success ──> healthy <── a success ── unhealthy
        └── `retries` failures in a row ──> unhealthy <── the same ──┘

Failures in the start period do not count while it is starting (Docker's rules). Times between probes are by the
monotonic clock; the wall clock only dates the log. One probe runs at a time, a hanging one is killed with all it
started, and what a probe prints is kept up to 4 kB.
"""

from __future__ import annotations

import json
import os
import signal
import time

from .exits import Exit
from .loop import READ

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..models import HealthCheck
    from .loop import Loop, Timer

STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"
INTERVAL_S = TIMEOUT_S = 30.0
START_INTERVAL_S = 5.0
RETRIES = 3
KEPT_RESULTS = 5
OUTPUT_BYTES = 4096


class Health:
    """`run` starts the probe in the container with an output descriptor and gives its pid; `told` gets each change of
    state; `busy` says when the container must be left alone (paused). The log goes to the file `path`."""

    def __init__(
        self,
        loop: Loop,
        check: HealthCheck,
        path: str,
        *,
        run: Callable[[tuple[str, ...], int], int],
        told: Callable[[str], None],
        busy: Callable[[], bool],
    ) -> None:
        self.status = STARTING
        self.failing_streak = 0
        self._loop = loop
        self._check = check
        self._path = path
        self._run = run
        self._told = told
        self._busy = busy
        self._log = _kept(path)
        self._began_s = time.monotonic()
        self._timer: Timer | None = None
        self._probe: _Probe | None = None

    def start(self) -> None:
        """The first probe comes after one interval."""
        self._write()
        self._schedule()

    def close(self) -> None:
        """End it, a running probe included. Quiet when called twice."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._probe:
            self._probe.close()
            self._probe = None

    def _in_start_period(self, at_s: float) -> bool:
        return at_s - self._began_s < self._check.start_period_ns / 1e9

    def _schedule(self) -> None:
        check = self._check
        interval_s = check.interval_ns / 1e9 or INTERVAL_S
        if self.status == STARTING and self._in_start_period(time.monotonic()):
            interval_s = check.start_interval_ns / 1e9 or START_INTERVAL_S
        self._timer = self._loop.later(interval_s, self._begin)

    def _begin(self) -> None:
        self._timer = None
        if self._busy():
            self._schedule()
            return
        timeout_s = self._check.timeout_ns / 1e9 or TIMEOUT_S
        self._probe = _Probe(self._loop, timeout_s, self._done)
        self._probe.start(lambda fd: self._run(self._check.test[1:], fd))

    def _done(self, probe: _Probe) -> None:
        self._probe = None
        before = self.status
        if probe.code == 0:
            self.failing_streak = 0
            self.status = HEALTHY
        elif not (self.status == STARTING and self._in_start_period(probe.began_s)):
            self.failing_streak += 1
            if self.failing_streak >= (self._check.retries or RETRIES):
                self.status = UNHEALTHY
        self._log = [*self._log[1 - KEPT_RESULTS :], probe.result()]
        self._write()
        if self.status != before:
            self._told(self.status)
        self._schedule()

    def _write(self) -> None:
        """For `inspect`. Not synced: after a power cut the container is checked anew."""
        try:
            with open(f"{self._path}.new", "w", encoding="utf-8") as file:
                json.dump({"Status": self.status, "FailingStreak": self.failing_streak, "Log": self._log}, file)
            os.replace(f"{self._path}.new", self._path)
        except OSError:  # the disk is full: the state is in the row all the same
            pass


class _Probe:
    """One run of the command. `done` is called from the loop, never from `start`."""

    def __init__(self, loop: Loop, timeout_s: float, done: Callable[[_Probe], None]) -> None:
        self.code = -1
        self.began_s = time.monotonic()
        self._began_ns = self._ended_ns = time.time_ns()
        self._loop = loop
        self._timeout_s = timeout_s
        self._done = done
        self._output = bytearray()
        self._cut = False
        self._pid = 0
        self._pidfd = self._fd = -1
        self._timer: Timer | None = None

    def start(self, run: Callable[[int], int]) -> None:
        self._fd, far = os.pipe()
        os.set_blocking(self._fd, False)
        try:
            self._pid = run(far)
        except Exception as error:  # whatever keeps it from running is a failed check, never the end of the shim
            self._output += str(error).encode()
            self._timer = self._loop.later(0, self._finish)
            return
        finally:
            os.close(far)
        self._pidfd = os.pidfd_open(self._pid)
        self._loop.watch(self._pidfd, READ, lambda _events: self._reap())
        self._loop.watch(self._fd, READ, lambda _events: self._readable())
        self._timer = self._loop.later(self._timeout_s, self._too_long)

    def result(self) -> dict[str, Any]:
        """As `docker inspect` shows it."""
        text = self._output.decode(errors="replace") + ("..." if self._cut else "")
        return {"Start": self._began_ns, "End": self._ended_ns, "ExitCode": self.code, "Output": text}

    def close(self) -> None:
        """Kill it, with whatever it started in its session's first group, and let go of everything."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._pidfd >= 0:
            self._loop.unwatch(self._pidfd)
            for kill in (os.killpg, os.kill):
                try:  # it is not reaped yet, so the number is still its own
                    kill(self._pid, signal.SIGKILL)
                except OSError:
                    pass
            os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
            os.close(self._pidfd)
            self._pidfd = -1
        if self._fd >= 0:
            self._loop.unwatch(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _readable(self) -> None:
        self._read()

    def _read(self) -> bool:
        try:
            data = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return False
        room = OUTPUT_BYTES - len(self._output)
        self._output += data[:room]
        self._cut = self._cut or len(data) > room
        if not data:
            self._loop.unwatch(self._fd)
        return bool(data)

    def _reap(self) -> None:
        result = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if result is None:
            return
        self.code = Exit.of(result).code
        for _round in range(8):  # a background process of the probe may print for ever
            if not self._read():
                break
        self._finish()

    def _too_long(self) -> None:
        said = bytes(self._output)
        self._output[:] = f"Health check exceeded timeout ({duration_text(self._timeout_s)})".encode()
        if said:
            self._output += b": " + said
        self._finish()

    def _finish(self) -> None:
        self._ended_ns = time.time_ns()
        self.close()
        self._done(self)


def duration_text(seconds: float) -> str:
    """A duration as Go prints it: 1m30s, 1.5s, 300ms."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{text}{rest:g}s"


def _kept(path: str) -> list[dict[str, Any]]:
    """The results of the run before, which a restart does not forget."""
    try:
        with open(path, encoding="utf-8") as file:
            log: list[dict[str, Any]] = json.load(file)["Log"]
            return log
    except (OSError, ValueError, KeyError, TypeError):
        return []
