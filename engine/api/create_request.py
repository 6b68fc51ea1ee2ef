"""Docker's JSON of `POST /containers/create` to the engine's request; the only place that reads that shape.

What has no meaning for this engine and changes nothing that the caller relies on becomes a warning; what would
silently be missing in the container is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..models import CreateRequest, Device, PortMapping, Resources, RestartPolicy, Ulimit
from .create_mounts import read_mounts
from .create_networks import read_networks
from .errors import ApiError
from .fields import Fields

if TYPE_CHECKING:
    from ..models import Mount

_REFUSED = ("DeviceRequests", "Links")
_DISCARDED = (
    *("BlkioWeight", "BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps", "BlkioDeviceReadIOps"),
    *("BlkioDeviceWriteIOps", "CpuRealtimePeriod", "CpuRealtimeRuntime", "DeviceCgroupRules", "KernelMemory"),
    *("MemorySwappiness", "OomKillDisable", "StorageOpt", "VolumeDriver", "CgroupParent", "Annotations"),
)


class Created:
    """A request with what else the body says."""

    def __init__(self, request: CreateRequest, warnings: list[str], size: tuple[int, int] | None) -> None:
        self.request = request
        self.warnings = warnings
        self.size = size


def read_create(body: dict[str, Any], *, name: str, platform: str, inherited: tuple[Mount, ...] = ()) -> Created:
    """`inherited`: the mounts of the containers that `VolumesFrom` names. Raises `ApiError` 400."""
    config = Fields(body, "Config")
    host = config.fields("HostConfig")
    image = config.text("Image")
    if not image:
        raise ApiError(400, "no image specified")
    warnings = _unsupported(config, host)
    network, networks = read_networks(config, host)
    tty = config.flag("Tty")
    request = CreateRequest(
        image=image,
        name=name.removeprefix("/"),
        command=config.command("Cmd"),
        entrypoint=_entrypoint(config),
        env=config.texts("Env"),
        labels=config.pairs("Labels"),
        hostname=config.text("Hostname"),
        domainname=config.text("Domainname"),
        user=config.text("User"),
        group_add=host.texts("GroupAdd"),
        working_dir=config.text("WorkingDir"),
        tty=tty,
        open_stdin=config.flag("OpenStdin"),
        stdin_once=config.flag("StdinOnce"),
        auto_remove=host.flag("AutoRemove"),
        init=host.flag("Init"),
        read_only=host.flag("ReadonlyRootfs"),
        privileged=host.flag("Privileged"),
        cap_add=host.texts("CapAdd"),
        cap_drop=host.texts("CapDrop"),
        security_opt=host.texts("SecurityOpt"),
        network=network,
        networks=networks,
        ports=_ports(host),
        publish_all=host.flag("PublishAllPorts"),
        dns=host.texts("Dns"),
        dns_search=host.texts("DnsSearch"),
        dns_options=host.texts("DnsOptions"),
        extra_hosts=host.texts("ExtraHosts"),
        mounts=read_mounts(config, host, inherited),
        devices=_devices(host),
        shm_size=host.number("ShmSize") or 64 << 20,
        sysctls=host.pairs("Sysctls"),
        ulimits=_ulimits(host),
        oom_score_adj=host.number("OomScoreAdj"),
        pid_mode=host.text("PidMode"),
        ipc_mode=host.text("IpcMode"),
        uts_mode=host.text("UTSMode"),
        userns_mode=host.text("UsernsMode"),
        resources=read_resources(host),
        restart=read_restart(host),
        stop_signal=config.text("StopSignal"),
        stop_timeout_s=config.number("StopTimeout") if config.value("StopTimeout") is not None else None,
        log_driver=host.fields("LogConfig").text("Type") or "json-file",
        log_options=host.fields("LogConfig").pairs("Config"),
        platform=platform,
    )
    return Created(request, warnings, _size(host) if tty else None)


def volumes_from(body: dict[str, Any]) -> list[tuple[str, bool]]:
    """(container, read only) for each entry of `VolumesFrom`."""
    entries = Fields(body, "Config").fields("HostConfig").texts("VolumesFrom")
    found = []
    for entry in entries:
        name, _, mode = entry.partition(":")
        found.append((name, "ro" in mode.split(",")))
    return found


def read_resources(host: Fields) -> Resources:
    """The limits that `create` and `update` share."""
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
    )


def read_restart(host: Fields) -> RestartPolicy:
    policy = host.fields("RestartPolicy")
    return RestartPolicy(name=policy.text("Name") or "no", maximum_retries=policy.number("MaximumRetryCount"))


def _entrypoint(config: Fields) -> tuple[str, ...] | None:
    entrypoint = config.command("Entrypoint")
    # the client's way to say "none at all" is one empty word
    return () if entrypoint == ("",) else entrypoint


def _unsupported(config: Fields, host: Fields) -> list[str]:
    for name in _REFUSED:
        if host.has(name):
            raise ApiError(400, f"{name} is not supported")
    warnings = [
        f"{name} is not supported and was discarded."
        for name in _DISCARDED
        if host.has(name) and host.value(name) != -1
    ]
    if config.fields("Healthcheck").has("Test") and config.fields("Healthcheck").texts("Test")[:1] != ("NONE",):
        warnings.append("Healthcheck is not supported and was discarded.")
    runtime = host.text("Runtime")
    if runtime not in ("", "pydock-runc", "runc", "io.containerd.runc.v2"):
        raise ApiError(400, f"unknown or invalid runtime name: {runtime}")
    if host.text("CgroupnsMode") == "host":
        warnings.append("CgroupnsMode host is not supported and was discarded.")
    return warnings


def _ports(host: Fields) -> tuple[PortMapping, ...]:
    mappings = []
    bindings = host.fields("PortBindings")
    for port in bindings.names():
        number, _, protocol = port.partition("/")
        for binding in bindings.objects(port) or [Fields({}, port)]:
            first, last = _range(number, port)
            text = binding.text("HostPort")
            host_first, host_last = _range(text, port) if text else (0, 0)
            # one container port takes the first of a range of the host's
            if text and host_last - host_first != last - first and last != first:
                raise ApiError(400, f"invalid port specification: {text}:{port}")
            for offset in range(last - first + 1):
                mappings.append(
                    PortMapping(
                        container_port=first + offset,
                        protocol=protocol or "tcp",
                        host_ip=binding.text("HostIp"),
                        host_port=host_first + offset if host_first else 0,
                    )
                )
    return tuple(mappings)


def _range(text: str, whole: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    try:
        numbers = int(first), int(last) if dash else int(first)
    except ValueError:
        raise ApiError(400, f"invalid port specification: {whole!r}") from None
    if not 0 <= numbers[0] <= numbers[1] <= 65535:
        raise ApiError(400, f"invalid port specification: {whole!r}")
    return numbers


def _devices(host: Fields) -> tuple[Device, ...]:
    return tuple(
        Device(
            host_path=device.text("PathOnHost"),
            container_path=device.text("PathInContainer") or device.text("PathOnHost"),
            permissions=device.text("CgroupPermissions") or "rwm",
        )
        for device in host.objects("Devices")
    )


def _ulimits(host: Fields) -> tuple[Ulimit, ...]:
    return tuple(
        Ulimit(name=limit.text("Name").lower(), soft=limit.number("Soft"), hard=limit.number("Hard"))
        for limit in host.objects("Ulimits")
    )


def _size(host: Fields) -> tuple[int, int] | None:
    numbers = host.value("ConsoleSize")
    if not isinstance(numbers, list) or len(numbers) != 2 or not all(isinstance(item, int) for item in numbers):
        return None
    rows, columns = numbers
    return (rows, columns) if 0 < rows < 1 << 16 and 0 < columns < 1 << 16 else None
