"""A container of the runtime: created, started, signalled, executed in, paused, deleted.

This is the library behind `pydock-runc` and the engine's shim. A caller has one thread. The container's init, and the
processes of `exec`, are direct children of the caller, who reaps them. Methods raise the faults of
`runtime.errors` and cgroup faults, which are RuntimeFaults too.
"""

from __future__ import annotations

import os
import select
import time

from . import hooks as hook_runner
from . import jsontext
from .cgroups import Cgroup
from .errors import ContainerNotFound, HookFailed, RuntimeFault, SetupFailed, WrongStatus
from .kernel import signals
from .spec import namespace_paths
from .state import FIFO_NAME, StateDirectory, check_id, container_ids, oci_state, start_time
from .status import CREATED, CREATING, PAUSED, RUNNING, STOPPED, Status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .criu import Images
    from .process.joining import Process

    PhaseObserver = Callable[[str, int, int], None]

_SIGKILL = 9
_KILL_TIMEOUT_MS = 10_000


class Container:
    """One container. `console_fd` is the terminal's master when `create` was asked for it; the caller owns it."""

    def __init__(self, directory: StateDirectory, data: dict[str, Any]) -> None:
        self._directory = directory
        self._data = data
        self._cgroup: Cgroup | None = None
        self.id = directory.container_id
        self.console_fd = -1
        self.warnings: list[str] = []

    @staticmethod
    def create(
        state_root: str,
        container_id: str,
        bundle: str,
        *,
        spec: dict[str, Any] | None = None,
        config_file: str = "config.json",
        stdio: tuple[int, int, int] | None = None,
        want_console: bool = False,
        console_socket: str = "",
        pid_file: str = "",
        preserve_fds: int = 0,
        no_pivot: bool = False,
        no_new_keyring: bool = False,
        systemd_cgroup: bool = False,
        use_cgroup: bool = True,
        rootless: str = "false",
        parent_death_signal: int = 0,
        check_program: bool = False,
        on_phase: PhaseObserver | None = None,
        on_born: Callable[[int], None] | None = None,
    ) -> Container:
        """Make the container; its init waits for `start`.

        `spec` is a parsed config.json, else it is read from the bundle. `stdio` are the descriptors that become the
        program's 0, 1 and 2 (default: the caller's). A process.terminal needs `want_console` or `console_socket`.
        `parent_death_signal` is sent to the program when its creator dies. With `check_program` one that does not
        exist is refused here (ExecFailed) and not only by `start`. `rootless` ("true", "false", or "auto": in a user
        namespace) lets a cgroup that may not be made be missing, with a warning. `on_phase` gets every step's name,
        start (ns since the epoch) and length (ns). `on_born` gets init's pid as soon as its namespaces exist, and works
        while init sets itself up; what it raises is raised here. On any failure nothing is left behind.
        """
        # Each command loads what it needs, and no more.
        from .process import creation

        request = creation.Request(
            bundle=os.path.abspath(bundle),
            spec=spec,
            config_file=config_file,
            stdio=stdio,
            want_console=want_console,
            console_socket=console_socket,
            pid_file=pid_file,
            preserve_fds=preserve_fds,
            no_pivot=no_pivot,
            no_new_keyring=no_new_keyring,
            systemd_cgroup=systemd_cgroup,
            use_cgroup=use_cgroup,
            rootless=rootless,
            parent_death_signal=parent_death_signal,
            check_program=check_program,
            on_phase=on_phase,
            on_born=on_born,
        )
        check_id(container_id)
        made = creation.create(state_root, container_id, request)
        container = Container(made.directory, made.data)
        container.console_fd = made.console_fd
        container.warnings = made.warnings
        container._cgroup = made.cgroup
        return container

    @staticmethod
    def load(state_root: str, container_id: str) -> Container:
        """An existing container. Raises ContainerNotFound."""
        directory = StateDirectory.existing(state_root, container_id)
        return Container(directory, directory.read())

    @staticmethod
    def all(state_root: str) -> list[Container]:
        """Every container under a state root, by id."""
        found = []
        for container_id in container_ids(state_root):
            try:
                found.append(Container.load(state_root, container_id))
            except ContainerNotFound:
                continue
        return found

    @property
    def pid(self) -> int:
        """init's pid as this process sees it, 0 when it was never born."""
        return int(self._data.get("pid") or 0)

    @property
    def bundle(self) -> str:
        return str(self._data.get("bundle") or "")

    @property
    def config(self) -> dict[str, Any]:
        """The config it was created with; linux.seccomp is left out."""
        return self._data.get("config") or {}

    @property
    def created(self) -> str:
        """When it was created, RFC 3339."""
        return str(self._data.get("created") or "")

    @property
    def owner_uid(self) -> int:
        return os.fstat(self._directory.fd).st_uid

    @property
    def cgroup(self) -> Cgroup | None:
        """Its cgroup, None where it has none."""
        if self._cgroup is None and self._data.get("cgroup_paths"):
            self._cgroup = Cgroup.from_paths(self._data["cgroup_paths"])
        return self._cgroup

    def status(self) -> Status:
        """What the kernel says it is in now."""
        if not self._data.get("pid"):
            return CREATING if start_time(self._data.get("creator") or 0) else STOPPED
        if not self._alive():
            return STOPPED
        if self.cgroup is not None and self.cgroup.frozen():
            return PAUSED
        if not self._data.get("ready"):
            return CREATING
        waiting = os.path.exists(f"{self._directory.path}/{FIFO_NAME}") and not self._has_executed()
        return CREATED if waiting else RUNNING

    def state(self) -> dict[str, Any]:
        """The state as the runtime-spec defines it (runtime.md, "State")."""
        status = self.status()
        return oci_state(self._data, self.id, status, 0 if status == STOPPED else self.pid)

    def start(self, *, on_phase: PhaseObserver | None = None) -> None:
        """Let init execute the program; returns when it has.

        Raises ExecFailed when it cannot be executed, HookFailed of a startContainer or poststart hook (the
        container is then stopped), WrongStatus.
        """
        began, clock = time.time_ns(), time.monotonic_ns()
        self._directory.lock()
        try:
            status = self.status()
            if not status.can_start:
                raise self._wrong(status, "start")
            if self.config.get("process") is None:
                raise RuntimeFault("is required to start the container", path="process")
            from .process.start import release

            release(self._directory, self.pid)
        finally:
            self._directory.unlock()
        if on_phase is not None:
            on_phase("exec", began, time.monotonic_ns() - clock)
        poststart = (self.config.get("hooks") or {}).get("poststart")
        if poststart:
            try:
                hook_runner.run_hooks("poststart", poststart, self._state_json(RUNNING))
            except HookFailed:
                self._kill_everything()
                raise

    def kill(self, signal: int, *, all: bool = False) -> None:
        """Send a signal to init, or to every process in the container.

        A shared pid namespace has no init that takes the others along, so there SIGKILL goes to all. Raises
        WrongStatus when it has stopped already.
        """
        status = self.status()
        if not status.can_kill and not (all and self.cgroup is not None):
            # Shims of other engines know the end of a container by these words.
            raise WrongStatus(f'container not running: "{self.id}" is {status}')
        shared = "pid" not in namespaces_of(self.config)
        if (all or (shared and signal == _SIGKILL)) and self.cgroup is not None:
            self.cgroup.kill(signal)
            return
        self._signal(signal)
        if signal == _SIGKILL and status == PAUSED and self.cgroup is not None:
            # A frozen v1 cgroup does not even die.
            self.cgroup.thaw()

    def pause(self) -> None:
        """Freeze all its processes."""
        status = self.status()
        if not status.can_pause:
            raise self._wrong(status, "pause")
        self._needed_cgroup().freeze()

    def resume(self) -> None:
        """Let them run again."""
        status = self.status()
        if not status.can_resume:
            raise self._wrong(status, "resume")
        self._needed_cgroup().thaw()

    def update(self, resources: dict[str, Any]) -> None:
        """Change limits; `resources` is a validated linux.resources, unnamed limits stay."""
        self._directory.lock()
        try:
            status = self.status()
            if not status.can_kill:
                raise self._wrong(status, "update")
            cgroup = self._needed_cgroup()
            added = resources.get("devices")
            cgroup.apply({**resources, "devices": None})
            if added:
                # The rules that hold are those of the config and of all updates, in their order.
                configured = (self.config.get("linux") or {}).get("resources") or {}
                from .rootfs.devices import device_rules

                held = self._data.get("device_rules") or device_rules(configured)["devices"]
                cgroup.add_device_rules(held, added)
                self._data["device_rules"] = [*held, *added]
                self._directory.write(self._data)
        finally:
            self._directory.unlock()

    def delete(self, *, force: bool = False) -> None:
        """Remove it and all that the runtime made for it. With `force`, kill it first and be silent about leftovers
        of a creation that was cut off. Poststop hooks run; their failures are warnings."""
        self._directory.lock()
        try:
            self._data = self._directory.read()
            status = self.status()
            if not force and not status.can_delete:
                raise self._wrong(status, "delete")
            if status != STOPPED or force:
                self._kill_everything()
            if self.cgroup is not None:
                if "pid" not in namespaces_of(self.config):
                    self.cgroup.kill()
                self.cgroup.remove()
            if self._data.get("resctrl"):
                from . import resctrl

                resctrl.kept_group(self._data["resctrl"]).remove()
            finish_deletion(os.path.dirname(self._directory.path), self.id)
            self._directory.retire()
        except BaseException:
            self._directory.unlock()
            raise
        self._end_deletion()

    def _end_deletion(self) -> None:
        """After the id has been given back: poststop hooks, then nothing is known any more."""
        try:
            for index, hook in enumerate((self.config.get("hooks") or {}).get("poststop") or []):
                try:
                    hook_runner.run_hooks("poststop", [hook], self._state_json(STOPPED))
                except HookFailed as error:
                    self.warnings.append(f"hooks.poststop[{index}]: {error.message}")
            self._directory.remove()
        finally:
            self._directory.close()

    def exec(
        self,
        process: dict[str, Any],
        *,
        stdio: tuple[int, int, int] | None = None,
        want_console: bool = False,
        console_socket: str = "",
        pid_file: str = "",
        preserve_fds: int = 0,
        parent_death_signal: int = 0,
        ignore_paused: bool = False,
        cgroup_path: str = "",
    ) -> Process:
        """A further process in it, a direct child of the caller. `process` is a validated process of config.json; what
        it leaves out of capabilities, limits and no_new_privs it does not have. Raises as `start`."""
        status = self.status()
        if status == PAUSED and not ignore_paused:
            raise WrongStatus(f'cannot exec in a paused container: "{self.id}"')
        if not (status.can_exec or status == PAUSED):
            raise self._wrong(status, "exec in")
        from .process.joining import join

        return join(
            self.pid,
            self._data,
            process,
            self.cgroup,
            state_directory=self._directory.path,
            container_id=self.id,
            stdio=stdio,
            want_console=want_console,
            console_socket=console_socket,
            pid_file=pid_file,
            preserve_fds=preserve_fds,
            parent_death_signal=parent_death_signal,
            cgroup_path=cgroup_path,
        )

    def checkpoint(self, images: Images, *, before: bool = False) -> None:
        """Save its processes by criu; `before` a later checkpoint saves their memory alone and lets them go on."""
        from . import criu

        status = self.status()
        if status not in (RUNNING, PAUSED):
            raise self._wrong(status, "checkpoint")
        process = self.config.get("process") or {}
        if process.get("terminal"):
            raise RuntimeFault("a terminal cannot be saved", path="process.terminal")
        joined = [kind for kind, path in namespace_paths(self.config).items() if path]
        if joined:
            raise RuntimeFault(f"the {joined[0]} namespace is shared with others", path="linux.namespaces")
        paths = self.cgroup.paths() if self.cgroup is not None else {}
        criu.dump(images, self.pid, self.config, paths.get("freezer") or paths.get("unified") or "", before=before)

    @staticmethod
    def restore(
        state_root: str, container_id: str, bundle: str, images: Images, *, systemd_cgroup: bool, pid_file: str = ""
    ) -> Container:
        """A container whose processes come from a checkpoint; they are descendants of the caller."""
        from .process.restoring import restore

        made = restore(state_root, container_id, bundle, images, systemd_cgroup=systemd_cgroup, pid_file=pid_file)
        return Container(*made)

    def close(self) -> None:
        """Let go of descriptors; the container itself goes on."""
        self._directory.close()

    def _alive(self) -> bool:
        return bool(self.pid) and start_time(self.pid) == self._data.get("start_time")

    def _has_executed(self) -> bool:
        """Whether init runs another program than it was made with: a `start` was killed before it could say so."""
        try:
            status = os.stat(f"/proc/{self.pid}/exe")
        except OSError:
            return False
        identity = [status.st_dev, status.st_ino]
        return bool(identity != self._data.get("interpreter", identity))

    def _signal(self, signal: int) -> None:
        """By pidfd, after the start time has shown that the pid is still that of init."""
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self._alive():
                signals.send(pidfd, signal)
        except ProcessLookupError:
            pass
        except OSError as error:
            raise SetupFailed(
                f"cannot send signal {signal} to process {self.pid}: {error.strerror}", errno=error.errno or 0
            ) from error
        finally:
            os.close(pidfd)

    def _kill_everything(self) -> None:
        """SIGKILL to all, and wait until init is gone (or a zombie that its parent will reap)."""
        if self.cgroup is not None and self.cgroup.exists():
            self.cgroup.kill()
        if not self._alive():
            return
        try:
            pidfd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self._alive():
                os.kill(self.pid, _SIGKILL)
            poller = select.poll()
            poller.register(pidfd, select.POLLIN)
            if not poller.poll(_KILL_TIMEOUT_MS):
                raise SetupFailed(f"process {self.pid} did not end within {_KILL_TIMEOUT_MS} ms of SIGKILL")
        finally:
            os.close(pidfd)

    def _needed_cgroup(self) -> Cgroup:
        if self.cgroup is None:
            raise SetupFailed(f'container "{self.id}" has no cgroup')
        return self.cgroup

    def _wrong(self, status: Status, action: str) -> WrongStatus:
        return WrongStatus(f'cannot {action} container "{self.id}": it is {status}')

    def _state_json(self, status: Status) -> bytes:
        return jsontext.dumps(oci_state(self._data, self.id, status, self.pid)).encode()


def finish_deletion(state_root: str, container_id: str) -> list[str]:
    """Do what is left of a deletion that was killed after it had given the id back; its warnings."""
    directory = StateDirectory.retired(state_root, container_id)
    if directory is None:
        return []
    container = Container(directory, directory.read())
    container._end_deletion()
    return container.warnings


def namespaces_of(config: dict[str, Any]) -> set[str]:
    """The types of namespaces that are the container's own, new ones."""
    listed = (config.get("linux") or {}).get("namespaces") or []
    return {entry["type"] for entry in listed if not entry.get("path")}
