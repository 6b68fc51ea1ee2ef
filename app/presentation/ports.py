"""Published ports as short text, always in one order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.models import PortMapping


def port_list(ports: Iterable[PortMapping]) -> str:
    """ "8080→80 5353→53/udp"; the address only when it is not every address; duplicates by family once."""
    shown: dict[tuple[int, str, int, str], None] = {}
    for port in sorted(ports, key=lambda port: (port.container_port, port.protocol, port.host_port, port.host_ip)):
        address = "" if port.host_ip in ("", "0.0.0.0", "::") else port.host_ip
        shown[(port.host_port, address, port.container_port, port.protocol)] = None
    return " ".join(_one(*key) for key in shown)


def _one(host_port: int, address: str, container_port: int, protocol: str) -> str:
    target = f"{container_port}" + ("" if protocol == "tcp" else f"/{protocol}")
    if not host_port:
        return target
    if ":" in address:
        address = f"[{address}]"
    return f"{address}:{host_port}→{target}" if address else f"{host_port}→{target}"


def first_url(ports: Iterable[PortMapping]) -> str:
    """Address for a browser of the lowest published TCP port; "" without one."""
    published = [port for port in ports if port.protocol == "tcp" and port.host_port]
    if not published:
        return ""
    port = min(published, key=lambda port: (port.container_port, port.host_port))
    host = port.host_ip if port.host_ip not in ("", "0.0.0.0", "::") else "127.0.0.1"
    scheme = "https" if port.container_port in (443, 8443) else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port.host_port}/"
