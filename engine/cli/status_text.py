"""A container's state in words, and its ports and command as `ps` has them."""

from __future__ import annotations

import json

from .units import human_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container, PortMapping


_HEALTH = {"starting": " (health: starting)", "healthy": " (healthy)", "unhealthy": " (unhealthy)"}


def status_text(container: Container, now_ns: int) -> str:
    """docker's STATUS: "Up 3 seconds (healthy)", "Exited (137) 2 minutes ago"; an OOM kill is said too."""
    state = container.state
    if state == "running":
        return f"Up {human_duration(now_ns - container.started_ns)}{_HEALTH.get(container.health, '')}"
    if state == "paused":
        return f"Up {human_duration(now_ns - container.started_ns)} (Paused)"
    if state == "restarting":
        ago = human_duration(now_ns - container.finished_ns)
        return f"Restarting ({container.exit_code}) {ago} ago"
    if state == "exited":
        ago = human_duration(now_ns - container.finished_ns)
        reason = " (OOM killed)" if container.oom_killed else ""
        return f"Exited ({container.exit_code}) {ago} ago{reason}"
    return {"created": "Created", "dead": "Dead", "removing": "Removal In Progress"}[state]


def command_text(command: tuple[str, ...]) -> str:
    """The command line as typed, quoted like Go's %q."""
    return json.dumps(" ".join(command), ensure_ascii=False)


def ports_text(container: Container) -> str:
    """`0.0.0.0:8080->80/tcp, 81/tcp`; neighbouring ports are joined to ranges."""
    mappings = [mapping for endpoint in container.endpoints for mapping in endpoint.ports]
    if not mappings and container.state in ("running", "paused"):
        mappings = [mapping for mapping in container.ports if mapping.host_port]
    mapped = {(mapping.container_port, mapping.protocol) for mapping in mappings}
    parts = _published(mappings)
    for exposed in container.exposed_ports if container.state in ("running", "paused") else ():
        number, _, protocol = exposed.partition("/")
        if number.isdigit() and (int(number), protocol or "tcp") not in mapped:
            parts.append(f"{number}/{protocol or 'tcp'}")
    return ", ".join(parts)


def _published(mappings: list[PortMapping]) -> list[str]:
    runs: list[tuple[str, str, int, int, int]] = []  # address, protocol, host first, container first, length
    for mapping in sorted(mappings, key=_order):
        address = mapping.host_ip or "0.0.0.0"
        if runs:
            before, protocol, host, inside, length = runs[-1]
            if (before, protocol, host + length, inside + length) == (
                address,
                mapping.protocol,
                mapping.host_port,
                mapping.container_port,
            ):
                runs[-1] = (before, protocol, host, inside, length + 1)
                continue
        runs.append((address, mapping.protocol, mapping.host_port, mapping.container_port, 1))
    return [
        f"{_bracketed(address)}:{_range(host, length)}->{_range(inside, length)}/{protocol}"
        for address, protocol, host, inside, length in runs
    ]


def _order(mapping: PortMapping) -> tuple[str, str, int]:
    return mapping.host_ip, mapping.protocol, mapping.container_port


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _range(first: int, length: int) -> str:
    return str(first) if length == 1 else f"{first}-{first + length - 1}"
