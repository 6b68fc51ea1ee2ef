"""The networks of a create body, and what is asked of a container's place in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models import NetworkAttachment
from .errors import ApiError

if TYPE_CHECKING:
    from .fields import Fields

_WITHOUT_PLACES = ("host", "none")


def read_networks(config: Fields, host: Fields) -> tuple[str, tuple[NetworkAttachment, ...] | None]:
    """(mode or first network, all networks or None when nothing is asked of any). Raises `ApiError` 400."""
    mode = host.text("NetworkMode")
    endpoints = config.fields("NetworkingConfig").fields("EndpointsConfig")
    names = endpoints.names()
    if mode in ("", "default"):
        mode = names[0] if not mode and len(names) == 1 and names[0] != "default" else "bridge"
    if mode in _WITHOUT_PLACES or mode.startswith("container:"):
        others = [name for name in names if name != mode]
        if others:
            raise ApiError(400, f"container cannot be connected to network endpoints: {', '.join(sorted(others))}")
        return mode, None
    places = {mode: read_attachment(mode, endpoints.fields(mode if mode in names else "default"))}
    for name in names:
        if name not in (mode, "default"):
            places[name] = read_attachment(name, endpoints.fields(name))
    mac = config.text("MacAddress")
    if mac and not places[mode].mac:  # of clients before 1.44
        places[mode] = places[mode].replace(mac=mac)
    if mode != "bridge" and host.has("Links"):
        places[mode] = places[mode].replace(links=(*places[mode].links, *host.texts("Links")))
    if len(places) == 1 and places[mode] == NetworkAttachment(network=mode):
        return mode, None
    return mode, tuple(places.values())


def read_attachment(network: str, endpoint: Fields) -> NetworkAttachment:
    """One `EndpointSettings`."""
    ipam = endpoint.fields("IPAMConfig")
    return NetworkAttachment(
        network=network,
        address=ipam.text("IPv4Address"),
        mac=endpoint.text("MacAddress"),
        aliases=endpoint.texts("Aliases"),
        address6=ipam.text("IPv6Address"),
        links=endpoint.texts("Links"),
        priority=endpoint.number("GwPriority"),
    )
