"""Kernel switches that a bridge network needs; set when the first container needs them, and only then.

Packets between the bridge and the world need `ip_forward`; 127.0.0.1 as the address of a published port needs
`route_localnet` on the bridge (rules.py guards what that opens). A host whose own firewall drops what it forwards
(Docker sets that up, and ufw) would drop ours too, since an accept of one table does not overrule another's drop:
its `DOCKER-USER` or `FORWARD` chain gets an accept for the bridge, in both directions.
"""

from __future__ import annotations

import os

from ..errors import HostUnfit

IP_FORWARD = "/proc/sys/net/ipv4/ip_forward"
_LEGACY_TABLES = "/proc/net/ip_tables_names"


def allow_forwarding(bridge: str) -> None:
    """Let packets pass between the bridge and the host's other interfaces. Raises HostUnfit."""
    _switch_on(IP_FORWARD, "container networks need IP forwarding", "sysctl -w net.ipv4.ip_forward=1")


def allow_loopback(bridge: str) -> None:
    """Let 127.0.0.1 of the host reach published ports on the bridge. Raises HostUnfit."""
    path = f"/proc/sys/net/ipv4/conf/{bridge}/route_localnet"
    _switch_on(path, "published ports need it", f"sysctl -w net.ipv4.conf.{bridge}.route_localnet=1")


def _switch_on(path: str, why: str, cure: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if os.read(fd, 2).strip() == b"1":
            return
    finally:
        os.close(fd)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, b"1")
        finally:
            os.close(fd)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise HostUnfit(f"{path} cannot be set: {reason}; {why}", hint=f"Set it as root: {cure}") from error
