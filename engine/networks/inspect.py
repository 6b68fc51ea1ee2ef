"""A network in the shape of `docker network inspect`."""

from __future__ import annotations

import time

from . import driver_options
from .networks import endpoint_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..models import Endpoint, Network


def document(network: Network, endpoints: list[tuple[str, str, Endpoint]]) -> dict[str, Any]:
    """`endpoints`: id and name of each container that is on it, with its place."""
    bridge = {driver_options.NAME: network.bridge} if network.bridge and network.driver == "bridge" else {}
    seconds, nanoseconds = divmod(network.created_ns, 1_000_000_000)
    created = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": f"{created}.{nanoseconds:09d}Z",
        "Scope": "local",
        # Docker's word for the driver of its network "none".
        "Driver": "null" if network.driver == "none" else network.driver,
        "EnableIPv4": network.ipv4,
        "EnableIPv6": network.ipv6,
        "IPAM": {"Driver": "default", "Options": None, "Config": _config(network)},
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {
            container_id: {
                "Name": name,
                "EndpointID": endpoint_id(container_id, network.id),
                "MacAddress": endpoint.mac,
                "IPv4Address": _with_length(endpoint.address, endpoint.prefix_length),
                "IPv6Address": _with_length(endpoint.address6, endpoint.prefix_length6),
            }
            for container_id, name, endpoint in endpoints
        },
        "Options": {**network.options, **bridge},
        "Labels": network.labels,
    }


def _config(network: Network) -> list[dict[str, Any]]:
    found = []
    for subnet, ip_range, gateway in (
        (network.subnet, network.ip_range, network.gateway),
        (network.subnet6, network.ip_range6, network.gateway6),
    ):
        kept = {name: one for name, one in network.reserved.items() if (":" in one) == (":" in subnet)}
        config = {"Subnet": subnet, "IPRange": ip_range, "Gateway": gateway, "AuxiliaryAddresses": kept}
        if subnet:
            found.append({key: value for key, value in config.items() if value})
    return found


def _with_length(address: str, length: int) -> str:
    return f"{address}/{length}" if address else ""
