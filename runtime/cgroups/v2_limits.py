"""linux.resources as writes to v2 interface files (kernel Documentation/admin-guide/cgroup-v2.rst).

The specification's numbers are v1's; `convert` maps those that differ. One function a controller; each gets
the container's directory, and reads from it only what decides an order or a file's name.
"""

from __future__ import annotations

import os

from . import convert, files
from .fault import CgroupFault
from .files import Write
from .v1_limits import pids as pids
from .v1_limits import rdma as rdma

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ROOT = "linux.resources"


def memory(directory: str, memory: dict[str, Any]) -> list[Write]:
    """memory.max, memory.swap.max (swap alone), memory.low. Swap first: lowering memory.max may need it."""
    at = f"{_ROOT}.memory"
    limit, swap = int(memory.get("limit") or 0), int(memory.get("swap") or 0)
    writes = []
    try:
        alone = convert.swap_alone(limit, swap)
    except ValueError as error:
        raise CgroupFault(f"{at}.swap: {error}", path=f"{at}.swap") from None
    if limit > 0 and memory.get("checkBeforeUpdate"):
        usage = files.read_int(f"{directory}/memory.current")
        if usage > limit:
            raise CgroupFault(
                f"{at}.limit: {limit} bytes is less than the {usage} bytes in use",
                path=f"{at}.limit",
                hint="choose a higher limit, or leave checkBeforeUpdate out",
            )
    has_swap = os.path.exists(f"{directory}/memory.swap.max")
    # Without swap accounting, "no swap beyond memory" and "unlimited" hold already.
    if alone is not None and (has_swap or (alone > 0 and swap)):
        writes.append(Write("memory.swap.max", "max" if alone < 0 else alone, f"{at}.swap"))
    if limit:
        writes.append(Write("memory.max", "max" if limit < 0 else limit, f"{at}.limit"))
    if reservation := memory.get("reservation"):
        writes.append(Write("memory.low", "max" if reservation < 0 else reservation, f"{at}.reservation"))
    return writes


def cpu(directory: str, cpu: dict[str, Any]) -> list[Write]:
    """cpu.weight, cpu.max, cpu.max.burst, cpu.idle."""
    at = f"{_ROOT}.cpu"
    writes = []
    if cpu.get("idle") is not None:
        writes.append(Write("cpu.idle", cpu["idle"], f"{at}.idle"))
    if (weight := convert.shares_to_weight(int(cpu.get("shares") or 0))) and not cpu.get("idle"):
        # An idle group has no weight, and the kernel refuses to give it one.
        writes.append(Write("cpu.weight", weight, f"{at}.shares"))
    period, quota, burst = cpu.get("period"), cpu.get("quota"), cpu.get("burst")
    if burst is not None and quota and files.read_int(f"{directory}/cpu.max.burst"):
        writes.append(Write("cpu.max.burst", 0, f"{at}.burst"))
    if quota or period:
        value = str(quota) if quota and quota > 0 else "max"
        if not quota:
            value = _present_quota(directory)
        if period:
            value += f" {period}"
        writes.append(Write("cpu.max", value, f"{at}.quota" if quota else f"{at}.period"))
    if burst is not None:
        writes.append(Write("cpu.max.burst", burst, f"{at}.burst"))
    return writes


def cpuset(directory: str, cpu: dict[str, Any]) -> list[Write]:
    at = f"{_ROOT}.cpu"
    return [Write(f"cpuset.{name}", cpu[name], f"{at}.{name}") for name in ("cpus", "mems") if cpu.get(name)]


def io(directory: str, block: dict[str, Any]) -> list[Write]:
    """io.weight (or BFQ's own file, which takes v1's numbers) and io.max."""
    at = f"{_ROOT}.blockIO"
    writes = []
    bfq = os.path.exists(f"{directory}/io.bfq.weight")
    file = "io.bfq.weight" if bfq else "io.weight"

    def weight_of(number: int) -> int:
        return number if bfq else convert.blkio_to_io_weight(number)

    if block.get("weight"):
        value = weight_of(block["weight"])
        writes.append(Write(file, value if bfq else f"default {value}", f"{at}.weight"))
    for index, device in enumerate(block.get("weightDevice") or ()):
        if device.get("weight"):
            value = weight_of(device["weight"])
            line = f"{device['major']}:{device['minor']} {value}"
            writes.append(Write(file, line, f"{at}.weightDevice[{index}]"))
    for key, name in _THROTTLES.items():
        for index, device in enumerate(block.get(key) or ()):
            # In v1 a rate of 0 takes the throttle away.
            rate = device["rate"] or "max"
            line = f"{device['major']}:{device['minor']} {name}={rate}"
            writes.append(Write("io.max", line, f"{at}.{key}[{index}]"))
    return writes


def hugetlb(directory: str, limits: list[dict[str, Any]]) -> list[Write]:
    writes = []
    for index, limit in enumerate(limits):
        at = f"{_ROOT}.hugepageLimits[{index}]"
        name = f"hugetlb.{limit['pageSize']}"
        writes.append(Write(f"{name}.max", limit["limit"], at))
        if os.path.exists(f"{directory}/{name}.rsvd.max"):
            writes.append(Write(f"{name}.rsvd.max", limit["limit"], at))
    return writes


def unified(values: dict[str, str]) -> list[Write]:
    """`unified`: file names with the text to write, line by line as the kernel wants it.

    A name is a file of the container's own directory, so it can have no slash in it.
    """
    writes = []
    for name, text in values.items():
        at = f"{_ROOT}.unified.{name}"
        if "/" in name or name in ("", ".", ".."):
            raise CgroupFault(f"{_ROOT}.unified: {name!r} is not the name of a cgroup file", path=at)
        writes += [Write(name, line, at) for line in str(text).strip().split("\n")]
    return writes


def _present_quota(directory: str) -> str:
    """cpu.max takes the quota always: a new period alone keeps the present one."""
    try:
        return files.read_text(f"{directory}/cpu.max").split()[0]
    except OSError:
        return "max"


_THROTTLES = {
    "throttleReadBpsDevice": "rbps",
    "throttleWriteBpsDevice": "wbps",
    "throttleReadIOPSDevice": "riops",
    "throttleWriteIOPSDevice": "wiops",
}
