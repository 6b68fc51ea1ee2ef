"""What the config asks of this host and kernel, checked before anything is made.

`validate` knows what is well-formed; here it is asked whether it can be had: modules of the kernel, devices, mounted
file systems. Each refusal names the place in config.json and what is missing. Only properties that few containers
use are looked at, so an ordinary start imports this and returns.
"""

from __future__ import annotations

import errno
import os

from .errors import InvalidConfig, SetupFailed
from .kernel import calls
from .kernel import constants as k
from .lists import parse_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WITH_NODES = frozenset(("MPOL_BIND", "MPOL_INTERLEAVE", "MPOL_WEIGHTED_INTERLEAVE", "MPOL_PREFERRED_MANY"))
_WITHOUT_NODES = frozenset(("MPOL_DEFAULT", "MPOL_LOCAL"))
_REALTIME = frozenset(("SCHED_FIFO", "SCHED_RR"))
_DEADLINE = ("runtime", "deadline", "period")


def check_process(process: dict[str, Any], path: str) -> None:
    """`scheduler` and `execCPUAffinity` of a process."""
    if process.get("scheduler"):
        _check_scheduler(process["scheduler"], f"{path}.scheduler")
    for key, text in (process.get("execCPUAffinity") or {}).items():
        if key in ("initial", "final") and text:
            check_cpus(parse_list(text, f"{path}.execCPUAffinity.{key}"), f"{path}.execCPUAffinity.{key}")


def check_cpus(cpus: set[int], path: str) -> None:
    """Refuse a list of CPUs of which the host has none."""
    with open("/sys/devices/system/cpu/online") as file:
        online = parse_list(file.read(), "/sys/devices/system/cpu/online")
    if not cpus & online:
        raise InvalidConfig("names no CPU that this host has online", path=path)


def check_linux(linux: dict[str, Any], namespaces: dict[str, str]) -> None:
    """The rarer parts of `linux`: clocks, memory policy, labels, personality, resctrl and network devices."""
    for clock in linux.get("timeOffsets") or {}:
        if clock not in ("monotonic", "boottime"):
            raise InvalidConfig(
                "is no clock of a time namespace",
                path=f"linux.timeOffsets.{clock}",
                hint="Known are: boottime, monotonic.",
            )
    if linux.get("memoryPolicy"):
        _check_memory_policy(linux["memoryPolicy"])
    if linux.get("mountLabel") and not os.path.isdir("/sys/fs/selinux"):
        raise SetupFailed(
            f'label "{linux["mountLabel"]}" needs SELinux, and /sys/fs/selinux does not exist', path="linux.mountLabel"
        )
    for flag in (linux.get("personality") or {}).get("flags") or []:
        raise InvalidConfig(f'unknown flag "{flag}"', path="linux.personality.flags[0]", hint="There are none.")
    if linux.get("intelRdt"):
        from . import resctrl

        resctrl.check(linux["intelRdt"])
    if linux.get("netDevices"):
        from . import net_devices

        net_devices.check(linux["netDevices"], namespaces)


def _check_scheduler(scheduler: dict[str, Any], path: str) -> None:
    policy = scheduler["policy"]
    if policy not in k.SCHED_POLICIES:
        raise InvalidConfig(
            f'unknown policy "{policy}"', path=f"{path}.policy", hint=f"Known are: {', '.join(k.SCHED_POLICIES)}."
        )
    for index, flag in enumerate(scheduler.get("flags") or []):
        if flag not in k.SCHED_FLAGS:
            raise InvalidConfig(
                f'unknown flag "{flag}"', path=f"{path}.flags[{index}]", hint=f"Known are: {', '.join(k.SCHED_FLAGS)}."
            )
    if scheduler.get("priority") and policy not in _REALTIME:
        raise InvalidConfig(f"{policy} has no priority", path=f"{path}.priority", hint="SCHED_FIFO and SCHED_RR have.")
    for key in _DEADLINE:
        if scheduler.get(key) and policy != "SCHED_DEADLINE":
            raise InvalidConfig(f"{policy} has none", path=f"{path}.{key}", hint="It is for SCHED_DEADLINE.")


def _check_memory_policy(policy: dict[str, Any]) -> None:
    path = "linux.memoryPolicy"
    mode = policy["mode"]
    if mode not in k.MPOL_MODES:
        raise InvalidConfig(
            f'unknown mode "{mode}"', path=f"{path}.mode", hint=f"Known are: {', '.join(k.MPOL_MODES)}."
        )
    for index, flag in enumerate(policy.get("flags") or []):
        if flag not in k.MPOL_FLAGS:
            raise InvalidConfig(
                f'unknown flag "{flag}"', path=f"{path}.flags[{index}]", hint=f"Known are: {', '.join(k.MPOL_FLAGS)}."
            )
    nodes = parse_list(policy.get("nodes") or "", f"{path}.nodes")
    if mode in _WITH_NODES and not nodes:
        raise InvalidConfig(f"{mode} needs at least one memory node", path=f"{path}.nodes")
    if mode in _WITHOUT_NODES and nodes:
        raise InvalidConfig(f"{mode} takes no memory nodes", path=f"{path}.nodes")
    try:
        calls.get_mempolicy()
    except OSError as error:
        if error.errno == errno.ENOSYS:
            raise SetupFailed(
                "this kernel has no memory policies (CONFIG_NUMA)", path=path, errno=errno.ENOSYS
            ) from None
        raise SetupFailed(str(error.strerror), path=path, errno=error.errno or 0) from error
