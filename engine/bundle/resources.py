"""`linux.resources`: cgroup limits in the runtime specification's words.

The specification's `swap` is memory and swap together, as in cgroup v1 and in Docker's `--memory-swap`.
"""

from __future__ import annotations

import os

from .devices import device_rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..models import CreateRequest, Resources

CPU_PERIOD_US = 100_000
_V1_MEMORY = "/sys/fs/cgroup/memory"


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
    if wanted.pids_limit:
        built["pids"] = {"limit": wanted.pids_limit if wanted.pids_limit > 0 else -1}
    return built


def swap_is_counted() -> bool:
    """Whether this host can limit swap; v1 needs swap accounting in the kernel, v2 always can."""
    return not os.path.isdir(_V1_MEMORY) or os.path.exists(f"{_V1_MEMORY}/memory.memsw.limit_in_bytes")


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
    return built


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
