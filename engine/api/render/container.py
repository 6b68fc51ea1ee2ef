"""Containers in Docker's shapes: a line of the list, and what `inspect` has beside the engine's own document."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ...cli.status_text import status_text
from ...networks.networks import endpoint_id

if TYPE_CHECKING:
    from ...engine import Engine
    from ...models import Container, Mount
    from ...paths import Paths


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
    container: Container, engine: Engine, exec_ids: list[str], sizes: tuple[int, int] | None
) -> dict[str, Any]:
    """`GET /containers/{id}/json`."""
    data = engine.containers.inspect(container.id)
    request = engine.containers.request(container.id)
    data.pop("Phases", None)
    data["ExecIDs"] = exec_ids or None
    data["Config"] |= {"StdinOnce": request.open_stdin and request.stdin_once, "OnBuild": None}
    data["Mounts"] = [_mount(mount, engine.paths) for mount in container.mounts]
    data["NetworkSettings"]["Networks"] = _networks(container)
    data["NetworkSettings"] |= {"SandboxID": "", "EndpointID": ""}
    data["HostConfig"].setdefault("Isolation", "")
    data["HostConfig"].setdefault("ConsoleSize", [0, 0])
    data["HostConfig"].setdefault("VolumesFrom", None)
    data["HostConfig"].setdefault("Links", None)
    data["HostConfig"].setdefault("CgroupnsMode", "private")
    if sizes:
        data |= {"SizeRw": sizes[0], "SizeRootFs": sizes[1]}
    return data


def _ports(container: Container) -> list[dict[str, Any]]:
    if container.state not in ("running", "paused", "restarting"):
        return []
    lines: list[dict[str, Any]] = []
    mapped = set()
    for endpoint in container.endpoints:
        for port in endpoint.ports:
            mapped.add(f"{port.container_port}/{port.protocol}")
            lines.append(
                {
                    "IP": port.host_ip or "0.0.0.0",
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


def _networks(container: Container) -> dict[str, Any]:
    networks = {
        endpoint.network: {
            "IPAMConfig": None,
            "Links": list(endpoint.links) or None,
            "Aliases": None,
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
            "GwPriority": endpoint.priority,
            "DNSNames": [container.name, container.id[:12]],
        }
        for endpoint in container.endpoints
    }
    if networks or container.network.startswith("container:"):
        return networks
    empty = dict.fromkeys(
        ("MacAddress", "NetworkID", "EndpointID", "Gateway", "IPAddress", "IPv6Gateway", "GlobalIPv6Address"), ""
    )
    nothing = dict.fromkeys(("IPAMConfig", "Links", "Aliases", "DriverOpts", "DNSNames"))
    return {container.network: {**nothing, **empty, "IPPrefixLen": 0, "GlobalIPv6PrefixLen": 0}}


def _mount(mount: Mount, paths: Paths) -> dict[str, Any]:
    line: dict[str, Any] = {"Type": mount.type}
    if mount.type == "volume":
        line |= {"Name": mount.source, "Source": paths.volume(mount.source), "Driver": "local"}
    else:
        line["Source"] = mount.source
    propagation = next((word for word in mount.options if word.removeprefix("r") in ("shared", "slave", "private")), "")
    line |= {
        "Destination": mount.target,
        "Mode": ",".join(word for word in mount.options if word != "must-exist"),
        "RW": not mount.read_only,
        "Propagation": propagation or ("rprivate" if mount.type == "bind" else ""),
    }
    return line
