"""The limits of a create or update body: cgroup resources, ulimits, devices, restart policy and health check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models import Device, DeviceLimit, HealthCheck, Resources, RestartPolicy, Ulimit

if TYPE_CHECKING:
    from .fields import Fields


def read_resources(host: Fields) -> Resources:
    """What `create` and `update` share."""
    swappiness = host.value("MemorySwappiness")
    return Resources(
        memory=host.number("Memory"),
        memory_swap=host.number("MemorySwap"),
        memory_reservation=host.number("MemoryReservation"),
        nano_cpus=host.number("NanoCpus"),
        cpu_shares=host.number("CpuShares"),
        cpu_period=host.number("CpuPeriod"),
        cpu_quota=host.number("CpuQuota"),
        cpuset_cpus=host.text("CpusetCpus"),
        cpuset_mems=host.text("CpusetMems"),
        pids_limit=host.number("PidsLimit"),
        memory_swappiness=-1 if swappiness is None else host.number("MemorySwappiness"),
        oom_kill_disable=host.flag("OomKillDisable"),
        blkio_weight=host.number("BlkioWeight"),
        blkio_weight_devices=_device_limits(host, "BlkioWeightDevice", "Weight"),
        device_read_bps=_device_limits(host, "BlkioDeviceReadBps", "Rate"),
        device_write_bps=_device_limits(host, "BlkioDeviceWriteBps", "Rate"),
        device_read_iops=_device_limits(host, "BlkioDeviceReadIOps", "Rate"),
        device_write_iops=_device_limits(host, "BlkioDeviceWriteIOps", "Rate"),
    )


def read_restart(host: Fields) -> RestartPolicy:
    policy = host.fields("RestartPolicy")
    return RestartPolicy(name=policy.text("Name") or "no", maximum_retries=policy.number("MaximumRetryCount"))


def read_health(config: Fields) -> HealthCheck | None:
    """None when nothing is said: the image's own holds."""
    fields = config.fields("Healthcheck")
    check = HealthCheck(
        test=fields.texts("Test"),
        interval_ns=fields.number("Interval"),
        timeout_ns=fields.number("Timeout"),
        start_period_ns=fields.number("StartPeriod"),
        start_interval_ns=fields.number("StartInterval"),
        retries=fields.number("Retries"),
    )
    return None if check == HealthCheck() else check


def read_devices(host: Fields) -> tuple[Device, ...]:
    return tuple(
        Device(
            host_path=device.text("PathOnHost"),
            container_path=device.text("PathInContainer") or device.text("PathOnHost"),
            permissions=device.text("CgroupPermissions") or "rwm",
        )
        for device in host.objects("Devices")
    )


def read_ulimits(host: Fields) -> tuple[Ulimit, ...]:
    return tuple(
        Ulimit(name=limit.text("Name").lower(), soft=limit.number("Soft"), hard=limit.number("Hard"))
        for limit in host.objects("Ulimits")
    )


def _device_limits(host: Fields, key: str, value: str) -> tuple[DeviceLimit, ...]:
    return tuple(DeviceLimit(path=entry.text("Path"), value=entry.number(value)) for entry in host.objects(key))
