"""linux.resources as writes to v1 interface files.

Pure where it can be; what depends on the present value (the two memory limits, period against quota) says so.
Kernel documentation: admin-guide/cgroup-v1. Kernel memory limits are gone since 6.x and never made sense
alone: ignored. One function a controller; each gets the controller's directory.
"""

from __future__ import annotations

import os

from . import files
from .fault import CgroupFault
from .files import Write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ROOT = "linux.resources"


def memory(directory: str, memory: dict[str, Any]) -> list[Write]:
    """Limit, swap, reservation, swappiness, OOM killer. The kernel wants limit <= memory+swap at every moment,
    so the one that grows goes first."""
    at = f"{_ROOT}.memory"
    limit, swap = int(memory.get("limit") or 0), int(memory.get("swap") or 0)
    if limit == -1 and swap == 0 and os.path.exists(f"{directory}/memory.memsw.limit_in_bytes"):
        swap = -1
    if limit > 0 and memory.get("checkBeforeUpdate"):
        _check_usage(directory, limit)
    set_limit = [Write("memory.limit_in_bytes", limit, f"{at}.limit")] if limit else []
    set_swap = [Write("memory.memsw.limit_in_bytes", swap, f"{at}.swap")] if swap else []
    now = files.read_int(f"{directory}/memory.memsw.limit_in_bytes", -1)
    if set_limit and set_swap and (swap == -1 or (now >= 0 and swap > now)):
        writes = set_swap + set_limit
    else:
        writes = set_limit + set_swap
    if reservation := memory.get("reservation"):
        writes.append(Write("memory.soft_limit_in_bytes", reservation, f"{at}.reservation"))
    if memory.get("swappiness") is not None:
        writes.append(Write("memory.swappiness", memory["swappiness"], f"{at}.swappiness"))
    if memory.get("disableOOMKiller") is not None:
        disabled = int(bool(memory["disableOOMKiller"]))
        if disabled or files.read_flat(f"{directory}/memory.oom_control").get("oom_kill_disable"):
            writes.append(Write("memory.oom_control", disabled, f"{at}.disableOOMKiller"))
    return writes


def cpu(directory: str, cpu: dict[str, Any]) -> list[Write]:
    """Shares, CFS bandwidth, burst, realtime, idle. quota/period may not pass what the parent allows even for
    a moment, so the order follows the direction of the change."""
    at = f"{_ROOT}.cpu"
    writes = []
    if cpu.get("idle") is not None:
        writes.append(Write("cpu.idle", cpu["idle"], f"{at}.idle"))
    if shares := cpu.get("shares"):
        writes.append(Write("cpu.shares", shares, f"{at}.shares"))
    period, quota, burst = cpu.get("period"), cpu.get("quota"), cpu.get("burst")
    bandwidth = []
    if burst is not None:
        # Nothing can be lowered below a burst that is still set.
        if quota and files.read_int(f"{directory}/cpu.cfs_burst_us"):
            bandwidth.append(Write("cpu.cfs_burst_us", 0, f"{at}.burst"))
        burst_write = [Write("cpu.cfs_burst_us", burst, f"{at}.burst")]
    else:
        burst_write = []
    pair = []
    if period:
        pair.append(Write("cpu.cfs_period_us", period, f"{at}.period"))
    if quota:
        pair.append(Write("cpu.cfs_quota_us", quota, f"{at}.quota"))
    if period and quota and period < files.read_int(f"{directory}/cpu.cfs_period_us", 0):
        # A shorter period with the old quota would be a larger share than perhaps the parent has.
        pair.reverse()
    writes += bandwidth + pair + burst_write
    rt_period, rt_runtime = cpu.get("realtimePeriod"), cpu.get("realtimeRuntime")
    if rt_period:
        writes.append(Write("cpu.rt_period_us", rt_period, f"{at}.realtimePeriod"))
    if rt_runtime:
        writes.append(Write("cpu.rt_runtime_us", rt_runtime, f"{at}.realtimeRuntime"))
    return writes


def cpuset(directory: str, cpu: dict[str, Any]) -> list[Write]:
    """CPUs and memory nodes; `inherit_cpuset` must have run before."""
    at = f"{_ROOT}.cpu"
    writes = []
    if cpu.get("cpus"):
        writes.append(Write("cpuset.cpus", cpu["cpus"], f"{at}.cpus"))
    if cpu.get("mems"):
        writes.append(Write("cpuset.mems", cpu["mems"], f"{at}.mems"))
    return writes


def blkio(directory: str, block: dict[str, Any]) -> list[Write]:
    """Weights (BFQ's file names since 5.0, the older ones before) and throttles."""
    at = f"{_ROOT}.blockIO"
    prefix = "blkio.bfq." if os.path.exists(f"{directory}/blkio.bfq.weight") else "blkio."
    writes = []
    if block.get("weight"):
        writes.append(Write(f"{prefix}weight", block["weight"], f"{at}.weight"))
    if block.get("leafWeight"):
        writes.append(Write(f"{prefix}leaf_weight", block["leafWeight"], f"{at}.leafWeight"))
    for index, device in enumerate(block.get("weightDevice") or ()):
        where = f"{at}.weightDevice[{index}]"
        number = f"{device['major']}:{device['minor']}"
        if device.get("weight"):
            writes.append(Write(f"{prefix}weight_device", f"{number} {device['weight']}", where))
        if device.get("leafWeight"):
            writes.append(Write(f"{prefix}leaf_weight_device", f"{number} {device['leafWeight']}", where))
    for key, file in _THROTTLES.items():
        for index, device in enumerate(block.get(key) or ()):
            value = f"{device['major']}:{device['minor']} {device['rate']}"
            writes.append(Write(f"blkio.throttle.{file}", value, f"{at}.{key}[{index}]"))
    return writes


def hugetlb(directory: str, limits: list[dict[str, Any]]) -> list[Write]:
    """Page limits; the reservation limit beside it where the kernel has one (5.7), or a program could reserve
    what it may not touch and get a SIGBUS."""
    writes = []
    for index, limit in enumerate(limits):
        at = f"{_ROOT}.hugepageLimits[{index}]"
        name = f"hugetlb.{limit['pageSize']}"
        writes.append(Write(f"{name}.limit_in_bytes", limit["limit"], at))
        if os.path.exists(f"{directory}/{name}.rsvd.limit_in_bytes"):
            writes.append(Write(f"{name}.rsvd.limit_in_bytes", limit["limit"], at))
    return writes


def pids(directory: str, pids: dict[str, Any]) -> list[Write]:
    """Negative is unlimited. 0 is the kernel's 0: the program runs, since it moves in, and can fork nothing."""
    if (limit := pids.get("limit")) is None:
        return []
    return [Write("pids.max", limit if limit >= 0 else "max", f"{_ROOT}.pids.limit")]


def net_cls(directory: str, network: dict[str, Any]) -> list[Write]:
    return [Write("net_cls.classid", network["classID"], f"{_ROOT}.network.classID")] if network.get("classID") else []


def net_prio(directory: str, network: dict[str, Any]) -> list[Write]:
    return [
        Write("net_prio.ifpriomap", f"{item['name']} {item['priority']}", f"{_ROOT}.network.priorities[{index}]")
        for index, item in enumerate(network.get("priorities") or ())
    ]


def rdma(directory: str, limits: dict[str, dict[str, Any]]) -> list[Write]:
    """One line a device; the same file and syntax in v1 and v2."""
    writes = []
    for device, limit in limits.items():
        line = device
        for key, name in (("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object")):
            if limit.get(key) is not None:
                line += f" {name}={limit[key]}"
        writes.append(Write("rdma.max", line, f"{_ROOT}.rdma.{device}"))
    return writes


def inherit_cpuset(directory: str) -> None:
    """Fill empty cpuset.cpus and .mems of `directory` from its parent, and that one's before.

    A new v1 cpuset is empty, takes no process while it is, and its parent may be one we have just made too.
    The root of the hierarchy is never empty, so the way up ends there.
    """
    for name in ("cpuset.cpus", "cpuset.mems"):
        try:
            _inherit(directory, name)
        except OSError as error:
            raise CgroupFault(
                f"cannot inherit {directory}/{name}: {error.strerror}", path=f"{directory}/{name}"
            ) from error


def _inherit(directory: str, name: str) -> str:
    value = files.read_text(f"{directory}/{name}").strip()
    if not value:
        value = _inherit(os.path.dirname(directory), name)
        files.write_text(f"{directory}/{name}", value)
    return value


def _check_usage(directory: str, limit: int) -> None:
    usage = files.read_int(f"{directory}/memory.usage_in_bytes")
    if usage > limit:
        raise CgroupFault(
            f"{_ROOT}.memory.limit: {limit} bytes is less than the {usage} bytes in use",
            path=f"{_ROOT}.memory.limit",
            hint="choose a higher limit, or leave checkBeforeUpdate out",
        )


_THROTTLES = {
    "throttleReadBpsDevice": "read_bps_device",
    "throttleWriteBpsDevice": "write_bps_device",
    "throttleReadIOPSDevice": "read_iops_device",
    "throttleWriteIOPSDevice": "write_iops_device",
}
