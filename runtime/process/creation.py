"""`create`, seen from the creator: what is made, in which order, and how it is unmade when a step fails.

The state directory comes first and names all that follows, so that a creator killed at any point leaves a container
that `delete --force` can clean up. The move into the cgroup, 5 to 15 ms of waiting on an idle host, is done while
init makes its mounts.
"""

from __future__ import annotations

import errno
import os
import time

from .. import idmap, jsontext
from ..cgroups import Cgroup, open_cgroup
from ..errors import HookFailed, InvalidConfig, RuntimeFault, SetupFailed
from ..hooks import run_hooks
from ..kernel import sockets
from ..rootfs import mounting
from ..rootfs.devices import device_rules
from ..spec import items, load_config, section
from ..state import FIFO_NAME, StateDirectory, oci_state, start_time
from ..validate import validate_config
from . import messages
from .birth import give_birth
from .init import Init
from .messages import Channel, channel_pair
from .plan import InitPlan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SIGKILL = 9
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class Request:
    """The arguments of `Container.create`."""

    __slots__ = (
        "bundle",
        "check_program",
        "config_file",
        "console_socket",
        "no_new_keyring",
        "no_pivot",
        "on_born",
        "on_phase",
        "parent_death_signal",
        "pid_file",
        "preserve_fds",
        "rootless",
        "spec",
        "stdio",
        "systemd_cgroup",
        "use_cgroup",
        "want_console",
    )

    def __init__(self, **values: Any) -> None:
        for name in self.__slots__:
            setattr(self, name, values[name])


class Creation:
    """A container in the making; `data` is what state.json will hold."""

    def __init__(self, directory: StateDirectory, request: Any) -> None:
        self.directory = directory
        self.request = request
        self.data: dict[str, Any] = {}
        self.cgroup: Cgroup | None = None
        self.resctrl: Any = None
        self.net_devices: Any = None
        self.console_fd = -1
        self.pid = 0
        self.warnings: list[str] = []
        self.hooks_began = False
        self._started = (time.time_ns(), time.monotonic_ns())

    def phase(self, name: str) -> None:
        """Report the step that ends here."""
        wall, monotonic = self._started
        now = time.monotonic_ns()
        if self.request.on_phase is not None:
            self.request.on_phase(name, wall, now - monotonic)
        self._started = (time.time_ns(), now)

    def undo(self) -> None:
        """Take everything back, in reverse order. Never raises: the first fault is the one to report."""
        if self.net_devices is not None:
            self.net_devices.give_back()
            self.net_devices.close()
        if self.pid:
            try:
                os.kill(self.pid, _SIGKILL)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        if self.console_fd >= 0:
            os.close(self.console_fd)
        if self.cgroup is not None:
            try:
                self.cgroup.kill()
                self.cgroup.remove()
            except RuntimeFault:
                pass
        if self.resctrl is not None:
            try:
                self.resctrl.remove()
            except RuntimeFault:
                pass
        try:
            self.directory.retire()
        except (RuntimeFault, OSError):
            pass

    def run_poststop(self, error: BaseException) -> None:
        """Hooks have run, so the container ends as `delete` ends it, hooks included (runtime.md, "Lifecycle")."""
        warnings = error.warnings if isinstance(error, HookFailed) else self.warnings
        for index, hook in enumerate(items(self.data.get("config") or {}, "hooks", "poststop")):
            state = oci_state(self.data, self.directory.container_id, "stopped", 0)
            try:
                run_hooks("poststop", [hook], jsontext.dumps(state).encode())
            except HookFailed as later:
                warnings.append(f"hooks.poststop[{index}]: {later.message}")

    def forget(self) -> None:
        """The last trace, kept until the poststop hooks have run."""
        self.directory.remove()
        self.directory.close()


def create(state_root: str, container_id: str, request: Any) -> Creation:
    """Make the container, up to the init that waits. Raises RuntimeFault; then nothing is left."""
    config = request.spec
    if config is None:
        config = load_config(request.bundle, request.config_file)
    else:
        validate_config(config, request.bundle)
    terminal = bool(section(config, "process").get("terminal"))
    _check_console(request, terminal)
    plan = InitPlan(
        config,
        request.bundle,
        filter_cache=f"{state_root}/@seccomp",
        preserve_fds=request.preserve_fds,
        parent_death_signal=request.parent_death_signal,
        no_pivot=request.no_pivot,
        no_new_keyring=request.no_new_keyring,
        terminal=terminal,
    )
    try:
        cgroup = _plan_cgroup(request, container_id, section(config, "linux"))
        creation = Creation(StateDirectory.make(state_root, container_id), request)
        creation.cgroup = cgroup
        try:
            _make(creation, plan, config)
        except BaseException as error:
            creation.undo()
            if creation.hooks_began or isinstance(error, HookFailed):
                creation.run_poststop(error)
            creation.forget()
            if isinstance(error, OSError):
                raise SetupFailed(
                    str(error.strerror), path=str(error.filename or ""), errno=error.errno or 0
                ) from error
            raise
    finally:
        plan.namespaces.close()
        mounting.close_sources(plan.planned)
    return creation


def _plan_cgroup(request: Any, container_id: str, linux: dict[str, Any]) -> Cgroup | None:
    """The container's cgroup, whose limits this host can set; nothing is made yet."""
    if not request.use_cgroup:
        return None
    cgroup = open_cgroup(linux.get("cgroupsPath") or "", container_id, systemd=request.systemd_cgroup)
    cgroup.check(device_rules(linux.get("resources") or {}))
    return cgroup


def _make(creation: Creation, plan: InitPlan, config: dict[str, Any]) -> None:
    request, directory = creation.request, creation.directory
    linux = section(config, "linux")
    data = creation.data
    data.update(
        creator=os.getpid(),
        interpreter=identity("/proc/self/exe"),
        bundle=request.bundle,
        rootfs=plan.rootfs,
        created=now(),
        config=kept(config),
        no_pivot=request.no_pivot,
    )
    if creation.cgroup is not None:
        data["cgroup_paths"] = creation.cgroup.paths()
    if plan.program is not None:
        data["filter"] = {
            "flags": plan.program.filter_flags,
            "listener": plan.program.filter_listener,
            "metadata": plan.program.filter_metadata,
        }
        if plan.program.filter_program:
            _write_file(f"{directory.path}/seccomp.bpf", plan.program.filter_program)
        creation.warnings += plan.program.warnings
    directory.write(data)
    _make_fifo(directory, plan)
    if creation.cgroup is not None:
        _make_cgroup(creation, plan, device_rules(linux.get("resources") or {}))
    plan.show_cgroup(creation.cgroup.mounts() if creation.cgroup is not None else [])
    if linux.get("intelRdt"):
        from .. import resctrl

        creation.resctrl = resctrl.open_group(linux["intelRdt"], directory.container_id, resctrl.mount_point())
        data["resctrl"] = creation.resctrl.kept()
    # An ordinary user may only do that as root of the namespaces that are still to be made.
    if os.geteuid() == 0 and (plan.in_user_namespace or any(mount.mappings[0] for mount in plan.planned)):
        mounting.open_sources(plan.planned)
    creation.phase("prepare")
    _bear(creation, plan, config)
    data["ready"] = True
    directory.write(data)
    if request.pid_file:
        write_pid_file(request.pid_file, creation.pid)
    if creation.net_devices is not None:
        creation.net_devices.close()


def _make_cgroup(creation: Creation, plan: InitPlan, resources: dict[str, Any]) -> None:
    cgroup, data = creation.cgroup, creation.data
    assert cgroup is not None
    try:
        cgroup.create(resources)
    except RuntimeFault as fault:
        if getattr(fault, "errno", 0) not in _FORBIDDEN or not _is_rootless(creation.request.rootless):
            raise
        try:
            cgroup.remove()
        except RuntimeFault:
            pass
        creation.cgroup = None
        del data["cgroup_paths"]
        creation.warnings.append(f"without a cgroup: {fault}")
        return
    data["cgroup_paths"] = cgroup.paths()
    creation.warnings += cgroup.warnings
    owner = plan.cgroup_owner()
    if owner > 0:
        cgroup.delegate(owner, -1)


def _is_rootless(wish: str) -> bool:
    """What --rootless says; "auto" asks whether this is a user namespace, where cgroups may be another's."""
    if wish != "auto":
        return wish == "true"
    with open("/proc/self/uid_map") as file:
        return file.read().split() != ["0", "0", "4294967295"]


def _bear(creation: Creation, plan: InitPlan, config: dict[str, Any]) -> None:
    request, data = creation.request, creation.data
    console_socket_fd = -1
    if plan.terminal and request.console_socket:
        console_socket_fd = sockets.connect_stream(request.console_socket)
    cgroup = creation.cgroup
    cgroup_fd = cgroup.clone_fd() if cgroup and not plan.namespaces.needs_stage() else -1
    entry_fds = cgroup.entry_fds() if cgroup else []
    if plan.program is not None:
        plan.program.connect_agent()
    ours, theirs = channel_pair()
    try:

        def state_json(status: str, pid: int) -> bytes:
            return jsontext.dumps(oci_state(data, creation.directory.container_id, status, pid)).encode()

        init = Init(
            plan,
            theirs,
            creation.directory.fd,
            state_json,
            stdio=request.stdio,
            console_socket_fd=console_socket_fd,
            container_id=creation.directory.container_id,
            entry_fds=entry_fds,
            check_program=request.check_program,
        )
        creation.pid = give_birth(plan, init, ours, theirs, cgroup_fd)
        creation.phase("namespaces")
        data["pid"] = creation.pid
        data["start_time"] = start_time(creation.pid)
        creation.directory.write(data)
        _set_oom_score(creation.pid, section(config, "process").get("oomScoreAdj"))
        if cgroup and cgroup_fd < 0:  # a stage process cannot be born in it, nor its child
            cgroup.add(creation.pid)
            creation.phase("cgroup")
        if creation.resctrl is not None:
            creation.resctrl.add(creation.pid)
        if section(config, "linux", "netDevices"):
            _move_net_devices(creation, plan, section(config, "linux", "netDevices"))
        ours.send(messages.IN_CGROUP, str(creation.pid))
        fault = _tell_birth(creation)
        _converse(creation, plan, ours, state_json)
        if fault is not None:
            raise fault
    except (BrokenPipeError, ConnectionResetError):
        # It had something to say before it left.
        _converse(creation, plan, ours, state_json)
    finally:
        ours.close()
        theirs.close()
        for fd in (console_socket_fd, cgroup_fd, *entry_fds):
            if fd >= 0:
                os.close(fd)
        if plan.program is not None:
            plan.program.close_agent()


def _move_net_devices(creation: Creation, plan: InitPlan, devices: dict[str, Any]) -> None:
    from .. import net_devices

    creation.net_devices = net_devices.Moved()
    joined = [fd for kind, fd, _path in plan.namespaces.joins if kind == "network"]
    namespace_fd = os.dup(joined[0]) if joined else os.open(f"/proc/{creation.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        creation.net_devices.move(devices, namespace_fd)
    finally:
        os.close(namespace_fd)
    creation.phase("network devices")


def _tell_birth(creation: Creation) -> Exception | None:
    """What the caller does meanwhile. Its fault waits: if init dies, that is the cause, and this a consequence."""
    if creation.request.on_born is not None:
        try:
            creation.request.on_born(creation.pid)
        except Exception as error:
            return error
    return None


def _converse(creation: Creation, plan: InitPlan, channel: Channel, state_json: Callable[[str, int], bytes]) -> None:
    while True:
        kind, fields, fd = channel.receive()
        if kind == messages.CONSOLE:
            creation.console_fd = fd
        elif kind == messages.MOUNTED:
            for name in ("prestart", "createRuntime"):
                hooks = plan.hooks.get(name)
                if hooks:
                    creation.hooks_began = True
                    run_hooks(name, hooks, state_json("creating", creation.pid))
            channel.send(messages.HOOKS_RUN)
        elif kind == messages.READY:
            if creation.request.on_phase is not None:
                for phase in fields:
                    name, start_ns, duration_ns = phase.rsplit(" ", 2)
                    creation.request.on_phase(name, int(start_ns), int(duration_ns))
            return
        else:
            raise _cause_of_death(creation)


def _cause_of_death(creation: Creation) -> SetupFailed:
    if creation.cgroup is not None and creation.cgroup.oom_killed():
        return SetupFailed(
            "the memory limit is too low to start a process in",
            path="linux.resources.memory.limit",
            hint="Give it some megabytes.",
        )
    return SetupFailed("the container's first process was killed while it was being set up")


def _check_console(request: Any, terminal: bool) -> None:
    if terminal and not (request.want_console or request.console_socket):
        raise InvalidConfig(
            "a terminal needs someone to take it", path="process.terminal", hint="Give --console-socket."
        )
    if not terminal and request.console_socket:
        raise InvalidConfig("is not set, so there is nothing for the console socket", path="process.terminal")


def _make_fifo(directory: StateDirectory, plan: InitPlan) -> None:
    """Openable for writing by the container's user, in a directory that only root can list."""
    os.mkfifo(FIFO_NAME, dir_fd=directory.fd)
    os.chmod(FIFO_NAME, 0o622, dir_fd=directory.fd)
    root_uid = idmap.host_id(plan.uid_mappings, 0)
    root_gid = idmap.host_id(plan.gid_mappings, 0)
    if (root_uid, root_gid) != (0, 0) and os.geteuid() == 0:
        os.chown(FIFO_NAME, root_uid, root_gid, dir_fd=directory.fd)


def _set_oom_score(pid: int, score: int | None) -> None:
    if score is None:
        return
    try:
        with open(f"/proc/{pid}/oom_score_adj", "w") as file:
            file.write(str(score))
    except OSError as error:
        raise SetupFailed(
            f"cannot set it to {score}: {os.strerror(error.errno or 0)}",
            path="process.oomScoreAdj",
            hint="Lowering it takes CAP_SYS_RESOURCE." if error.errno in (1, 13) else "",
            errno=error.errno or 0,
        ) from error


def write_pid_file(path: str, pid: int) -> None:
    """By rename, so that a reader never finds half a number."""
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}")
    _write_file(temporary, str(pid).encode())
    os.rename(temporary, path)


def _write_file(path: str, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)


def identity(path: str) -> list[int]:
    status = os.stat(path)
    return [status.st_dev, status.st_ino]


def kept(config: dict[str, Any]) -> dict[str, Any]:
    """The config as later commands need it: without the filter, which is kept compiled."""
    kept = dict(config)
    linux = dict(section(config, "linux"))
    linux.pop("seccomp", None)
    kept["linux"] = linux
    return kept


def now() -> str:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds:09d}Z"


def has_hooks(config: dict[str, Any], kind: str) -> bool:
    """Whether the config wants hooks of that kind."""
    return bool(items(config, "hooks", kind))
