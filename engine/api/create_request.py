"""Docker's JSON of `POST /containers/create` to the engine's request; the only place that reads that shape.

What has no meaning for this engine and changes nothing that the caller relies on becomes a warning; what would
silently be missing in the container is refused.
"""

from __future__ import annotations

from typing import Any

from ..models import CreateRequest
from .create_limits import read_devices, read_health, read_resources, read_restart, read_ulimits
from .create_mounts import read_mounts
from .create_networks import read_networks
from .create_ports import read_exposed, read_ports
from .errors import ApiError
from .fields import Fields

_REFUSED = ("DeviceRequests", "StorageOpt")
_DISCARDED = ("CpuRealtimePeriod", "CpuRealtimeRuntime", "KernelMemory", "KernelMemoryTCP")


class Created:
    """A request with what else the body says."""

    def __init__(self, request: CreateRequest, warnings: list[str], size: tuple[int, int] | None) -> None:
        self.request = request
        self.warnings = warnings
        self.size = size


def read_create(body: dict[str, Any], *, name: str, platform: str) -> Created:
    """Raises `ApiError` 400."""
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
        security_opt=_security(host),
        network=network,
        networks=networks,
        ports=read_ports(host),
        publish_all=host.flag("PublishAllPorts"),
        dns=host.texts("Dns"),
        dns_search=host.texts("DnsSearch"),
        dns_options=host.texts("DnsOptions"),
        extra_hosts=host.texts("ExtraHosts"),
        expose=read_exposed(config),
        links=host.texts("Links") if network == "bridge" or networks is None else (),
        mounts=read_mounts(config, host),
        devices=read_devices(host),
        shm_size=host.number("ShmSize") or 64 << 20,
        sysctls=host.pairs("Sysctls"),
        ulimits=read_ulimits(host),
        oom_score_adj=host.number("OomScoreAdj"),
        pid_mode=host.text("PidMode"),
        ipc_mode=host.text("IpcMode"),
        uts_mode=host.text("UTSMode"),
        userns_mode=host.text("UsernsMode"),
        cgroupns_mode=host.text("CgroupnsMode"),
        cgroup_parent=host.text("CgroupParent"),
        runtime=host.text("Runtime"),
        annotations=host.pairs("Annotations"),
        device_cgroup_rules=host.texts("DeviceCgroupRules"),
        volumes_from=host.texts("VolumesFrom"),
        health=read_health(config),
        resources=read_resources(host),
        restart=read_restart(host),
        stop_signal=config.text("StopSignal"),
        stop_timeout_s=config.number("StopTimeout") if config.value("StopTimeout") is not None else None,
        log_driver=host.fields("LogConfig").text("Type") or "json-file",
        log_options=host.fields("LogConfig").pairs("Config"),
        platform=platform,
    )
    return Created(request, warnings, _size(host) if tty else None)


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
    if host.text("VolumeDriver") not in ("", "local"):
        raise ApiError(400, f'volume driver "{host.text("VolumeDriver")}" is not supported')
    return warnings


def _security(host: Fields) -> tuple[str, ...]:
    """Docker's client turns `systempaths=unconfined` into two empty lists."""
    options = host.texts("SecurityOpt")
    if host.value("MaskedPaths") == [] and host.value("ReadonlyPaths") == []:
        options = (*options, "systempaths=unconfined")
    return options


def _size(host: Fields) -> tuple[int, int] | None:
    numbers = host.value("ConsoleSize")
    if not isinstance(numbers, list) or len(numbers) != 2 or not all(isinstance(item, int) for item in numbers):
        return None
    rows, columns = numbers
    return (rows, columns) if 0 < rows < 1 << 16 and 0 < columns < 1 << 16 else None
