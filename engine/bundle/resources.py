"""`linux.resources`: cgroup limits in the runtime specification's words.

The specification's `swap` is memory and swap together, as in cgroup v1 and in Docker's `--memory-swap`.
"""

from __future__ import annotations

import os

from .devices import block_number, device_rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..models import CreateRequest, DeviceLimit, Resources

CPU_PERIOD_US = 100_000
_V1_MEMORY = "/sys/fs/cgroup/memory"
_V1_BLKIO = "/sys/fs/cgroup/blkio"


def resources(request: CreateRequest) -> dict[str, Any]:
    """Limits and device rules of a new container."""
    return {"devices": device_rules(request), **limits(request.resources)}


def limits(wanted: Resources) -> dict[str, Any]:
    """The limits alone, as `pydock update` hands them to the runtime too."""
    built: dict[str, Any] = {}
    memory = _memory(wanted)
    if memory:
        built["memory"] = memory
    cpu = _cpu(wanted)
    if cpu:
        built["cpu"] = cpu
    block = _block(wanted)
    if block:
        built["blockIO"] = block
    if wanted.pids_limit:
        built["pids"] = {"limit": wanted.pids_limit if wanted.pids_limit > 0 else -1}
    return built


def swap_is_counted() -> bool:
    """Whether this host can limit swap; v1 needs swap accounting in the kernel, v2 always can."""
    return not os.path.isdir(_V1_MEMORY) or os.path.exists(f"{_V1_MEMORY}/memory.memsw.limit_in_bytes")


def has_v1_memory() -> bool:
    """Whether memory is governed by cgroup v1, which alone has swappiness and a switch for the OOM killer."""
    return os.path.isdir(_V1_MEMORY)


def has_block_weights() -> bool:
    """Whether this host can share block I/O by weight: with BFQ's cgroups, CFQ's of old, or io.cost on v2."""
    if os.path.isdir(_V1_BLKIO):
        # The root has no weights of its own where BFQ rules, but its other files.
        return any(os.path.exists(f"{_V1_BLKIO}/blkio.{name}") for name in ("bfq.io_serviced", "weight"))
    return os.path.exists("/sys/fs/cgroup/io.cost.qos") or os.path.isdir("/sys/module/bfq")


def _memory(wanted: Resources) -> dict[str, Any]:
    built: dict[str, Any] = {}
    if wanted.memory:
        built["limit"] = wanted.memory
        # As much swap as memory unless said otherwise: Docker's default.
        swap = wanted.memory_swap or 2 * wanted.memory
        if swap_is_counted():
            built["swap"] = swap
    elif wanted.memory_swap == -1 and swap_is_counted():
        built["swap"] = -1
    if wanted.memory_reservation:
        built["reservation"] = wanted.memory_reservation
    if has_v1_memory():
        if wanted.memory_swappiness >= 0:
            built["swappiness"] = wanted.memory_swappiness
        if wanted.oom_kill_disable:
            built["disableOOMKiller"] = True
    return built


def _block(wanted: Resources) -> dict[str, Any]:
    built: dict[str, Any] = {}
    if has_block_weights():
        if wanted.blkio_weight:
            built["weight"] = wanted.blkio_weight
        if wanted.blkio_weight_devices:
            built["weightDevice"] = [{**_numbered(item), "weight": item.value} for item in wanted.blkio_weight_devices]
    for key, items in (
        ("throttleReadBpsDevice", wanted.device_read_bps),
        ("throttleWriteBpsDevice", wanted.device_write_bps),
        ("throttleReadIOPSDevice", wanted.device_read_iops),
        ("throttleWriteIOPSDevice", wanted.device_write_iops),
    ):
        if items:
            built[key] = [{**_numbered(item), "rate": item.value} for item in items]
    return built


def _numbered(item: DeviceLimit) -> dict[str, int]:
    major, minor = block_number(item.path)
    return {"major": major, "minor": minor}


def _cpu(wanted: Resources) -> dict[str, Any]:
    built: dict[str, Any] = {}
    if wanted.nano_cpus:
        built["period"] = CPU_PERIOD_US
        built["quota"] = wanted.nano_cpus * CPU_PERIOD_US // 1_000_000_000
    else:
        if wanted.cpu_period:
            built["period"] = wanted.cpu_period
        if wanted.cpu_quota:
            built["quota"] = wanted.cpu_quota
    if wanted.cpu_shares:
        built["shares"] = wanted.cpu_shares
    if wanted.cpuset_cpus:
        built["cpus"] = wanted.cpuset_cpus
    if wanted.cpuset_mems:
        built["mems"] = wanted.cpuset_mems
    return built
