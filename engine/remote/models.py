"""Docker's JSON to the engine's values: what lists and `inspect` of another engine say.

Read leniently: Docker, Podman and pydock leave out different things, and null stands for anything empty.
"""

from __future__ import annotations

import time

from ..models import Container, Endpoint, Event, Image, Mount, Network, PortMapping, Resources, RestartPolicy, Volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..models import ContainerState, MountType

ANONYMOUS = "com.docker.volume.anonymous"
STATES: dict[str, ContainerState] = {
    "created": "created",
    "configured": "created",
    "initialized": "created",
    "running": "running",
    "paused": "paused",
    "restarting": "restarting",
    "exited": "exited",
    "stopped": "exited",
    "stopping": "running",
    "dead": "dead",
    "removing": "removing",
}


class RemoteContainer(Container):
    """`told_status`: what the other engine says under STATUS; a list has that and no times to make it from.
    `told_sizes`: bytes written, and with the image's, when they were asked for."""

    told_status: str = ""
    told_sizes: tuple[int, ...] = ()


def listed_container(data: dict[str, Any]) -> RemoteContainer:
    """One entry of `GET /containers/json`."""
    names = [name.lstrip("/") for name in data.get("Names") or ()]
    networks = (data.get("NetworkSettings") or {}).get("Networks") or {}
    ports = _listed_ports(data.get("Ports") or [])
    mode = (data.get("HostConfig") or {}).get("NetworkMode") or "bridge"
    sizes = (int(data["SizeRw"]), int(data.get("SizeRootFs") or 0)) if data.get("SizeRw") is not None else ()
    command = data.get("Command") or ""
    return RemoteContainer(
        id=data["Id"],
        # a link adds names like "/other/alias"
        name=next((name for name in names if "/" not in name), data["Id"][:12]),
        image=data.get("Image") or "",
        image_id=data.get("ImageID") or "",
        command=tuple(command) if isinstance(command, list) else (command,),
        created_ns=_created_ns(data.get("Created")),
        state=STATES.get(str(data.get("State", "")).lower(), "exited"),
        labels=data.get("Labels") or {},
        network=mode,
        endpoints=_endpoints(networks, tuple(port for port in ports if port.host_port)),
        exposed_ports=tuple(f"{port.container_port}/{port.protocol}" for port in ports if not port.host_port),
        mounts=_mounts(data.get("Mounts") or []),
        told_status=data.get("Status") or "",
        told_sizes=sizes,
    )


def inspected_container(data: dict[str, Any]) -> RemoteContainer:
    """`GET /containers/{id}/json`."""
    state, config, host = (data.get(key) or {} for key in ("State", "Config", "HostConfig"))
    settings = data.get("NetworkSettings") or {}
    published = _bindings(settings.get("Ports") or {})
    policy = host.get("RestartPolicy") or {}
    return RemoteContainer(
        id=data["Id"],
        name=str(data.get("Name", "")).lstrip("/"),
        image=config.get("Image") or "",
        image_id=data.get("Image") or "",
        command=(data.get("Path") or "", *(data.get("Args") or ())),
        created_ns=parse_time(data.get("Created")),
        state=STATES.get(str(state.get("Status", "")).lower(), "exited"),
        pid=int(state.get("Pid") or 0),
        exit_code=int(state.get("ExitCode") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        error=state.get("Error") or "",
        started_ns=parse_time(state.get("StartedAt")),
        finished_ns=parse_time(state.get("FinishedAt")),
        restart_count=int(data.get("RestartCount") or 0),
        tty=bool(config.get("Tty")),
        open_stdin=bool(config.get("OpenStdin")),
        auto_remove=bool(host.get("AutoRemove")),
        labels=config.get("Labels") or {},
        network=host.get("NetworkMode") or "bridge",
        endpoints=_endpoints(settings.get("Networks") or {}, published),
        exposed_ports=tuple(config.get("ExposedPorts") or ()),
        mounts=_mounts(data.get("Mounts") or []),
        resources=Resources(
            memory=int(host.get("Memory") or 0),
            memory_swap=int(host.get("MemorySwap") or 0),
            nano_cpus=int(host.get("NanoCpus") or 0),
            pids_limit=int(host.get("PidsLimit") or 0),
        ),
        restart=RestartPolicy(
            name=policy.get("Name") or "no", maximum_retries=int(policy.get("MaximumRetryCount") or 0)
        ),
    )


def image(data: dict[str, Any]) -> Image:
    """An entry of `GET /images/json`, or `GET /images/{name}/json`."""
    config = data.get("Config") or {}
    layers = (data.get("RootFS") or {}).get("Layers") or ()
    digests = tuple(name for name in data.get("RepoDigests") or () if "<none>" not in name)
    return Image(
        id=prefixed(data["Id"]),
        digest=digests[0].partition("@")[2] if digests else "",
        references=tuple(familiar(name) for name in data.get("RepoTags") or () if "<none>" not in name),
        repo_digests=tuple(familiar(name) for name in digests),
        created_ns=_created_ns(data.get("Created")),
        size=int(data.get("Size") or 0),
        architecture=data.get("Architecture") or "",
        os=data.get("Os") or "",
        labels=data.get("Labels") or config.get("Labels") or {},
        layers=len(layers),
    )


def prefixed(image_id: str) -> str:
    """Podman's ids come without the name of their hash."""
    return image_id if ":" in image_id else f"sha256:{image_id}"


def familiar(reference: str) -> str:
    """As people write it; Podman tells whole names."""
    return reference.removeprefix("docker.io/").removeprefix("library/")


def network(data: dict[str, Any]) -> Network:
    """An entry of `GET /networks`, or `GET /networks/{id}`."""
    pools = [pool or {} for pool in (data.get("IPAM") or {}).get("Config") or ()]
    four = next((pool for pool in pools if ":" not in str(pool.get("Subnet") or "")), {})
    six = next((pool for pool in pools if ":" in str(pool.get("Subnet") or "")), {})
    options = data.get("Options") or {}
    return Network(
        id=data["Id"],
        name=data["Name"],
        driver=data.get("Driver") or "",
        bridge=options.get("com.docker.network.bridge.name", ""),
        subnet=four.get("Subnet") or "",
        gateway=four.get("Gateway") or "",
        internal=bool(data.get("Internal")),
        labels=data.get("Labels") or {},
        created_ns=parse_time(data.get("Created")),
        ip_range=four.get("IPRange") or "",
        options=options,
        ipv6=bool(data.get("EnableIPv6")),
        subnet6=six.get("Subnet") or "",
        gateway6=six.get("Gateway") or "",
        ip_range6=six.get("IPRange") or "",
        attachable=bool(data.get("Attachable")),
    )


def volume(data: dict[str, Any]) -> Volume:
    labels = data.get("Labels") or {}
    return Volume(
        name=data["Name"],
        path=data.get("Mountpoint") or "",
        created_ns=parse_time(data.get("CreatedAt")),
        # older engines have no label for it: a name that nobody would give
        anonymous=ANONYMOUS in labels or (len(data["Name"]) == 64 and not data["Name"].strip("0123456789abcdef")),
        labels={key: text for key, text in labels.items() if key != ANONYMOUS},
        options=data.get("Options") or {},
    )


def event(data: dict[str, Any]) -> Event:
    actor = data.get("Actor") or {}
    time_ns = int(data.get("timeNano") or int(data.get("time") or 0) * 10**9)
    return Event(
        id=time_ns,  # they have no numbers over there; what came before is older
        time_ns=time_ns,
        type=data.get("Type") or "container",
        action=data.get("Action") or data.get("status") or "",
        actor=actor.get("ID") or data.get("id") or "",
        attributes={str(key): str(value) for key, value in (actor.get("Attributes") or {}).items()},
    )


def parse_time(text: object) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time; 0 for none, and for Go's year 1."""
    if not isinstance(text, str) or len(text) < 19 or text.startswith("0001-"):
        return 0
    import calendar

    try:
        seconds = calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S"))
    except ValueError:
        return 0
    rest = text[19:]
    zone_at = next((index for index, letter in enumerate(rest) if letter in "Z+-"), len(rest))
    fraction, zone = rest[:zone_at].lstrip("."), rest[zone_at:]
    if zone[:1] in ("+", "-") and len(zone) >= 6:
        offset = int(zone[1:3]) * 3600 + int(zone[4:6]) * 60
        seconds += -offset if zone[0] == "+" else offset
    return seconds * 10**9 + int(fraction[:9].ljust(9, "0") or 0)


def _created_ns(value: object) -> int:
    """Seconds in lists, text elsewhere."""
    return int(value) * 10**9 if isinstance(value, (int, float)) else parse_time(value)


def _endpoints(networks: dict[str, Any], ports: tuple[PortMapping, ...]) -> tuple[Endpoint, ...]:
    found: list[Endpoint] = []
    for name, data in networks.items():
        settings = data or {}
        found.append(
            Endpoint(
                network=name,
                network_id=settings.get("NetworkID") or "",
                address=settings.get("IPAddress") or "",
                prefix_length=int(settings.get("IPPrefixLen") or 0),
                gateway=settings.get("Gateway") or "",
                mac=settings.get("MacAddress") or "",
                ports=() if found else ports,
                aliases=tuple(settings.get("Aliases") or ()),
            )
        )
    return tuple(found) or ((Endpoint(network="", ports=ports),) if ports else ())


def _listed_ports(entries: list[dict[str, Any]]) -> tuple[PortMapping, ...]:
    return tuple(
        PortMapping(
            container_port=int(entry["PrivatePort"]),
            protocol=entry.get("Type") or "tcp",
            host_ip=entry.get("IP") or "",
            host_port=int(entry.get("PublicPort") or 0),
        )
        for entry in entries
    )


def _bindings(ports: dict[str, Any]) -> tuple[PortMapping, ...]:
    found = []
    for port, bindings in ports.items():
        number, _, protocol = port.partition("/")
        for binding in bindings or ():
            found.append(
                PortMapping(
                    container_port=int(number),
                    protocol=protocol or "tcp",
                    host_ip=binding.get("HostIp") or "",
                    host_port=int(binding.get("HostPort") or 0),
                )
            )
    return tuple(found)


def _mounts(entries: list[dict[str, Any]]) -> tuple[Mount, ...]:
    kinds: dict[str, MountType] = {"bind": "bind", "volume": "volume", "tmpfs": "tmpfs"}
    return tuple(
        Mount(
            type=kinds.get(entry.get("Type") or "bind", "bind"),
            target=entry.get("Destination") or "",
            source=entry.get("Name") or entry.get("Source") or "",
            read_only=not entry.get("RW", True),
        )
        for entry in entries
    )
