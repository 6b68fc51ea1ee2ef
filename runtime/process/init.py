"""The container's first process, from its birth in the new namespaces to the container's program.

Nothing here returns: the process ends as the program, or by `os._exit` after having told its creator why. It dies
with its creator until it is ready. It is not dumpable, so that no process sharing its pid namespace can look into it
(CVE-2016-9962).
"""

from __future__ import annotations

import gc
import os
import time

from .. import jsontext, namespaces, sysctl, terminal
from ..errors import RuntimeFault
from ..hooks import run_hooks
from ..kernel import calls
from ..kernel import constants as k
from ..rootfs import cgroup_mounts, devices, mask, mounting, pivot, resolve
from ..state import FIFO_NAME
from . import messages
from .messages import EXECUTING, Channel, as_fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from .plan import InitPlan

_SIGKILL = 9
_MOUNT_POINT_UMASK = 0


def enter_cgroup(entry_fds: list[int]) -> None:
    """Move the calling process, of one thread, by the descriptors of `Cgroup.entry_fds`, and close them."""
    for fd in entry_fds:
        os.write(fd, b"0")
        os.close(fd)


class Init:
    """One container's first process. `state_fd` is its state directory, which holds the fifo of `start`."""

    def __init__(
        self,
        plan: InitPlan,
        channel: Channel,
        state_fd: int,
        state_json: Callable[[str, int], bytes],
        *,
        stdio: tuple[int, int, int] | None,
        console_socket_fd: int,
        container_id: str,
        entry_fds: list[int],
        check_program: bool,
    ) -> None:
        self._plan = plan
        self._channel = channel
        self._state_fd = state_fd
        self._state_json = state_json
        self._stdio = stdio
        self._console_socket_fd = console_socket_fd
        self._id = container_id
        self._entry_fds = entry_fds
        self._check_program = check_program
        self._made_by_root = os.geteuid() == 0
        self._pid = 0
        self._in_cgroup = False
        self._slave_fd = -1
        self._root = plan.rootfs
        self._phases: list[str] = []
        self._step = "init"
        self._started = (time.time_ns(), time.monotonic_ns())

    def run(self, *, needs_maps: bool, joins: bool) -> NoReturn:
        """Set up, wait for `start`, become the program."""
        fifo_fd = -1
        try:
            gc.disable()
            self._protect()
            self._enter_namespaces(needs_maps=needs_maps, joins=joins)
            if self._plan.in_mount_namespace:
                self._make_root()
            else:
                self._wait_for_hooks()
                pivot.change_root(self._plan.rootfs)
            self._finish()
            self._channel.send(messages.READY, *self._phases)
            self._channel.close()
            fifo_fd = os.open(FIFO_NAME, os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._state_fd)
            self._step = "start"
            self._start(fifo_fd)
        except BaseException as error:
            fault = as_fault(error, self._step)
            try:
                if fifo_fd >= 0:
                    Channel(fifo_fd).send_failure(fault)
                elif self._channel.fd >= 0:
                    self._channel.send_failure(fault)
            except OSError:
                pass
        os._exit(1)

    def _begin(self, step: str) -> None:
        """Close the running phase and open the next."""
        wall, monotonic = self._started
        now = time.monotonic_ns()
        self._phases.append(f"{self._step} {wall} {now - monotonic}")
        self._step = step
        self._started = (time.time_ns(), now)

    def _protect(self) -> None:
        if self._made_by_root:
            # Another user's creator could not write our maps, and nobody shares the new pid namespace yet.
            calls.prctl(k.PR_SET_DUMPABLE, 0)
        calls.prctl(k.PR_SET_PDEATHSIG, _SIGKILL)
        calls.reset_signals()
        # The inherited descriptor shares the creator's lock, which must not outlive a creator that is killed.
        own_fd = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._state_fd)
        os.close(self._state_fd)
        self._state_fd = own_fd
        os.umask(_MOUNT_POINT_UMASK)
        if self._stdio is not None:
            copies = [os.dup(fd) for fd in self._stdio]
            for target, copy in enumerate(copies):
                os.dup2(copy, target)
                os.close(copy)

    def _enter_namespaces(self, *, needs_maps: bool, joins: bool) -> None:
        plan = self._plan
        if needs_maps:
            # Soon this process may not pass the folders above the root any more; where it stands goes along with it.
            os.chdir(plan.rootfs)
            self._root = "."
            self._channel.expect(messages.MAPPED)
            namespaces.become_root()
            # The change of credentials has cleared it.
            calls.prctl(k.PR_SET_PDEATHSIG, _SIGKILL)
            calls.prctl(k.PR_SET_DUMPABLE, 0)
        if joins:
            plan.namespaces.join()
        os.setsid()
        if not plan.no_new_keyring:
            calls.join_session_keyring(f"_ses.{self._id}")
        if plan.hostname:
            calls.sethostname(plan.hostname)
        if plan.domainname:
            calls.setdomainname(plan.domainname)
        sysctl.write_sysctls(plan.sysctl)
        if plan.program is not None:
            plan.program.open_attributes()

    def _make_root(self) -> None:
        plan = self._plan
        self._begin("mounts")
        null_fd = mask.open_null()
        pivot.isolate(plan.propagation, plan.rootfs)
        root_fd = pivot.bind_root(self._root, plan.propagation)
        for mount in plan.planned:
            mounting.perform(root_fd, mount, plan.mount_label)
        cgroup_mounts.link_controllers(root_fd, plan.mounts, plan.cgroup_mounts)
        if plan.devices:
            self._begin("devices")
            devices.make_devices(root_fd, plan.devices, bind=plan.in_user_namespace)
            devices.make_links(root_fd)
        if plan.program is not None:
            os.close(resolve.make_directories(root_fd, plan.program.process["cwd"]))
        if plan.terminal:
            self._open_terminal(root_fd)
        self._wait_for_hooks()
        if plan.hooks.get("createContainer"):
            self._wait_for_cgroup()
            self._begin("hooks")
            # In the container's namespaces the pid is the one that the container sees.
            run_hooks("createContainer", plan.hooks["createContainer"], self._state_json("creating", os.getpid()))
        self._begin("masked paths")
        mask.make_read_only(root_fd, plan.read_only)
        mask.mask_paths(root_fd, plan.masked, null_fd, plan.mount_label)
        os.close(null_fd)
        self._begin("pivot_root")
        pivot.enter(root_fd, pivot=not plan.no_pivot)
        pivot.finish(root_fd, plan.propagation, read_only=plan.read_only_root)
        os.close(root_fd)

    def _open_terminal(self, root_fd: int) -> None:
        master_fd, self._slave_fd = terminal.open_pair(root_fd)
        terminal.set_size(self._slave_fd, self._plan.console_size)
        terminal.bind_console(root_fd, self._slave_fd)
        if self._console_socket_fd >= 0:
            terminal.send_master(self._console_socket_fd, master_fd)
            os.close(self._console_socket_fd)
        else:
            self._channel.send_descriptor(messages.CONSOLE, master_fd)
        os.close(master_fd)

    def _wait_for_hooks(self) -> None:
        hooks = self._plan.hooks
        if hooks.get("prestart") or hooks.get("createRuntime"):
            self._begin("hooks")
            self._wait_for_cgroup()
            self._channel.send(messages.MOUNTED)
            self._channel.expect(messages.HOOKS_RUN)

    def _wait_for_cgroup(self) -> None:
        if not self._in_cgroup:
            self._pid = int(self._channel.expect(messages.IN_CGROUP)[0])
            enter_cgroup(self._entry_fds)
            self._in_cgroup = True

    def _finish(self) -> None:
        plan = self._plan
        self._begin("cgroup")
        self._wait_for_cgroup()
        if plan.namespaces.new_cgroup:
            calls.unshare(k.CLONE_NEWCGROUP)
        self._begin("user")
        if self._slave_fd >= 0:
            terminal.take_control(self._slave_fd)
        if plan.program is not None:
            plan.program.prepare()
            if self._check_program:
                plan.program.check()
        self._begin("wait")

    def _start(self, fifo_fd: int) -> None:
        plan = self._plan
        hooks = plan.hooks.get("startContainer")
        if hooks:
            run_hooks("startContainer", hooks, self._state_json("created", os.getpid()))
        if plan.program is None:
            raise RuntimeFault("is required to start the container", path="process")
        if plan.program.filter_listener:
            plan.program.tell_agent(jsontext.loads(self._state_json("creating", self._pid)))
            plan.program.agent_pid(self._pid)
        plan.program.execute(EXECUTING, fifo_fd)
