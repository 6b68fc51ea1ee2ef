"""Containers in Docker's shapes: a line of the list, and what `inspect` has beside the engine's own document."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ...bundle.security import masked_paths, readonly_paths
from ...cli.status_text import status_text
from ...containers.inspect import everywhere
from ...containers.rows import LIVE_STATES
from ...errors import EngineError
from ...models import Endpoint
from ...networks.networks import endpoint_id
from .. import asked

if TYPE_CHECKING:
    from ...engine import Engine
    from ...images.config import ImageConfig
    from ...models import Container, CreateRequest, Mount, NetworkAttachment
    from ...paths import Paths

#: What other systems have, and what this engine has not, with Docker's words for "nothing".
_ABSENT: dict[str, Any] = {
    **dict.fromkeys(("CpuRealtimePeriod", "CpuRealtimeRuntime", "CpuCount", "CpuPercent"), 0),
    **dict.fromkeys(("IOMaximumIOps", "IOMaximumBandwidth"), 0),
    **dict.fromkeys(("Isolation", "VolumeDriver", "Cgroup"), ""),
    **dict.fromkeys(("DeviceRequests", "VolumesFrom", "Links")),
    "ConsoleSize": [0, 0],
    "CgroupnsMode": "private",
}


_ABSENT_NETWORK: dict[str, Any] = {
    **dict.fromkeys(("LinkLocalIPv6Address", "IPv6Gateway"), ""),
    "HairpinMode": False,
    "LinkLocalIPv6PrefixLen": 0,
    **dict.fromkeys(("SecondaryIPAddresses", "SecondaryIPv6Addresses")),
}


def summary(container: Container, engine: Engine, image: str, sizes: tuple[int, int] | None) -> dict[str, Any]:
    """One entry of `GET /containers/json`. `sizes`: bytes written and all in all."""
    line: dict[str, Any] = {
        "Id": container.id,
        "Names": [f"/{container.name}"],
        "Image": image,
        "ImageID": container.image_id,
        "Command": " ".join(container.command),
        "Created": container.created_ns // 10**9,
        "Ports": _ports(container),
        "Labels": dict(container.labels),
        "State": container.state,
        "Status": status_text(container, time.time_ns()),
        "HostConfig": {"NetworkMode": container.network},
        "NetworkSettings": {"Networks": _networks(container)},
        "Mounts": [_mount(mount, engine.paths) for mount in container.mounts],
    }
    if sizes:
        line |= {"SizeRw": sizes[0], "SizeRootFs": sizes[1]}
    return line


def document(
    container: Container,
    engine: Engine,
    exec_ids: list[str],
    sizes: tuple[int, int] | None,
    version: tuple[int, int],
) -> dict[str, Any]:
    """`GET /containers/{id}/json`."""
    data = engine.containers.inspect(container.id)
    request = engine.containers.request(container.id)
    for ours in ("Phases", "LastExit"):
        data.pop(ours, None)
    data["ExecIDs"] = exec_ids or None
    data["Config"] |= {"StdinOnce": request.open_stdin and request.stdin_once, "OnBuild": None}
    config, host = asked.kept(engine.paths, container.id)
    data["Config"] |= {**config, **_config_as_asked(request, _image_config(engine, container))}
    if not container.exposed_ports:
        data["Config"].pop("ExposedPorts")
    anonymous: dict[str, dict[str, str]] = {
        mount.target: {} for mount in request.mounts if mount.type == "volume" and not mount.source
    }
    data["Config"]["Volumes"] = {**(data["Config"]["Volumes"] or {}), **anonymous} or None
    wanted_tmpfs = {mount["Target"] for mount in host.get("Mounts") or () if mount.get("Type") == "tmpfs"}
    tmpfs = data["HostConfig"]["Tmpfs"]
    data["HostConfig"]["Tmpfs"] = {target: words for target, words in tmpfs.items() if target not in wanted_tmpfs}
    data["Mounts"] = [
        _mount(mount, engine.paths)
        for mount in container.mounts
        if mount.type != "tmpfs" or mount.target in wanted_tmpfs
    ]
    if container.state not in LIVE_STATES:
        data["NetworkSettings"]["Ports"] = {}
    data["NetworkSettings"]["Networks"] = _networks(container, request, version)
    data["NetworkSettings"] |= {"SandboxID": _sandbox(container), "EndpointID": _first_endpoint(container)}
    data["NetworkSettings"] = {**_ABSENT_NETWORK, **data["NetworkSettings"]}
    data["HostConfig"] = {**_ABSENT, **data["HostConfig"], **_mount_requests(request), **host}
    data["HostConfig"] |= {"MaskedPaths": masked_paths(request), "ReadonlyPaths": readonly_paths(request)}
    if request.resources.memory and not request.resources.memory_swap:
        data["HostConfig"]["MemorySwap"] = 2 * request.resources.memory  # what it gets
    for name in ("Init", "Sysctls", "Tmpfs"):
        if not data["HostConfig"].get(name):
            data["HostConfig"].pop(name, None)
    if sizes:
        data |= {"SizeRw": sizes[0], "SizeRootFs": sizes[1]}
    return data


def _image_config(engine: Engine, container: Container) -> ImageConfig | None:
    try:
        return engine.images.config(container.image_id)
    except EngineError:  # removed by force
        return None


def _config_as_asked(request: CreateRequest, image: ImageConfig | None) -> dict[str, Any]:
    """Without what the engine puts in by itself: the environment as asked for over the image's."""
    named = {entry.partition("=")[0] for entry in request.env}
    inherited = [entry for entry in (image.env if image else ()) if entry.partition("=")[0] not in named]
    data: dict[str, Any] = {
        "Env": [entry for entry in request.env if "=" in entry] + inherited or None,
        "WorkingDir": request.working_dir or (image.working_dir if image else ""),
    }
    signal = request.stop_signal or (image.stop_signal if image else "")
    return {**data, "StopSignal": signal or "SIGTERM"}


def _mount_requests(request: CreateRequest) -> dict[str, Any]:
    """As they were asked for: `Binds`, and `Mounts` for binds that need their source to be there."""
    binds, mounts = [], []
    for mount in request.mounts:
        if mount.type == "bind" and "must-exist" in mount.options:
            wanted = {"Type": "bind", "Source": mount.source, "Target": mount.target}
            mounts.append({**wanted, "ReadOnly": True} if mount.read_only else wanted)
        elif mount.type != "tmpfs" and mount.source:
            options = [*(("ro",) if mount.read_only else ()), *mount.options]
            binds.append(":".join((mount.source, mount.target, ",".join(options))).rstrip(":"))
    return {"Binds": binds or None, **({"Mounts": mounts} if mounts else {})}


def _sandbox(container: Container) -> str:
    """Of a container that runs, an id for its network namespace."""
    return container.id if container.pid and container.endpoints else ""


def _first_endpoint(container: Container) -> str:
    first = container.endpoints[0] if container.endpoints else None
    return endpoint_id(container.id, first.network_id) if first and first.network_id else ""


def _ports(container: Container) -> list[dict[str, Any]]:
    if container.state not in ("running", "paused", "restarting"):
        return []
    lines: list[dict[str, Any]] = []
    mapped = set()
    for endpoint in container.endpoints:
        for port in (one for mapping in endpoint.ports for one in everywhere(mapping)):
            mapped.add(f"{port.container_port}/{port.protocol}")
            lines.append(
                {
                    "IP": port.host_ip,
                    "PrivatePort": port.container_port,
                    "PublicPort": port.host_port,
                    "Type": port.protocol,
                }
            )
    for exposed in container.exposed_ports:
        number, _, protocol = exposed.partition("/")
        if exposed not in mapped and number.isdigit():
            lines.append({"PrivatePort": int(number), "Type": protocol or "tcp"})
    return lines


def _networks(
    container: Container, request: CreateRequest | None = None, version: tuple[int, int] = (1, 47)
) -> dict[str, Any]:
    """Every network that it is on or will be; without addresses while it has none."""
    if container.network.startswith("container:"):
        return {}
    asked = {place.network: place for place in (request.networks if request else None) or ()}
    endpoints = {endpoint.network: endpoint for endpoint in container.endpoints}
    names = dict.fromkeys((*endpoints, *asked)) or {container.network: None}
    return {
        name: _endpoint(container, endpoints.get(name) or Endpoint(network=name), asked.get(name), version)
        for name in names
    }


def _endpoint(
    container: Container, endpoint: Endpoint, asked: NetworkAttachment | None, version: tuple[int, int]
) -> dict[str, Any]:
    aliases = list(endpoint.aliases or (asked.aliases if asked else ()))
    fixed = (
        {key: address for key, address in (("IPv4Address", asked.address), ("IPv6Address", asked.address6)) if address}
        if asked
        else {}
    )
    own = container.network not in ("bridge", "host", "none") or bool(aliases)
    short = [container.id[:12]]
    return {
        "IPAMConfig": fixed or ({} if asked else None),
        "Links": list(endpoint.links) or None,
        "Aliases": (aliases + (short if version < (1, 45) and own else [])) or None,
        "MacAddress": endpoint.mac,
        "DriverOpts": None,
        "NetworkID": endpoint.network_id,
        "EndpointID": endpoint_id(container.id, endpoint.network_id) if endpoint.network_id else "",
        "Gateway": endpoint.gateway,
        "IPAddress": endpoint.address,
        "IPPrefixLen": endpoint.prefix_length,
        "IPv6Gateway": endpoint.gateway6,
        "GlobalIPv6Address": endpoint.address6,
        "GlobalIPv6PrefixLen": endpoint.prefix_length6,
        "DNSNames": list(dict.fromkeys((container.name, *aliases, *short))) if own else None,
    }


def _mount(mount: Mount, paths: Paths) -> dict[str, Any]:
    line: dict[str, Any] = {"Type": mount.type}
    if mount.type == "volume":
        line |= {"Name": mount.source, "Source": paths.volume(mount.source), "Driver": "local"}
    else:
        line["Source"] = mount.source
    propagation = next((word for word in mount.options if word.removeprefix("r") in ("shared", "slave", "private")), "")
    line |= {
        "Destination": mount.target,
        "Mode": _mode(mount),
        "RW": not mount.read_only,
        "Propagation": propagation or ("rprivate" if mount.type == "bind" else ""),
    }
    return line


def _mode(mount: Mount) -> str:
    """Its options as they were written; a volume without any has Docker's label for sharing."""
    words = [word for word in mount.options if word != "must-exist"]
    words = ["ro", *words] if mount.read_only and mount.type != "tmpfs" else words
    return ",".join(words) or ("z" if mount.type == "volume" else "")
