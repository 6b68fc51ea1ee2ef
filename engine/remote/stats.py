"""`GET /containers/{id}/stats` to the figures that our own shims take."""

from __future__ import annotations

from ..stats.sample import Sample
from .models import parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def read_sample(data: dict[str, Any]) -> Sample | None:
    """One answer; None of a container that does not run."""
    cpu = data.get("cpu_stats") or {}
    usage = cpu.get("cpu_usage") or {}
    memory = data.get("memory_stats") or {}
    time_ns = parse_time(data.get("read"))
    if not time_ns or (not memory.get("usage") and not usage.get("total_usage")):
        return None
    details = memory.get("stats") or {}
    # as docker's own client counts: file pages that could be dropped at once are not in use
    cache = int(details.get("total_inactive_file") or details.get("inactive_file") or 0)
    used = int(memory.get("usage") or 0)
    networks = (data.get("networks") or {}).values()
    pids = data.get("pids_stats") or {}
    return Sample(
        time_ns=time_ns,
        cpu_ns=int(usage.get("total_usage") or 0),
        cpu_user_ns=int(usage.get("usage_in_usermode") or 0),
        cpu_system_ns=int(usage.get("usage_in_kernelmode") or 0),
        throttled_ns=int((cpu.get("throttling_data") or {}).get("throttled_time") or 0),
        memory=max(0, used - cache) if cache < used else used,
        memory_cache=cache,
        memory_limit=int(memory.get("limit") or 0),
        pids=int(pids.get("current") or 0),
        pids_limit=min(int(pids.get("limit") or 0), 1 << 62),
        net_rx=sum(int(network.get("rx_bytes") or 0) for network in networks),
        net_tx=sum(int(network.get("tx_bytes") or 0) for network in networks),
        blk_read=_bytes(data, "read"),
        blk_write=_bytes(data, "write"),
        psi_cpu=-1.0,
        psi_memory=-1.0,
        psi_io=-1.0,
    )


def _bytes(data: dict[str, Any], operation: str) -> int:
    entries = (data.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    return sum(int(entry.get("value") or 0) for entry in entries if str(entry.get("op", "")).lower() == operation)
