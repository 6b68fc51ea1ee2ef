"""A further process of a running container, from its clone to the program that `exec` was asked for.

It is born in the container's pid namespace (its creator has switched for its children), then enters the others
by the pidfd of init, all at once, and looks at nothing of the container's files before it has the container's
root. It is not dumpable meanwhile (CVE-2016-9962), so the container cannot reach what it still has open of the
host.
"""

from __future__ import annotations

import gc
import os

from .. import terminal
from ..errors import SetupFailed
from ..kernel import calls
from ..kernel import constants as k
from ..namespaces import become_root
from ..rootfs import resolve
from . import messages
from .init import enter_cgroup
from .messages import Channel, as_fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from .become import Program

_SIGKILL = 9


class Joining:
    """One process that joins a container. `init_pidfd` is the container's init; `flags` the namespaces to enter."""

    def __init__(
        self,
        program: Program,
        channel: Channel,
        init_pidfd: int,
        flags: int,
        *,
        root_fd: int,
        stdio: tuple[int, int, int] | None,
        want_terminal: bool,
        console_socket_fd: int,
        keyring: str,
        entry_fds: list[int],
        cpus: set[int],
    ) -> None:
        self._program = program
        self._channel = channel
        self._init_pidfd = init_pidfd
        self._flags = flags
        self._root_fd = root_fd
        self._stdio = stdio
        self._want_terminal = want_terminal
        self._console_socket_fd = console_socket_fd
        self._keyring = keyring
        self._entry_fds = entry_fds
        self._cpus = cpus

    def run(self, *, entered: int) -> NoReturn:
        """Enter and become the program, or say why not. `entered`: the namespaces that it was born in."""
        step = "exec"
        try:
            gc.disable()
            calls.prctl(k.PR_SET_DUMPABLE, 0)
            calls.prctl(k.PR_SET_PDEATHSIG, _SIGKILL)
            calls.reset_signals()
            if self._stdio is not None:
                copies = [os.dup(fd) for fd in self._stdio]
                for target, copy in enumerate(copies):
                    os.dup2(copy, target)
                    os.close(copy)
            self._program.open_attributes()
            step = "joining the container's namespaces"
            remaining = self._flags & ~entered
            if remaining:
                calls.setns(self._init_pidfd, remaining)
            if remaining & k.CLONE_NEWUSER:
                become_root()
                calls.prctl(k.PR_SET_PDEATHSIG, _SIGKILL)
            if self._root_fd >= 0:
                os.fchdir(self._root_fd)
                os.chroot(".")
            os.chdir("/")
            os.setsid()
            if self._keyring:
                calls.join_session_keyring(self._keyring)
            slave_fd = self._open_terminal() if self._want_terminal else -1
            step = "cgroup"
            self._program.agent_pid(int(self._channel.expect(messages.IN_CGROUP)[0]))
            enter_cgroup(self._entry_fds)
            step = "exec"
            if self._cpus:
                set_affinity(self._cpus, "process.execCPUAffinity.final")
            if slave_fd >= 0:
                terminal.take_control(slave_fd)
            self._program.prepare()
            self._program.execute(messages.READY, self._channel.fd)
        except BaseException as error:
            try:
                self._channel.send_failure(as_fault(error, step))
            except OSError:
                pass
        os._exit(1)

    def _open_terminal(self) -> int:
        root_fd = resolve.open_root()
        master_fd, slave_fd = terminal.open_pair(root_fd)
        os.close(root_fd)
        terminal.set_size(slave_fd, self._program.process.get("consoleSize"))
        if self._console_socket_fd >= 0:
            terminal.send_master(self._console_socket_fd, master_fd)
            os.close(self._console_socket_fd)
        else:
            self._channel.send_descriptor(messages.CONSOLE, master_fd)
        os.close(master_fd)
        return slave_fd


def set_affinity(cpus: set[int], path: str) -> None:
    """Let the calling process run on these CPUs alone. Raises SetupFailed when the cgroup allows none of them."""
    try:
        os.sched_setaffinity(0, cpus)
    except OSError as error:
        raise SetupFailed(
            f"cannot run on CPU {', '.join(map(str, sorted(cpus)))}: {error.strerror}",
            path=path,
            hint="Does the container's cpuset have it?",
            errno=error.errno or 0,
        ) from error
