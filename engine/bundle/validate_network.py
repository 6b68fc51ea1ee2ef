"""The network part of a create request: modes, ports, name servers, extra hosts."""

from __future__ import annotations

import re
import socket

from ..errors import InvalidRequest
from .files import HOST_GATEWAY, split_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import CreateRequest, NetworkAttachment, PortMapping

PROTOCOLS = ("tcp", "udp", "sctp")


def check_network(request: CreateRequest) -> None:
    """Raise InvalidRequest for the first thing that is wrong."""
    mode = request.network
    if mode.startswith("container:"):
        _check_joined(request)
    elif not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", mode, re.ASCII):
        raise InvalidRequest(f'invalid network mode "{mode}"')
    if request.links and mode in ("host", "none"):
        raise InvalidRequest(f"conflicting options: links and the network mode {mode}")
    for link in request.links:
        _check_link(link)
    for exposed in request.expose:
        number, _, protocol = exposed.partition("/")
        if (
            not re.fullmatch(r"[0-9]{1,5}", number, re.ASCII)
            or not 1 <= int(number) <= 65535
            or protocol not in PROTOCOLS
        ):
            raise InvalidRequest(f'invalid exposed port "{exposed}"', hint="Give it as 80/tcp.")
    for attachment in request.networks or ():
        check_attachment(attachment)
    seen: set[tuple[str, int, str]] = set()
    for port in request.ports:
        _check_port(port)
        place = (port.host_ip, port.host_port, port.protocol)
        if port.host_port and not port.host_port_last and place in seen:
            raise InvalidRequest(f"port {port.host_port}/{port.protocol} is published twice")
        seen.add(place)
    for server in request.dns:
        if not is_address(server):
            raise InvalidRequest(f"{server} is not an ip address")
    for word in (*request.dns_search, *request.dns_options):
        if not re.fullmatch(r"[^\s]+", word):
            raise InvalidRequest(f'"{word}" is not a valid entry for resolv.conf')
    for entry in request.extra_hosts:
        name, address = split_host(entry)
        if not name or not re.fullmatch(r"[^\s#]+", name):
            raise InvalidRequest(f'bad format for add-host: "{entry}"', hint="Give NAME:ADDRESS.")
        if address != HOST_GATEWAY and not is_address(address):
            raise InvalidRequest(f'invalid IP address in add-host: "{address}"')


def is_address(text: str) -> bool:
    """An IPv4 or IPv6 address as the kernel reads it."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def check_attachment(attachment: NetworkAttachment) -> None:
    """Raise InvalidRequest for an address, MAC or alias that is none."""
    name = attachment.network
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", name, re.ASCII):
        raise InvalidRequest(f'invalid network name "{name}"')
    for address, family, kind in (
        (attachment.address, socket.AF_INET, "IPv4"),
        (attachment.address6, socket.AF_INET6, "IPv6"),
    ):
        if not address:
            continue
        try:
            socket.inet_pton(family, address)
        except (OSError, ValueError) as error:
            raise InvalidRequest(f"invalid {kind} address: {address}") from error
    for link in attachment.links:
        _check_link(link)
    if attachment.mac:
        octets = re.fullmatch(
            r"([0-9a-f]{2})(?:([:-])[0-9a-f]{2})(?:\2[0-9a-f]{2}){4}", attachment.mac, re.I | re.ASCII
        )
        if not octets:
            raise InvalidRequest(f"{attachment.mac} is not a valid mac address", hint="Write it as 02:42:ac:11:00:02.")
        if int(octets[1], 16) & 1:
            raise InvalidRequest(f"{attachment.mac} is the mac address of a group, not of one interface")
    for alias in attachment.aliases:
        if not re.fullmatch(r"[^\s]{1,253}", alias):
            raise InvalidRequest(f'invalid network alias "{alias}"')


def _check_joined(request: CreateRequest) -> None:
    if request.network == "container:":
        raise InvalidRequest("invalid network mode: container:NAME names no container")
    conflicts = (
        (request.hostname, "hostname and the network mode"),
        (request.ports or request.publish_all, "port publishing and the container type network mode"),
        (request.dns or request.dns_search or request.dns_options, "dns and the network mode"),
        (request.extra_hosts, "custom host-to-IP mapping and the network mode"),
        (request.links, "links and the network mode"),
        (request.expose, "port exposing and the container type network mode"),
    )
    for given, what in conflicts:
        if given:
            raise InvalidRequest(f"conflicting options: {what}")


def _check_link(link: str) -> None:
    name, _, alias = link.partition(":")
    if not name or not re.fullmatch(r"[^\s:/]{0,253}", alias) or (":" in link and not alias):
        raise InvalidRequest(f'bad format for links: "{link}"', hint="Give CONTAINER or CONTAINER:ALIAS.")


def _check_port(port: PortMapping) -> None:
    if port.protocol not in PROTOCOLS:
        raise InvalidRequest(f"invalid proto: {port.protocol}", hint="Known: tcp, udp, sctp.")
    if not 1 <= port.container_port <= 65535:
        raise InvalidRequest(f"invalid containerPort: {port.container_port}")
    if not 0 <= port.host_port <= 65535:
        raise InvalidRequest(f"invalid hostPort: {port.host_port}")
    if port.host_port_last and not port.host_port <= port.host_port_last <= 65535:
        raise InvalidRequest(f"invalid hostPort: {port.host_port}-{port.host_port_last}")
    if port.host_ip and not is_address(port.host_ip):
        raise InvalidRequest(f"invalid IP address: {port.host_ip}")
