"""Stats: a container's figures once a second, in the shape from which docker's clients work out their percentages.

The shim samples anyway, so the first answer has a sample before it and nobody waits. `system_cpu_usage` is the time
of all CPUs since boot, busy or not, at the moment of the sample: what /proc/stat's sum is by definition.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

from ...cli.units import rfc3339
from ...containers.rows import LIVE_STATES
from ...errors import ContainerNotFound
from ..call import JSON, Answer, Call, json_answer

if TYPE_CHECKING:
    from ...engine import Engine
    from ...models import Container
    from ...stats.sample import Sample

INTERVAL_S = 1.0
# taken once: both samples of a pair must be measured from the same moment
_BOOT_NS = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


async def stats(call: Call) -> Answer | None:
    container = await call.threads.call(call.engine.containers.get, call.words["id"])
    if not call.flag("stream", default=True):
        document, _now = await call.threads.call(_reading, call.engine, container.id, None, call.flag("one-shot"))
        return json_answer(document)
    await call.begin(JSON)
    before: Sample | None = None
    while True:
        try:
            document, before = await call.threads.call(_reading, call.engine, container.id, before, False)
        except ContainerNotFound:
            return None
        await call.write(json_answer(document).body)
        await asyncio.sleep(INTERVAL_S)


def _reading(
    engine: Engine, container_id: str, before: Sample | None, alone: bool
) -> tuple[dict[str, Any], Sample | None]:
    """The document, and the sample that it was made of."""
    container = engine.containers.get(container_id)
    now = engine.containers.sample(container_id) if container.state in LIVE_STATES else None
    if now is None:
        return _document(container, None, None), None
    if alone:
        before = None
    elif before is None or before.time_ns >= now.time_ns:
        earlier = [sample for sample in engine.containers.history(container_id) if sample.time_ns < now.time_ns]
        before = earlier[-1] if earlier else None
    return _document(container, now, before), now


def _document(container: Container, now: Sample | None, before: Sample | None) -> dict[str, Any]:
    nothing = {"usage_in_usermode": 0, "usage_in_kernelmode": 0, "total_usage": 0}
    data: dict[str, Any] = {
        "name": f"/{container.name}",
        "id": container.id,
        "read": rfc3339(now.time_ns if now else 0),
        "preread": rfc3339(before.time_ns if before else 0),
        "num_procs": 0,
        "storage_stats": {},
        "pids_stats": {},
        "blkio_stats": {},
        "memory_stats": {},
        "cpu_stats": {"cpu_usage": nothing, "throttling_data": _throttling(0)},
        "precpu_stats": _cpu(before) if before else {"cpu_usage": nothing, "throttling_data": _throttling(0)},
    }
    if now is None:
        return data
    data["pids_stats"] = {"current": now.pids, **({"limit": now.pids_limit} if now.pids_limit else {})}
    data["cpu_stats"] = _cpu(now)
    data["memory_stats"] = {
        "usage": now.memory,  # inactive file pages are left out already
        "max_usage": now.memory_peak,
        "limit": now.memory_limit or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "stats": {"cache": now.memory_cache, "inactive_file": 0, "total_inactive_file": 0},
    }
    data["blkio_stats"] = {
        "io_service_bytes_recursive": [
            {"major": device.major, "minor": device.minor, "op": op, "value": value}
            for device in now.devices
            for op, value in (("read", device.read), ("write", device.written))
        ]
    }
    if now.interfaces:
        rest = dict.fromkeys(("rx_packets", "rx_errors", "rx_dropped", "tx_packets", "tx_errors", "tx_dropped"), 0)
        data["networks"] = {
            each.name: {"rx_bytes": each.received, "tx_bytes": each.sent, **rest} for each in now.interfaces
        }
    return data


def _cpu(sample: Sample) -> dict[str, Any]:
    count = os.cpu_count() or 1
    return {
        "cpu_usage": {
            "total_usage": sample.cpu_ns,
            "usage_in_usermode": sample.cpu_user_ns,
            "usage_in_kernelmode": sample.cpu_system_ns,
        },
        "system_cpu_usage": (sample.time_ns - _BOOT_NS) * count,
        "online_cpus": count,
        "throttling_data": _throttling(sample.throttled_ns),
    }


def _throttling(throttled_ns: int) -> dict[str, int]:
    return {"periods": 0, "throttled_periods": 0, "throttled_time": throttled_ns}
