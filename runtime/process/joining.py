"""`exec`, seen from the creator: a further process in the container, as a direct child of the caller.

The caller switches the pid namespace of its children for the moment of the clone, so that one fork is enough.
"""

from __future__ import annotations

import os

from .. import namespaces
from ..cgroups import Cgroup
from ..errors import InvalidConfig, SetupFailed
from ..kernel import calls, sockets
from ..kernel import constants as k
from ..lists import parse_list
from ..spec import namespace_paths, section
from ..state import oci_state
from ..status import RUNNING
from . import messages
from .become import Program
from .creation import write_pid_file
from .messages import Channel, channel_pair
from .setns import Joining, set_affinity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SIGKILL = 9


class Process:
    """A process that `exec` has started. `console_fd` (or -1) belongs to the caller."""

    __slots__ = ("console_fd", "pid")

    def __init__(self, pid: int, console_fd: int) -> None:
        self.pid = pid
        self.console_fd = console_fd


def join(
    init_pid: int,
    data: dict[str, Any],
    process: dict[str, Any],
    cgroup: Cgroup | None,
    *,
    state_directory: str,
    container_id: str,
    stdio: tuple[int, int, int] | None,
    want_console: bool,
    console_socket: str,
    pid_file: str,
    preserve_fds: int,
    parent_death_signal: int,
    cgroup_path: str,
) -> Process:
    """Start `process` in the container; returns when its program has been executed. Raises as `Container.exec`."""
    calls.assert_single_thread()
    terminal = bool(process.get("terminal"))
    if terminal and not (want_console or console_socket):
        raise InvalidConfig(
            "a terminal needs someone to take it", path="process.terminal", hint="Give --console-socket."
        )
    linux = section(data.get("config") or {}, "linux")
    program = Program(
        process,
        filter_program=_read_filter(state_directory),
        filter_flags=section(data, "filter").get("flags") or 0,
        filter_listener=section(data, "filter").get("listener") or "",
        filter_metadata=section(data, "filter").get("metadata") or "",
        preserve_fds=preserve_fds,
        parent_death_signal=parent_death_signal,
        domain=section(linux, "personality").get("domain") or "",
        memory_policy=linux.get("memoryPolicy"),
        in_user_namespace="user" in namespace_paths(data.get("config") or {}),
    )
    affinity = section(process, "execCPUAffinity")
    program.tell_agent(oci_state(data, container_id, RUNNING, init_pid))
    pidfd = os.pidfd_open(init_pid)
    entered = cgroup if cgroup is None or not cgroup_path else below(cgroup, cgroup_path)
    console_socket_fd = root_fd = -1
    cgroup_fd = entered.clone_fd() if entered else -1
    entry_fds = entered.entry_fds() if entered else []
    ours, theirs = channel_pair()
    pid = 0
    console_fd = -1
    started = False
    try:
        program.connect_agent()
        if terminal and console_socket:
            console_socket_fd = sockets.connect_stream(console_socket)
        flags = namespaces.differing(init_pid)
        if namespace_paths(data.get("config") or {}).get("mount") != "":
            # Its root is not that of the mount namespace.
            root_fd = os.open(f"/proc/{init_pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        joining = Joining(
            program,
            theirs,
            pidfd,
            flags,
            root_fd=root_fd,
            stdio=stdio,
            want_terminal=terminal,
            console_socket_fd=console_socket_fd,
            keyring="",
            entry_fds=entry_fds,
            cpus=parse_list(affinity.get("final") or "", "process.execCPUAffinity.final"),
        )
        staged = needs_stage(flags)
        born_on = parse_list(affinity.get("initial") or "", "process.execCPUAffinity.initial")
        pid = _clone_on(born_on, pidfd, flags, cgroup_fd)
        if pid == 0:
            ours.close()
            joining.run(entered=k.CLONE_NEWUSER | k.CLONE_NEWPID if staged else k.CLONE_NEWPID)
        theirs.close()
        if entered and cgroup_fd < 0:
            entered.add(pid)
        console_fd = _converse(ours, pid)
        if pid_file:
            write_pid_file(pid_file, pid)
        started = True
    finally:
        os.close(pidfd)
        for fd in (console_socket_fd, root_fd, cgroup_fd, *entry_fds):
            if fd >= 0:
                os.close(fd)
        program.close_agent()
        ours.close()
        theirs.close()
        if pid and not started:
            end(pid, console_fd)
    return Process(pid, console_fd)


def _clone_on(cpus: set[int], pidfd: int, flags: int, cgroup_fd: int) -> int:
    """`_clone_into`, with the child born on these CPUs, on the caller's own when there are none."""
    if not cpus:
        return _clone_into(pidfd, flags, cgroup_fd)
    before = os.sched_getaffinity(0)
    set_affinity(cpus, "process.execCPUAffinity.initial")
    pid = -1
    try:
        pid = _clone_into(pidfd, flags, cgroup_fd)
    finally:
        if pid:
            os.sched_setaffinity(0, before)
    return pid


def end(pid: int, console_fd: int) -> None:
    """Take back a process that was executed for nobody."""
    if console_fd >= 0:
        os.close(console_fd)
    try:
        os.kill(pid, _SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def _clone_into(pidfd: int, flags: int, cgroup_fd: int) -> int:
    """Clone with the child in the pid namespace of the container, when that is another one."""
    if needs_stage(flags):
        return _clone_through_stage(pidfd, flags)
    if not flags & k.CLONE_NEWPID:
        return calls.clone(0, cgroup_fd)
    own_fd = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    pid = -1
    try:
        calls.setns(pidfd, k.CLONE_NEWPID)
        pid = calls.clone(0, cgroup_fd)
    finally:
        # Not in the child, which could not go back to an outer namespace.
        if pid:
            calls.setns(own_fd, k.CLONE_NEWPID)
            os.close(own_fd)
    return pid


def needs_stage(flags: int) -> bool:
    """Whether the caller has no rights over the container's namespaces before it is in its user namespace."""
    return bool(flags & k.CLONE_NEWUSER) and os.geteuid() != 0


def _clone_through_stage(pidfd: int, flags: int) -> int:
    """The clone by a child that has entered the user namespace, and the pid namespace for its own children: the caller
    could not come back. The new process is the caller's child all the same."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    stage = calls.clone(0)
    if stage == 0:
        try:
            calls.prctl(k.PR_SET_DUMPABLE, 0)
            calls.setns(pidfd, flags & (k.CLONE_NEWUSER | k.CLONE_NEWPID))
            namespaces.become_root()
            calls.prctl(k.PR_SET_DUMPABLE, 0)
            pid = calls.clone(k.CLONE_PARENT)
            if pid == 0:
                return 0
            os.write(writer, str(pid).encode())
        except OSError as error:
            os.write(writer, str(-(error.errno or 1)).encode())
        os._exit(0)
    os.close(writer)
    try:
        told = int(os.read(reader, 64) or b"0")
    finally:
        os.close(reader)
        os.waitpid(stage, 0)
    if told <= 0:
        raise SetupFailed(
            f"cannot join the container's user namespace: {os.strerror(-told)}",
            hint="Only root, and the user who made the container, may.",
            errno=-told,
        )
    return told


def below(cgroup: Cgroup, cgroup_path: str) -> Cgroup:
    """A cgroup that exists beneath the container's: "path", or "controller[,controller]:path" for one hierarchy."""
    controllers, colon, path = cgroup_path.rpartition(":")
    wanted = set(controllers.split(",")) if colon else set()
    paths = {}
    for name, directory in cgroup.paths().items():
        if wanted and name not in wanted:
            paths[name] = directory
            continue
        target = os.path.normpath(f"{directory}/{path}")
        if not (target == directory or target.startswith(directory + "/")) or not os.path.isdir(target):
            raise SetupFailed(f'the container has no cgroup "{path}"', path=target)
        paths[name] = target
    return Cgroup.from_paths(paths)


def _converse(channel: Channel, pid: int) -> int:
    """Until the program has been executed; the terminal's master, or -1."""
    try:
        channel.send(messages.IN_CGROUP, str(pid))
    except (BrokenPipeError, ConnectionResetError):
        pass
    console_fd = -1
    ready = False
    try:
        while True:
            kind, _fields, fd = channel.receive()
            if kind == messages.CONSOLE:
                console_fd = fd
            elif kind == messages.READY:
                ready = True
            elif ready:
                return console_fd
            else:
                raise SetupFailed("the process was killed before it could execute its program")
    except BaseException:
        if console_fd >= 0:
            os.close(console_fd)
        raise


def _read_filter(state_directory: str) -> bytes:
    try:
        with open(f"{state_directory}/seccomp.bpf", "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
