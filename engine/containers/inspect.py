"""A container in the shape of `docker inspect`, for scripts that know it."""

from __future__ import annotations

import json
import time

from ..bundle import process
from ..networks.networks import endpoint_id
from .links import split_link
from .runtimes import OURS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..images.config import ImageConfig
    from ..models import Container, CreateRequest, DeviceLimit, Mount, PortMapping
    from ..paths import Paths

_ENDPOINT_TEXTS = ("IPAddress", "Gateway", "GlobalIPv6Address", "IPv6Gateway", "MacAddress")
_ENDPOINT_NUMBERS = {"IPPrefixLen": 0, "GlobalIPv6PrefixLen": 0}
ZERO_TIME = "0001-01-01T00:00:00Z"


def document(container: Container, request: CreateRequest, image: ImageConfig | None, paths: Paths) -> dict[str, Any]:
    """All that is known; `image` is None when it has been removed by force."""
    bundle = paths.container(container.id)
    return {
        "Id": container.id,
        "Created": rfc3339(container.created_ns),
        "Path": container.command[0] if container.command else "",
        "Args": list(container.command[1:]),
        "State": _state(container, paths),
        "Image": container.image_id,
        "ResolvConfPath": f"{bundle}/resolv.conf",
        "HostnamePath": f"{bundle}/hostname",
        "HostsPath": f"{bundle}/hosts",
        "LogPath": paths.log(container.id),
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "Driver": "overlay",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": None,
        "HostConfig": _host_config(container, request),
        "GraphDriver": {"Name": "overlay", "Data": {"UpperDir": f"{bundle}/upper", "WorkDir": f"{bundle}/work"}},
        "Mounts": [_mount(mount, paths) for mount in container.mounts],
        "Config": _config(container, request, image),
        "NetworkSettings": _network_settings(container),
        "Phases": [phase.to_json() for phase in container.phases],
        "LastExit": _last_exit(container, paths),
    }


def rfc3339(time_ns: int) -> str:
    """Docker's form, nanoseconds without trailing zeros; year 1 for never."""
    if not time_ns:
        return ZERO_TIME
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    fraction = f".{nanoseconds:09d}".rstrip("0").rstrip(".")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f"{fraction}Z"


def _state(container: Container, paths: Paths) -> dict[str, Any]:
    checked = {"Health": _health(container, paths)} if container.health else {}
    return {
        "Status": container.state,
        "Running": container.state in ("running", "paused", "restarting"),
        "Paused": container.state == "paused",
        "Restarting": container.state == "restarting",
        "OOMKilled": container.oom_killed,
        "Dead": container.state == "dead",
        "Pid": container.pid,
        "ExitCode": container.exit_code,
        "Error": container.error,
        "StartedAt": rfc3339(container.started_ns),
        "FinishedAt": rfc3339(container.finished_ns),
        **checked,
    }


def _health(container: Container, paths: Paths) -> dict[str, Any]:
    kept = _read_json(paths.health(container.id))
    log = [
        {**result, "Start": rfc3339(result["Start"]), "End": rfc3339(result["End"])} for result in kept.get("Log") or ()
    ]
    return {"Status": container.health, "FailingStreak": kept.get("FailingStreak", 0), "Log": log}


def _last_exit(container: Container, paths: Paths) -> dict[str, Any] | None:
    """What the shim recorded of the last end: docker has no word for most of it."""
    kept = _read_json(paths.exit_record(container.id))
    if not kept or kept.get("finished_ns", 0) < container.created_ns:
        return None
    stop = kept.get("stop")
    return {
        "ExitCode": kept["code"],
        "Signal": kept["signal"],
        "OOMKilled": kept["oom_killed"],
        "StartedAt": rfc3339(kept.get("started_ns", 0)),
        "FinishedAt": rfc3339(kept["finished_ns"]),
        "StopRequest": {
            "Signal": stop["signal"],
            "Time": rfc3339(stop["time_ns"]),
            "Pid": stop["pid"],
            "Uid": stop["uid"],
            "Program": stop["program"],
        }
        if stop
        else None,
        "MemoryPeak": kept.get("memory_peak", 0),
        "Pressure": dict(zip(("Cpu", "Memory", "Io"), kept.get("pressure") or (), strict=False)),
    }


def _read_json(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _host_config(container: Container, request: CreateRequest) -> dict[str, Any]:
    limits = request.resources
    return {
        "Binds": [_bind(mount) for mount in request.mounts if mount.type != "tmpfs"] or None,
        "NetworkMode": request.network,
        "PortBindings": _bindings(request.ports),
        "PublishAllPorts": request.publish_all,
        "RestartPolicy": {"Name": request.restart.name, "MaximumRetryCount": request.restart.maximum_retries},
        "AutoRemove": request.auto_remove,
        "LogConfig": {"Type": request.log_driver, "Config": dict(request.log_options)},
        "CapAdd": list(request.cap_add) or None,
        "CapDrop": list(request.cap_drop) or None,
        "Dns": list(request.dns),
        "DnsOptions": list(request.dns_options),
        "DnsSearch": list(request.dns_search),
        "ExtraHosts": list(request.extra_hosts) or None,
        "Links": [_link(container, link) for link in request.links] or None,
        "GroupAdd": list(request.group_add) or None,
        "IpcMode": request.ipc_mode or "private",
        "PidMode": request.pid_mode,
        "UTSMode": request.uts_mode,
        "UsernsMode": request.userns_mode,
        "Privileged": request.privileged,
        "ReadonlyRootfs": request.read_only,
        "SecurityOpt": list(request.security_opt) or None,
        "ShmSize": request.shm_size,
        "Sysctls": dict(request.sysctls),
        "OomScoreAdj": request.oom_score_adj,
        "Init": request.init,
        "Runtime": "pydock-runc" if request.runtime in OURS else request.runtime,
        "CgroupnsMode": request.cgroupns_mode or "private",
        "Annotations": dict(request.annotations) or None,
        "VolumesFrom": list(request.volumes_from) or None,
        "DeviceCgroupRules": list(request.device_cgroup_rules) or None,
        "OomKillDisable": limits.oom_kill_disable,
        "MemorySwappiness": limits.memory_swappiness if limits.memory_swappiness >= 0 else None,
        "BlkioWeight": limits.blkio_weight,
        "BlkioWeightDevice": _device_limits(limits.blkio_weight_devices, "Weight"),
        "BlkioDeviceReadBps": _device_limits(limits.device_read_bps, "Rate"),
        "BlkioDeviceWriteBps": _device_limits(limits.device_write_bps, "Rate"),
        "BlkioDeviceReadIOps": _device_limits(limits.device_read_iops, "Rate"),
        "BlkioDeviceWriteIOps": _device_limits(limits.device_write_iops, "Rate"),
        "Memory": limits.memory,
        "MemorySwap": limits.memory_swap,
        "MemoryReservation": limits.memory_reservation,
        "NanoCpus": limits.nano_cpus,
        "CpuShares": limits.cpu_shares,
        "CpuPeriod": limits.cpu_period,
        "CpuQuota": limits.cpu_quota,
        "CpusetCpus": limits.cpuset_cpus,
        "CpusetMems": limits.cpuset_mems,
        "PidsLimit": limits.pids_limit or None,
        "Ulimits": [{"Name": item.name, "Soft": item.soft, "Hard": item.hard} for item in request.ulimits] or None,
        "Devices": [
            {
                "PathOnHost": device.host_path,
                "PathInContainer": device.container_path,
                "CgroupPermissions": device.permissions,
            }
            for device in request.devices
        ],
        "Tmpfs": {mount.target: ",".join(mount.options) for mount in request.mounts if mount.type == "tmpfs"},
        "ContainerIDFile": "",
        "CgroupParent": request.cgroup_parent,
    }


def _config(container: Container, request: CreateRequest, image: ImageConfig | None) -> dict[str, Any]:
    environment: dict[str, str] = {"PATH": process.DEFAULT_PATH}
    if image:
        process.merge(environment, image.env)
    process.merge(environment, request.env)
    entrypoint = request.entrypoint if request.entrypoint is not None else (image.entrypoint if image else ())
    command = request.command if request.command is not None else (image.command if image else ())
    return {
        "Hostname": process.host_name(request, container),
        "Domainname": request.domainname,
        "User": request.user or (image.user if image else ""),
        "Tty": request.tty,
        "OpenStdin": request.open_stdin,
        "AttachStdin": False,
        "AttachStdout": False,
        "AttachStderr": False,
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Cmd": list(command) or None,
        "Entrypoint": list(entrypoint) or None,
        "Image": container.image,
        "Volumes": {path: {} for path in image.volumes} if image and image.volumes else None,
        "WorkingDir": request.working_dir or (image.working_dir if image else "") or "/",
        "ExposedPorts": {port: {} for port in container.exposed_ports},
        "Labels": dict(container.labels),
        "Healthcheck": _health_config(request, image),
        "StopSignal": request.stop_signal or (image.stop_signal if image else "") or "SIGTERM",
        "StopTimeout": request.stop_timeout_s,
    }


def _device_limits(limits: tuple[DeviceLimit, ...], value: str) -> list[dict[str, Any]]:
    return [{"Path": limit.path, value: limit.value} for limit in limits]


def _health_config(request: CreateRequest, image: ImageConfig | None) -> dict[str, Any] | None:
    asked = request.health
    built = dict(image.healthcheck or {}) if image else {}
    if asked is not None:
        if asked.test:
            built["Test"] = list(asked.test)
        for key, value in (
            ("Interval", asked.interval_ns),
            ("Timeout", asked.timeout_ns),
            ("StartPeriod", asked.start_period_ns),
            ("StartInterval", asked.start_interval_ns),
            ("Retries", asked.retries),
        ):
            if value:
                built[key] = value
    return built or None


def _network_settings(container: Container) -> dict[str, Any]:
    endpoints = container.endpoints
    networks: dict[str, dict[str, Any]] = {
        endpoint.network: {
            "IPAddress": endpoint.address,
            "IPPrefixLen": endpoint.prefix_length,
            "Gateway": endpoint.gateway,
            "GlobalIPv6Address": endpoint.address6,
            "GlobalIPv6PrefixLen": endpoint.prefix_length6,
            "IPv6Gateway": endpoint.gateway6,
            "GwPriority": endpoint.priority,
            "MacAddress": endpoint.mac,
            "Links": list(endpoint.links) or None,
            "Aliases": list(endpoint.aliases) or None,
            "DNSNames": [container.name, *endpoint.aliases, container.id[:12]],
            "NetworkID": endpoint.network_id,
            "EndpointID": endpoint_id(container.id, endpoint.network_id) if endpoint.network_id else "",
        }
        for endpoint in endpoints
    } or {container.network: {**dict.fromkeys(_ENDPOINT_TEXTS, ""), **_ENDPOINT_NUMBERS, "Aliases": None}}
    first = next(iter(networks.values()))
    published = tuple(port for endpoint in endpoints for mapping in endpoint.ports for port in everywhere(mapping))
    return {
        "Bridge": "",
        "SandboxKey": f"/proc/{container.pid}/ns/net" if container.pid else "",
        "Ports": {**dict.fromkeys(container.exposed_ports), **_bindings(published)},
        **{key: first[key] for key in (*_ENDPOINT_TEXTS, *_ENDPOINT_NUMBERS)},
        "Networks": networks,
    }


def everywhere(port: PortMapping) -> tuple[PortMapping, ...]:
    """As Docker tells of a port without an address: once for each family."""
    return (port,) if port.host_ip else (port.replace(host_ip="0.0.0.0"), port.replace(host_ip="::"))


def _link(container: Container, link: str) -> str:
    name, alias = split_link(link)
    return f"/{name}:/{container.name}/{alias}"


def _bindings(ports: tuple[PortMapping, ...]) -> dict[str, list[dict[str, str]]]:
    result: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        last = f"-{port.host_port_last}" if port.host_port_last else ""
        host = {"HostIp": port.host_ip, "HostPort": f"{port.host_port}{last}" if port.host_port else ""}
        result.setdefault(f"{port.container_port}/{port.protocol}", []).append(host)
    return result


def _bind(mount: Mount) -> str:
    options = [*(("ro",) if mount.read_only else ()), *mount.options]
    return ":".join((mount.source, mount.target, ",".join(options))).rstrip(":")


def _mount(mount: Mount, paths: Paths) -> dict[str, Any]:
    data: dict[str, Any] = {
        "Type": mount.type,
        "Source": paths.volume(mount.source) if mount.type == "volume" else mount.source,
        "Destination": mount.target,
        "Mode": ",".join(mount.options),
        "RW": not mount.read_only,
        "Propagation": "rprivate" if mount.type == "bind" else "",
    }
    if mount.type == "volume":
        data = {"Name": mount.source, "Driver": "local", **data}
    return data
