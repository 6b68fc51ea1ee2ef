"""The systemd driver: the container's cgroup is a transient scope, made by systemd and delegated to us.

`cgroupsPath` is `slice:prefix:name` (runc's form): the scope `prefix-name.scope` in that slice. systemd makes no
scope without a process, and removes it with the last one, while our callers want directories before there is a
container: so a child that only waits holds the scope from `create` until the first `add`.

Limits are told to systemd as unit properties, so that its reload does not undo them, and then set in the files,
since properties cannot say all of linux.resources.
"""

from __future__ import annotations

import os
import time

from . import convert, dbus, hosts
from .base import Cgroup
from .fault import CgroupFault
from .v1 import V1Cgroup
from .v2 import V2Cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SYSTEMD, _ROOT = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
_MANAGER = "org.freedesktop.systemd1.Manager"
_INFINITY = (1 << 64) - 1
_TIMEOUT_S = 10.0
_MOST_NUMBERS = 1 << 13
"""CPUs that a kernel can be built for (NR_CPUS)."""


class SystemdCgroup(Cgroup):
    """See `Cgroup`. After `create` all but `remove` is done in the files, as without systemd."""

    def __init__(self, paths: dict[str, str], slice_name: str, unit: str) -> None:
        self._files: Cgroup = V2Cgroup(paths) if set(paths) == {hosts.UNIFIED} else V1Cgroup(paths)
        super().__init__(self._files.paths())
        self.slice = slice_name
        self.unit = unit
        self.mode = self._files.mode
        self.warnings = self._files.warnings
        self._holder_pid = 0
        self._holder_pipe = -1

    @classmethod
    def named(cls, host: hosts.Host, cgroups_path: str, container_id: str) -> SystemdCgroup:
        """The scope that `slice:prefix:name` names. Raises CgroupFault for another form."""
        slice_name, unit = parse_path(cgroups_path, container_id)
        below = f"{slice_path(slice_name)}/{unit}"
        paths = {name: each.mount_point.rstrip("/") + below for name, each in host.hierarchies.items()}
        return cls(paths, slice_name, unit)

    @classmethod
    def adopt(cls, paths: dict[str, str]) -> SystemdCgroup | None:
        """The scope whose paths were kept; None when these are no paths of a scope in a slice."""
        *_, slice_name, unit = next(iter(paths.values())).split("/")
        if unit.endswith(".scope") and slice_name.endswith(".slice"):
            return cls(paths, slice_name, unit)
        return None

    def check(self, resources: dict[str, Any]) -> None:
        self._files.check(resources)

    def create(self, resources: dict[str, Any]) -> None:
        self.check(resources)
        self._hold()
        try:
            properties = [
                ("Description", ("s", f"container {self.unit}")),
                ("Slice", ("s", self.slice)),
                ("Delegate", ("b", True)),
                ("DefaultDependencies", ("b", False)),
                ("PIDs", ("au", [self._holder_pid])),
                *((f"{name}Accounting", ("b", True)) for name in ("CPU", "Memory", "Tasks")),
                ("IOAccounting" if self.mode == "v2" else "BlockIOAccounting", ("b", True)),
                *unit_properties(resources, self.mode == "v2"),
            ]
            _manager("StartTransientUnit", "ssa(sv)a(sa(sv))", (self.unit, "replace", properties, []))
            self._await_holder()
            self._files.create(resources)
        except CgroupFault:
            self._release()
            raise

    def add(self, pid: int) -> None:
        self._files.add(pid)
        self._release()

    def clone_fd(self) -> int:
        # The holder is only let go by `add`.
        return -1

    def apply(self, resources: dict[str, Any]) -> None:
        self.check(resources)
        if properties := unit_properties(resources, self.mode == "v2"):
            try:
                _manager("SetUnitProperties", "sba(sv)", (self.unit, True, properties))
            except CgroupFault as error:
                # A cgroup that only looks like a unit, or systemd is away: the files decide.
                self.warnings.append(f"systemd does not know of the new limits of {self.unit}: {error.message}")
        self._files.apply(resources)

    def add_device_rules(self, held: list[dict[str, Any]], added: list[dict[str, Any]]) -> None:
        self._files.add_device_rules(held, added)

    def freeze(self) -> None:
        self._files.freeze()

    def thaw(self) -> None:
        self._files.thaw()

    def frozen(self) -> bool:
        return self._files.frozen()

    def pids(self, recursive: bool = True) -> list[int]:
        return [pid for pid in self._files.pids(recursive) if pid != self._holder_pid]

    def kill(self, sig: int = 9) -> None:
        self._files.kill(sig)

    def remove(self, timeout_s: float = 5.0) -> None:
        self._release()
        try:
            _manager("StopUnit", "ss", (self.unit, "replace"))
        except CgroupFault:
            # Gone with its last process, as scopes go; the files tell whether anything is left.
            pass
        self._files.remove(timeout_s)

    def mounts(self) -> list[tuple[str, str]]:
        return self._files.mounts()

    def delegate(self, uid: int, gid: int) -> None:
        self._files.delegate(uid, gid)

    def oom_killed(self) -> bool:
        return self._files.oom_killed()

    def _hold(self) -> None:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(writer)
                os.read(reader, 1)
            finally:
                os._exit(0)
        os.close(reader)
        self._holder_pid, self._holder_pipe = pid, writer

    def _release(self) -> None:
        if self._holder_pid:
            os.close(self._holder_pipe)
            os.waitpid(self._holder_pid, 0)
            self._holder_pid, self._holder_pipe = 0, -1

    def _await_holder(self) -> None:
        """systemd answers when the job is queued; it is done when the holder is where it should be."""
        deadline = time.monotonic() + _TIMEOUT_S
        wait = 0.001
        below = f":{slice_path(self.slice)}/{self.unit}"
        while time.monotonic() < deadline:
            with open(f"/proc/{self._holder_pid}/cgroup") as file:
                if any(line.rstrip("\n").endswith(below) for line in file):
                    return
            time.sleep(wait)
            wait = min(wait * 2, 0.05)
        raise CgroupFault(
            f"systemd did not start {self.unit} within {_TIMEOUT_S:.0f} s",
            path="linux.cgroupsPath",
            hint=f"systemctl status {self.unit} says why",
        )


def parse_path(cgroups_path: str, container_id: str) -> tuple[str, str]:
    """Slice and unit name. Raises CgroupFault for a path of another form."""
    if not cgroups_path:
        return "system.slice", f"pydock-{container_id}.scope"
    parts = cgroups_path.split(":")
    if len(parts) != 3 or not parts[2] or "/" in cgroups_path:
        raise CgroupFault(
            f"linux.cgroupsPath: {cgroups_path!r} is not of the form slice:prefix:name",
            path="linux.cgroupsPath",
            hint="that is what the systemd driver takes; a path with slashes is for the cgroupfs driver",
        )
    slice_name, prefix, name = parts
    slice_name = slice_name or "system.slice"
    if not slice_name.endswith(".slice"):
        raise CgroupFault(f"linux.cgroupsPath: {slice_name!r} is not the name of a slice", path="linux.cgroupsPath")
    return slice_name, f"{prefix}-{name}.scope" if prefix else f"{name}.scope"


def slice_path(slice_name: str) -> str:
    """Where systemd puts a slice: each dash is a level (systemd.slice(5)); `a-b.slice` is /a.slice/a-b.slice."""
    if slice_name == "-.slice":
        return ""
    stem = slice_name.removesuffix(".slice")
    parts = stem.split("-")
    if not all(parts):
        raise CgroupFault(f"linux.cgroupsPath: {slice_name!r} is not the name of a slice", path="linux.cgroupsPath")
    return "".join(f"/{'-'.join(parts[: count + 1])}.slice" for count in range(len(parts)))


def unit_properties(resources: dict[str, Any], v2: bool) -> list[tuple[str, tuple[str, Any]]]:
    """The limits that systemd has properties for (systemd.resource-control(5)), the others not."""
    memory, cpu, pids = (resources.get(key) or {} for key in ("memory", "cpu", "pids"))
    found: list[tuple[str, tuple[str, Any]]] = []

    def add(name: str, value: int) -> None:
        found.append((name, ("t", _INFINITY if value < 0 else value)))

    if limit := memory.get("limit"):
        add("MemoryMax" if v2 else "MemoryLimit", limit)
    if v2 and memory.get("reservation"):
        add("MemoryLow", memory["reservation"])
    if v2 and memory.get("swap"):
        swap = convert.swap_alone(int(limit or 0), int(memory["swap"]))
        if swap is not None:
            add("MemorySwapMax", swap)
    if shares := cpu.get("shares"):
        add("CPUWeight" if v2 else "CPUShares", convert.shares_to_weight(shares) if v2 else shares)
    if quota := cpu.get("quota"):
        period = cpu.get("period") or 100_000
        # systemd counts in hundredths of a CPU and would round down: a limit is never made stricter.
        add("CPUQuotaPerSecUSec", -(-quota * 100 // period) * 10_000 if quota > 0 else -1)
    if (most := pids.get("limit")) is not None:
        # systemd has no limit of 0; the file gets it afterwards.
        add("TasksMax", max(most, 1) if most >= 0 else -1)
    if v2:
        for key, name in (("cpus", "AllowedCPUs"), ("mems", "AllowedMemoryNodes")):
            if cpu.get(key):
                found.append((name, ("ay", list(list_to_mask(cpu[key])))))
    return found


def list_to_mask(text: str) -> bytes:
    """A list such as "0-3,8" as a bit mask, lowest byte first. Raises CgroupFault."""
    mask = 0
    try:
        for part in text.split(","):
            first, dash, text_of_last = part.strip().partition("-")
            last = int(text_of_last if dash else first)
            if last >= _MOST_NUMBERS:
                raise ValueError
            for number in range(int(first), last + 1):
                mask |= 1 << number
    except ValueError:
        raise CgroupFault(
            f"linux.resources.cpu: {text!r} is not a list of numbers", path="linux.resources.cpu"
        ) from None
    return mask.to_bytes((mask.bit_length() + 7) // 8 or 1, "little")


def _manager(member: str, signature: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """One call to systemd's manager: on its own socket when that is there, else over the system bus."""
    private = os.path.exists(dbus.PRIVATE_SOCKET)
    connection = dbus.Connection(dbus.PRIVATE_SOCKET if private else dbus.BUS_SOCKET, is_bus=not private)
    try:
        return connection.call(_SYSTEMD, _ROOT, _MANAGER, member, signature, arguments)
    finally:
        connection.close()
