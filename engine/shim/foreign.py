"""A container that another OCI runtime makes, with the face of `runtime.container.Container`.

create, start, exec and delete are asked of the program; it leaves, and its children become the shim's, which is their
sub-reaper. Signals, freezing and limits go to the kernel directly, as the cgroup is known. Two things that ours does a
foreign runtime cannot: a shim that is killed does not take the container along at once (the next host that looks does),
and the steps of a start are not told one by one.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time

from runtime.errors import ContainerExists, ExecFailed, RuntimeFault, SetupFailed, WrongStatus
from runtime.kernel import calls, constants, sockets

from ..containers import runtimes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.cgroups import Cgroup

    from ..paths import Paths

TIMEOUT_MS = 120_000
_NOT_FOUND = ("executable file not found", "no such file or directory")
_NOT_EXECUTABLE = ("permission denied", "exec format error", "is a directory")


class Process:
    """A process that `exec` has started. `console_fd` (or -1) belongs to the caller."""

    def __init__(self, pid: int, console_fd: int) -> None:
        self.pid = pid
        self.console_fd = console_fd


class ForeignContainer:
    """`pid` and `console_fd` as with ours; the container's init is a child of this process."""

    def __init__(self, paths: Paths, program: str, container_id: str) -> None:
        self.id = container_id
        self.pid = 0
        self.console_fd = -1
        self.warnings: list[str] = []
        self.cgroup: Cgroup | None = None
        self._paths = paths
        self._bundle = paths.container(container_id)
        self._run_root = paths.run_root
        self._program = program
        self._state_root = runtimes.state_root(paths, program)
        self._children: set[int] = set()

    @staticmethod
    def create(
        paths: Paths,
        program: str,
        container_id: str,
        *,
        stdio: tuple[int, int, int] | None,
        want_console: bool,
        on_phase: Callable[[str, int, int], None],
    ) -> ForeignContainer:
        """Make it; its init waits for `start`. Raises RuntimeFault; then nothing is left behind."""
        calls.prctl(constants.PR_SET_CHILD_SUBREAPER, 1)
        made = ForeignContainer(paths, program, container_id)
        began, clock = time.time_ns(), time.monotonic_ns()
        runtimes.note(paths, container_id, program)
        try:
            words = ["create", "--bundle", made._bundle]
            made.pid, made.console_fd = made._make(words, [container_id], stdio, want_console)
            made.cgroup = runtimes.cgroup_of(made.pid, container_id)
        except BaseException:
            made.delete(force=True)
            raise
        on_phase(os.path.basename(program), began, time.monotonic_ns() - clock)
        return made

    def start(self) -> None:
        """Let init execute the program. Raises ExecFailed when it cannot."""
        self._run(["start", self.id])

    def exec(
        self,
        process: dict[str, Any],
        *,
        stdio: tuple[int, int, int] | None = None,
        want_console: bool = False,
        parent_death_signal: int = 0,
    ) -> Process:
        """A further process, a direct child of this one. `parent_death_signal` is beyond foreign runtimes."""
        path = f"{self._bundle}/process.{os.urandom(8).hex()}.json"
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(process))
        try:
            return Process(*self._make(["exec", "--detach", "--process", path], [self.id], stdio, want_console))
        finally:
            os.unlink(path)

    def kill(self, number: int) -> None:
        """To init; SIGKILL to all, as a shared pid namespace has no init that takes the others along."""
        if number == signal.SIGKILL and self.cgroup is not None:
            self.cgroup.kill()
            return
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError as error:
            raise WrongStatus(f'container "{self.id}" is not running') from error
        try:
            signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(pidfd)

    def pause(self) -> None:
        self._needed_cgroup().freeze()

    def resume(self) -> None:
        self._needed_cgroup().thaw()

    def update(self, resources: dict[str, Any]) -> None:
        """Change limits; unnamed ones stay."""
        self._needed_cgroup().apply(resources)

    def delete(self, *, force: bool = False) -> None:
        """Remove it; with `force` kill it first."""
        if force:
            if self.cgroup is not None:
                self.cgroup.kill()
            for pid in self._children:
                _end(pid)
        self._run(["delete", "--force", self.id] if force else ["delete", self.id])
        runtimes.forget(self._paths, self.id)

    def _make(
        self, words: list[str], last: list[str], stdio: tuple[int, int, int] | None, want_console: bool
    ) -> tuple[int, int]:
        """Run create or exec; the pid of what it has made, and the terminal's master or -1."""
        token = os.urandom(6).hex()
        pid_file = f"{self._bundle}/pid.{token}"
        console_path = f"{self._run_root}/console-{token}"  # short: a socket's path has 107 bytes
        words = [*words, "--pid-file", pid_file]
        listener = None
        try:
            if want_console:
                listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                listener.bind(console_path)
                listener.listen(1)
                words += ["--console-socket", console_path]
            self._run([*words, *last], stdio)
            with open(pid_file, encoding="ascii") as file:
                pid = int(file.read())
            self._children.add(pid)
            return pid, _received(listener) if listener else -1
        finally:
            if listener:
                listener.close()
            for path in (pid_file, console_path):
                try:
                    os.unlink(path)
                except FileNotFoundError:
                    pass

    def _run(self, words: list[str], stdio: tuple[int, int, int] | None = None) -> None:
        run(self._program, self._state_root, words, log=f"{self._bundle}/runtime.log", stdio=stdio)

    def _needed_cgroup(self) -> Cgroup:
        if self.cgroup is None:
            raise SetupFailed(f'container "{self.id}" has no cgroup')
        return self.cgroup


def run(
    program: str, state_root: str, words: list[str], *, log: str, stdio: tuple[int, int, int] | None = None
) -> None:
    """Run the runtime to its end. Raises what it complained of in its log, and SetupFailed when it takes too long."""
    os.makedirs(state_root, mode=0o700, exist_ok=True)
    _unlink(log)
    arguments = [program, "--root", state_root, "--log", log, "--log-format", "json", *words]
    nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    try:
        ends = stdio or (nothing, nothing, nothing)
        child = os.posix_spawn(
            program,
            arguments,
            {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LC_ALL": "C.UTF-8"},
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(ends)],
        )
    except OSError as error:
        raise SetupFailed(f"{program}: {(error.strerror or str(error)).lower()}", errno=error.errno or 0) from error
    finally:
        os.close(nothing)
    pidfd = os.pidfd_open(child)
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    try:
        if not poller.poll(TIMEOUT_MS):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise SetupFailed(f"{program} {words[0]} did not end within {TIMEOUT_MS // 1000} s, and was killed")
        _pid, status = os.waitpid(child, 0)
    finally:
        os.close(pidfd)
    if status:
        raise _complaint(program, words[0], log, os.waitstatus_to_exitcode(status))


def _complaint(program: str, verb: str, log: str, code: int) -> RuntimeFault:
    name = os.path.basename(program)
    text = f"{verb} ended with exit code {code}"
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        lines = []
    for line in lines:
        try:
            text = str(json.loads(line)["msg"]).strip()
        except (ValueError, KeyError, TypeError):
            continue
    text = f"{name}: {' '.join(text.split())}"
    folded = text.lower()
    if verb in ("create", "start", "exec"):
        if any(part in folded for part in _NOT_FOUND) and ("exec" in folded or "$path" in folded):
            return ExecFailed(text, errno=2)
        if any(part in folded for part in _NOT_EXECUTABLE) and "exec" in folded:
            return ExecFailed(text, errno=13)
    if "already exists" in folded:
        return ContainerExists(text)
    if "hybrid" in folded:
        return SetupFailed(text, hint="This host has cgroups of both versions, which that runtime does not serve.")
    return SetupFailed(text)


def _received(listener: socket.socket) -> int:
    connection, _address = listener.accept()
    with connection:
        _message, fd = sockets.receive_descriptor(connection.fileno(), 4096)
    if fd < 0:
        raise SetupFailed("the runtime sent no terminal")
    return fd


def _end(pid: int) -> None:
    """Kill and reap a child; quiet when somebody has done so."""
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError, PermissionError):
        pass


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
