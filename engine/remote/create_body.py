"""The engine's create request in Docker's JSON: `POST /containers/create`; what `engine.api.create_request` reads back.

Only what was asked for is said, so that an engine that lacks something takes offence only where it matters.
"""

from __future__ import annotations

from ..models import CreateRequest, Resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..models import DeviceLimit, HealthCheck, Mount, NetworkAttachment

_LIMITS = (
    ("Memory", "memory"),
    ("MemorySwap", "memory_swap"),
    ("MemoryReservation", "memory_reservation"),
    ("NanoCpus", "nano_cpus"),
    ("CpuShares", "cpu_shares"),
    ("CpuPeriod", "cpu_period"),
    ("CpuQuota", "cpu_quota"),
    ("CpusetCpus", "cpuset_cpus"),
    ("CpusetMems", "cpuset_mems"),
    ("PidsLimit", "pids_limit"),
    ("OomKillDisable", "oom_kill_disable"),
    ("BlkioWeight", "blkio_weight"),
)
_PROPAGATIONS = ("shared", "slave", "private")
_DEVICE_LIMITS = (
    ("BlkioWeightDevice", "blkio_weight_devices", "Weight"),
    ("BlkioDeviceReadBps", "device_read_bps", "Rate"),
    ("BlkioDeviceWriteBps", "device_write_bps", "Rate"),
    ("BlkioDeviceReadIOps", "device_read_iops", "Rate"),
    ("BlkioDeviceWriteIOps", "device_write_iops", "Rate"),
)


def create_body(request: CreateRequest, size: tuple[int, int] | None = None) -> dict[str, Any]:
    """The body of a create call. `size`: rows and columns of the terminal it will have."""
    host = _given(
        NetworkMode=request.network,
        AutoRemove=request.auto_remove,
        Init=request.init,
        ReadonlyRootfs=request.read_only,
        Privileged=request.privileged,
        CapAdd=list(request.cap_add),
        CapDrop=list(request.cap_drop),
        SecurityOpt=list(request.security_opt),
        GroupAdd=list(request.group_add),
        PublishAllPorts=request.publish_all,
        PortBindings=_bindings(request),
        Dns=list(request.dns),
        DnsSearch=list(request.dns_search),
        DnsOptions=list(request.dns_options),
        ExtraHosts=list(request.extra_hosts),
        Devices=[
            {
                "PathOnHost": item.host_path,
                "PathInContainer": item.container_path,
                "CgroupPermissions": item.permissions,
            }
            for item in request.devices
        ],
        DeviceCgroupRules=list(request.device_cgroup_rules),
        ShmSize=request.shm_size if request.shm_size != CreateRequest.shm_size else 0,
        Sysctls=dict(request.sysctls),
        Ulimits=[{"Name": item.name, "Soft": item.soft, "Hard": item.hard} for item in request.ulimits],
        OomScoreAdj=request.oom_score_adj,
        PidMode=request.pid_mode,
        IpcMode=request.ipc_mode,
        UTSMode=request.uts_mode,
        UsernsMode=request.userns_mode,
        CgroupnsMode=request.cgroupns_mode,
        CgroupParent=request.cgroup_parent,
        Runtime=request.runtime,
        Annotations=dict(request.annotations),
        VolumesFrom=list(request.volumes_from),
        Links=list(request.links),
        LogConfig=_log(request),
        Binds=[
            _bind(mount) for mount in request.mounts if mount.source and mount.type != "tmpfs" and not _typed(mount)
        ],
        Mounts=[_mount(mount) for mount in request.mounts if _typed(mount)],
        Tmpfs={mount.target: ",".join(mount.options) for mount in request.mounts if mount.type == "tmpfs"},
        RestartPolicy={"Name": request.restart.name, "MaximumRetryCount": request.restart.maximum_retries}
        if request.restart.name != "no"
        else None,
        ConsoleSize=list(size) if size else None,
        **limits(request.resources),
    )
    return {
        "Image": request.image,
        "HostConfig": host,
        **({} if request.stop_timeout_s is None else {"StopTimeout": request.stop_timeout_s}),
        **_given(
            Cmd=list(request.command) if request.command is not None else None,
            Entrypoint=_entrypoint(request),
            Env=list(request.env),
            Labels=dict(request.labels),
            Hostname=request.hostname,
            Domainname=request.domainname,
            User=request.user,
            WorkingDir=request.working_dir,
            Tty=request.tty,
            OpenStdin=request.open_stdin,
            StdinOnce=request.open_stdin and request.stdin_once,
            AttachStdin=request.open_stdin,
            AttachStdout=True,
            AttachStderr=True,
            StopSignal=request.stop_signal,
            Healthcheck=_health(request.health),
            ExposedPorts={
                port: {}
                for port in (*(f"{port.container_port}/{port.protocol}" for port in request.ports), *request.expose)
            },
            Volumes={mount.target: {} for mount in request.mounts if mount.type == "volume" and not mount.source},
            NetworkingConfig=_networking(request),
        ),
    }


def limits(resources: Resources) -> dict[str, Any]:
    """The limits that are set, as create and update have them."""
    plain = {name: getattr(resources, field) for name, field in _LIMITS}
    found = {name: value for name, value in plain.items() if value}
    if resources.memory_swappiness != -1:
        found["MemorySwappiness"] = resources.memory_swappiness
    for name, field, key in _DEVICE_LIMITS:
        devices: tuple[DeviceLimit, ...] = getattr(resources, field)
        if devices:
            found[name] = [{"Path": device.path, key: device.value} for device in devices]
    return found


def attachment(place: NetworkAttachment) -> dict[str, Any]:
    """One `EndpointSettings`."""
    addresses = _given(IPv4Address=place.address, IPv6Address=place.address6)
    return _given(
        IPAMConfig=addresses,
        MacAddress=place.mac,
        Aliases=list(place.aliases),
        Links=list(place.links),
        GwPriority=place.priority,
    )


def _given(**fields: Any) -> dict[str, Any]:
    return {
        name: value for name, value in fields.items() if value not in (None, False, "", 0) and value not in ([], {})
    }


def _entrypoint(request: CreateRequest) -> list[str] | None:
    if request.entrypoint is None:
        return None
    return list(request.entrypoint) or [""]


def _log(request: CreateRequest) -> dict[str, Any] | None:
    if request.log_driver == CreateRequest.log_driver and not request.log_options:
        return None  # the other engine's own default may be another
    return {"Type": request.log_driver, "Config": dict(request.log_options)}


def _bindings(request: CreateRequest) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for port in request.ports:
        binding = {"HostIp": port.host_ip, "HostPort": str(port.host_port) if port.host_port else ""}
        found.setdefault(f"{port.container_port}/{port.protocol}", []).append(binding)
    return found


def _typed(mount: Mount) -> bool:
    """Whether it says more than a bind's line can: that came from --mount."""
    more = mount.subpath or mount.driver_options or mount.labels
    return mount.type == "image" or bool(more) or "must-exist" in mount.options


def _bind(mount: Mount) -> str:
    words = [*(["ro"] if mount.read_only else []), *mount.options]
    text = f"{mount.source}:{mount.target}"
    return f"{text}:{','.join(words)}" if words else text


def _mount(mount: Mount) -> dict[str, Any]:
    common = {"Type": mount.type, "Source": mount.source, "Target": mount.target, "ReadOnly": mount.read_only}
    if mount.type == "image":
        return {**common, "ImageOptions": _given(Subpath=mount.subpath)}
    if mount.type == "volume":
        driver = {"Name": "local", "Options": dict(mount.driver_options)} if mount.driver_options else None
        nocopy = "nocopy" in mount.options
        told = _given(NoCopy=nocopy, Labels=dict(mount.labels), Subpath=mount.subpath, DriverConfig=driver)
        return {**common, "VolumeOptions": told}
    propagation = next((word for word in mount.options if word.removeprefix("r") in _PROPAGATIONS), "")
    return {**common, "BindOptions": _given(Propagation=propagation, NonRecursive="bind" in mount.options)}


def _health(check: HealthCheck | None) -> dict[str, Any] | None:
    if check is None:
        return None
    return _given(
        Test=list(check.test),
        Interval=check.interval_ns,
        Timeout=check.timeout_ns,
        StartPeriod=check.start_period_ns,
        StartInterval=check.start_interval_ns,
        Retries=check.retries,
    )


def _networking(request: CreateRequest) -> dict[str, Any] | None:
    if request.networks is None:
        return None
    return {"EndpointsConfig": {place.network: attachment(place) for place in request.networks}}
