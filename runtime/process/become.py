"""The last steps that `create` and `exec` share: from a process of the runtime to the container's program.

`Program.prepare` does what needs rights or can fail with an explanation; `Program.execute` is what must come
last: capabilities, system call filter, execve. Between them init waits for `start`.

Order, and why: hard limits are raised before the user changes (it takes a capability), and set at the very end, where
the runtime needs nothing more that they could deny; the working directory as root first and as the user when root
may not (network file systems); the permitted set outlives setuid so that a filter can be installed without
no_new_privs; the filter after everything that it might forbid.
"""

from __future__ import annotations

import errno
import os
import stat

from .. import terminal
from ..errors import ExecFailed, SetupFailed
from ..kernel import calls, caps
from ..kernel import constants as k
from ..lists import parse_list
from ..security import lsm, notify, rlimits, seccomp
from ..security.capabilities import Capabilities
from ..spec import section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_IO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}


class Program:
    """A validated process of config.json, ready to become it. Built in the creator; nothing is imported later."""

    def __init__(
        self,
        process: dict[str, Any],
        *,
        filter_program: bytes = b"",
        filter_flags: int = 0,
        filter_listener: str = "",
        filter_metadata: str = "",
        preserve_fds: int = 0,
        parent_death_signal: int = 0,
        domain: str = "",
        memory_policy: dict[str, Any] | None = None,
        in_user_namespace: bool = False,
    ) -> None:
        self.process = process
        self.capabilities = Capabilities(process.get("capabilities"), in_user_namespace=in_user_namespace)
        self.limits = rlimits.parse(process.get("rlimits"))
        self.filter_program = filter_program
        self.filter_flags = filter_flags
        self.filter_listener = filter_listener
        self.filter_metadata = filter_metadata
        self.preserve_fds = preserve_fds
        self.parent_death_signal = parent_death_signal
        self.domain = domain
        self.memory_policy = memory_policy
        self.warnings = list(self.capabilities.warnings)
        self.agent_fd = -1
        self._agent_state: dict[str, Any] = {}
        self._agent_message = b""
        self._attributes: list[tuple[int, bytes]] = []
        lsm.check(process.get("apparmorProfile") or "", process.get("selinuxLabel") or "")

    def connect_agent(self) -> None:
        """Reach the agent of SCMP_ACT_NOTIFY, in the creator. `close_agent` closes the creator's descriptor."""
        if self.filter_listener:
            self.agent_fd = notify.connect(self.filter_listener)

    def close_agent(self) -> None:
        if self.agent_fd >= 0:
            os.close(self.agent_fd)
            self.agent_fd = -1

    def tell_agent(self, state: dict[str, Any]) -> None:
        """The container's state for the agent, which gets it together with the descriptor."""
        self._agent_state = state

    def agent_pid(self, pid: int) -> None:
        """This process's pid as the host sees it, once it has been told."""
        if self.filter_listener:
            self._agent_message = notify.process_state(self._agent_state, pid, self.filter_metadata)

    def open_attributes(self) -> None:
        """Open the security module's files while /proc is the host's."""
        process = self.process
        self._attributes = lsm.open_attributes(process.get("apparmorProfile") or "", process.get("selinuxLabel") or "")

    def prepare(self) -> None:
        """All but the last steps, inside the container's root and namespaces. Raises SetupFailed, OSError."""
        process = self.process
        user = section(process, "user")
        self._set_scheduling()
        terminal.take_own_null()
        terminal.give_stdio_to(user.get("uid") or 0)
        rlimits.raise_hard(self.limits)
        lsm.set_for_exec(self._attributes)
        os.umask(0o022 if user.get("umask") is None else user["umask"])
        moved = self._change_directory(final=False)
        self.capabilities.drop_bounding()
        self._change_user(user)
        if not moved:
            self._change_directory(final=True)
        verify_directory(process["cwd"])
        calls.prctl(k.PR_SET_PDEATHSIG, self.parent_death_signal)

    def check(self) -> None:
        """Raise ExecFailed when the program is not there, or nothing that can be executed."""
        name = self.process["args"][0]
        path = find_program(name, self.process.get("env") or [])
        try:
            mode = os.stat(path).st_mode
        except OSError as error:
            raise exec_failed(name, error.errno or 0) from error
        if not stat.S_ISREG(mode) or not mode & 0o111:
            raise exec_failed(name, errno.EACCES)

    def execute(self, before: bytes, status_fd: int) -> None:
        """Become the program; returns only by raising ExecFailed or SetupFailed.

        `before` is written to `status_fd`, which closes at the execve, when that is all that remains.
        """
        process = self.process
        environment = self._environment()
        path = find_program(process["args"][0], environment)
        execve = calls.prepare_execve(path, process["args"], environment)
        calls.close_range_on_exec(3 + self.preserve_fds)
        for fd in range(3, 3 + self.preserve_fds):
            try:
                os.set_inheritable(fd, True)
            except OSError:
                continue
        os.write(status_fd, before)
        # From here on there may be no memory to be had, no file and no process.
        rlimits.apply(self.limits)
        if process.get("noNewPrivileges"):
            calls.prctl(k.PR_SET_NO_NEW_PRIVS, 1)
            self.capabilities.apply()
            self._rearm()
            self._install_filter()
        else:
            self._install_filter()
            self.capabilities.apply()
            self._rearm()
        try:
            execve()
        except OSError as error:
            raise exec_failed(process["args"][0], error.errno or 0) from error

    def _rearm(self) -> None:
        # A change of credentials clears it.
        if self.parent_death_signal:
            calls.prctl(k.PR_SET_PDEATHSIG, self.parent_death_signal)

    def _install_filter(self) -> None:
        if self.filter_program:
            listener = bool(self.filter_listener)
            fd = seccomp.install(self.filter_program, self.filter_flags, listener)
            if fd >= 0:
                notify.hand_over(self.agent_fd, self._agent_message, fd)

    def _environment(self) -> list[str]:
        # The last of a name counts, as it does where a shell or setenv(3) sets them one after the other.
        environment = list({entry.partition("=")[0]: entry for entry in self.process.get("env") or []}.values())
        if not any(entry.startswith("HOME=") for entry in environment):
            environment.append(f"HOME={home_of(section(self.process, 'user').get('uid') or 0)}")
        return environment

    def _set_scheduling(self) -> None:
        process = self.process
        scheduler = process.get("scheduler")
        if scheduler:
            values = {
                "policy": k.SCHED_POLICIES[scheduler["policy"]],
                "flags": sum(k.SCHED_FLAGS[flag] for flag in set(scheduler.get("flags") or [])),
                **{name: scheduler.get(name) or 0 for name in ("nice", "priority", "runtime", "deadline", "period")},
            }
            _explained("process.scheduler", calls.sched_setattr, values)
        priority = process.get("ioPriority")
        if priority:
            _explained(
                "process.ioPriority",
                calls.ioprio_set,
                _IO_CLASSES[priority["class"]],
                priority.get("priority") or 0,
            )
        if self.domain:
            _explained(
                "linux.personality",
                calls.personality,
                k.PER_LINUX32 if self.domain == "LINUX32" else k.PER_LINUX,
            )
        policy = self.memory_policy
        if policy:
            mode = k.MPOL_MODES[policy["mode"]] | sum(k.MPOL_FLAGS[flag] for flag in set(policy.get("flags") or []))
            nodes = parse_list(policy.get("nodes") or "", "linux.memoryPolicy.nodes")
            _explained("linux.memoryPolicy", calls.set_mempolicy, mode, nodes)

    def _change_directory(self, *, final: bool) -> bool:
        try:
            os.chdir(self.process["cwd"])
        except OSError as error:
            if not final and error.errno in (errno.EACCES, errno.EPERM):
                return False
            raise SetupFailed(
                f"{self.process['cwd']}: {os.strerror(error.errno or 0)}",
                path="process.cwd",
                errno=error.errno or 0,
            ) from error
        return True

    def _change_user(self, user: dict[str, Any]) -> None:
        uid, gid = user.get("uid") or 0, user.get("gid") or 0
        groups = user.get("additionalGids") or []
        try:
            os.setgroups(groups)
        except PermissionError:
            # A user namespace that forbids setgroups: only a wish for groups is then an error.
            if groups:
                raise SetupFailed(
                    "this user namespace does not allow supplementary groups",
                    path="process.user.additionalGids",
                    errno=errno.EPERM,
                ) from None
        for name, change, value in (("gid", os.setresgid, gid), ("uid", os.setresuid, uid)):
            try:
                if name == "uid":
                    self.capabilities.keep()
                change(value, value, value)
            except OSError as error:
                raise SetupFailed(
                    f"cannot become {name} {value}: {os.strerror(error.errno or 0)}",
                    path=f"process.user.{name}",
                    hint="Is the id mapped in the user namespace?" if error.errno == errno.EINVAL else "",
                    errno=error.errno or 0,
                ) from error
        if uid:
            # Effective went with the user id; the filter and the last chdir may need it until `execute`.
            _effective, permitted, inheritable = caps.capget()
            caps.capset(permitted, permitted, inheritable)


def verify_directory(wanted: str) -> None:
    """The working directory must lie inside the root: a descriptor of the host left open could lead out of it
    (CVE-2024-21626)."""
    try:
        actual = calls.getcwd()
    except OSError:
        actual = "(deleted)"
    if not actual.startswith("/"):
        raise SetupFailed(f'"{wanted}" lies outside the container\'s root', path="process.cwd", errno=errno.EPERM)


def find_program(name: str, environment: list[str]) -> str:
    """The file that execve should get: as is when it has a slash, else the first executable one in PATH.

    Raises ExecFailed with ENOENT when there is none, EACCES when those there are not executable.
    """
    if "/" in name:
        return name
    search = _DEFAULT_PATH
    for entry in environment:
        if entry.startswith("PATH="):
            search = entry[5:]
    reason = errno.ENOENT
    for directory in search.split(":"):
        candidate = f"{directory or '.'}/{name}"
        try:
            mode = os.stat(candidate).st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) and mode & 0o111:
            return candidate
        reason = errno.EACCES
    raise exec_failed(name, reason)


def exec_failed(name: str, number: int) -> ExecFailed:
    """The error for a program that cannot be executed, in words that callers of runtimes look for."""
    if number == errno.ENOENT and "/" not in name:
        return ExecFailed(f'exec: "{name}": executable file not found in $PATH', errno=number)
    hint = ""
    if number == errno.ENOEXEC:
        hint = "Is it for another architecture, or a script without a #! line?"
    elif number == errno.ENOENT:
        hint = "The file, or the interpreter or loader that it names, is not in the image."
    return ExecFailed(f'exec: "{name}": {os.strerror(number).lower()}', hint=hint, errno=number)


def home_of(uid: int) -> str:
    """The user's home according to the container's /etc/passwd, / when it has none."""
    try:
        with open("/etc/passwd", "rb") as file:
            for line in file.read(1 << 20).split(b"\n"):
                fields = line.split(b":")
                if len(fields) >= 6 and fields[2] == str(uid).encode():
                    return os.fsdecode(fields[5]) or "/"
    except OSError:
        pass
    return "/"


def _explained(place: str, call: Any, *arguments: Any) -> None:
    try:
        call(*arguments)
    except OSError as error:
        raise SetupFailed(str(error.strerror), path=place, errno=error.errno or 0) from error
