"""Forgets what the kernel remembers of datagrams to a published port.

A flow of UDP keeps the destination that its first packet was turned to, or that it was not, for as long as the sender
goes on: whoever asked before the container was there, or asked the one before it, would never reach this one.
Connections of TCP end by themselves. Sources: linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import socket

from .netlink import attributes, nested
from .nfnetlink import dump, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..models import PortMapping

_SUBSYSTEM = 1
_GET, _DELETE = 1, 2
_CTA_TUPLE_ORIG, _CTA_TUPLE_PROTO = 1, 2
_CTA_PROTO_NUM, _CTA_PROTO_DST_PORT = 1, 3


def forget_datagrams(ports: Iterable[PortMapping]) -> None:
    """Forget the flows to these ports of the host, TCP's among them left alone. Quiet where the kernel keeps none, or
    tells of none."""
    numbers = {port.host_port for port in ports if port.protocol == "udp" and port.host_port}
    if not numbers:
        return
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            flows = dump(_SUBSYSTEM, _GET, family, b"")
            for _, body in flows:
                original = dict(attributes(body)).get(_CTA_TUPLE_ORIG, b"")
                protocol = dict(attributes(dict(attributes(original)).get(_CTA_TUPLE_PROTO, b"")))
                number = int.from_bytes(protocol.get(_CTA_PROTO_DST_PORT, b""), "big")
                if protocol.get(_CTA_PROTO_NUM) == bytes([socket.IPPROTO_UDP]) and number in numbers:
                    send(_SUBSYSTEM, _DELETE, family, nested(_CTA_TUPLE_ORIG, original))
        except OSError:  # no such door in this kernel, or the flow has just ended
            continue
