"""The firewall rules of one bridge network: a table `inet BRIDGE` with everything in it, so that taking the table
away leaves nothing.

What the rules do:

* out: packets from the subnet that leave by another interface take that one's address (masquerade).
* published ports: two maps from (address,) protocol and port to a container's address and port, looked up for
  packets to any address of this host, arriving (prerouting) or made here (output, 127.0.0.1 too). A
  container's start adds elements to the maps, its end removes them; the rules never change.
* way back: a container that reached a neighbour (or itself) through a published port, and the host through
  127.0.0.1, take the bridge's address, for the answer to return the way it came.
* in: nothing from outside or from another network reaches a container except through a published port; an
  internal network lets nothing out either.
* a packet from the bridge to 127.0.0.0/8 is dropped before address translation: `route_localnet`, which
  127.0.0.1 needs above, would else open the host's loopback to containers (CVE-2020-8558).
"""

from __future__ import annotations

import struct

from .address import pack, subnet_of
from .nfnetlink import add_elements, delete_elements, delete_table, table_exists
from .nftables import NftError, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Endpoint
    from .nfnetlink import Element

_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}

_BASE = """\
create table inet {t}
add map inet {t} anywhere {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
add map inet {t} addressed {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
add chain inet {t} guard {{ type filter hook prerouting priority -300; }}
add rule inet {t} guard iifname "{b}" ip daddr 127.0.0.0/8 counter drop
add chain inet {t} publish
add rule inet {t} publish dnat ip to ip daddr . meta l4proto . th dport map @addressed
add rule inet {t} publish dnat ip to meta l4proto . th dport map @anywhere
add chain inet {t} prerouting {{ type nat hook prerouting priority -100; }}
add rule inet {t} prerouting fib daddr type local jump publish
add chain inet {t} output {{ type nat hook output priority -100; }}
add rule inet {t} output fib daddr type local jump publish
add chain inet {t} postrouting {{ type nat hook postrouting priority 100; }}
add rule inet {t} postrouting ip saddr {s} oifname "{b}" ct status dnat masquerade
add rule inet {t} postrouting ip saddr 127.0.0.0/8 oifname "{b}" masquerade
add chain inet {t} forward {{ type filter hook forward priority 0; }}
"""
_OUT = """\
add rule inet {t} postrouting ip saddr {s} oifname != "{b}" masquerade
"""
_FORWARD = """\
add rule inet {t} forward iifname "{b}" oifname "{b}" accept
add rule inet {t} forward iifname "{b}" accept
add rule inet {t} forward oifname != "{b}" accept
add rule inet {t} forward ct state established,related accept
add rule inet {t} forward ct status dnat accept
add rule inet {t} forward counter drop
"""
_FORWARD_INTERNAL = """\
add rule inet {t} forward iifname "{b}" oifname "{b}" accept
add rule inet {t} forward iifname "{b}" counter drop
add rule inet {t} forward oifname "{b}" counter drop
"""


def ensure(endpoint: Endpoint) -> bool:
    """Make the network's table unless it is there; True when this call made it."""
    if table_exists(endpoint.bridge):
        return False
    text = _BASE + (_FORWARD_INTERNAL if endpoint.internal else (_OUT if endpoint.masquerade else "") + _FORWARD)
    subnet = subnet_of(endpoint.gateway, endpoint.prefix_length)
    try:
        run(text.format(t=endpoint.bridge, b=endpoint.bridge, s=subnet))
    except NftError:
        # `create` fails when another start has made the whole table meanwhile.
        if table_exists(endpoint.bridge):
            return False
        raise
    return True


def publish(endpoint: Endpoint) -> None:
    """Let the endpoint's ports in. An element left by a container that died with its shim is replaced."""
    elements = _elements(endpoint)
    if not elements:
        return
    try:
        add_elements(endpoint.bridge, elements)
    except FileExistsError:
        withdraw(endpoint)
        add_elements(endpoint.bridge, elements)


def withdraw(endpoint: Endpoint) -> None:
    """Close the endpoint's ports; quiet about what is not there."""
    elements = _elements(endpoint)
    if not elements:
        return
    try:
        delete_elements(endpoint.bridge, elements)
    except FileNotFoundError:
        for element in elements:
            try:
                delete_elements(endpoint.bridge, [element])
            except FileNotFoundError:
                continue


def remove(bridge: str) -> None:
    """Take the network's table away, if it is there."""
    delete_table(bridge)


def _elements(endpoint: Endpoint) -> list[Element]:
    """Keys and values of the two maps, each part padded to four bytes."""
    found = []
    for port in endpoint.ports:
        if not port.host_port or ":" in port.host_ip:
            continue
        key = struct.pack(">B3xH2x", _PROTOCOLS[port.protocol], port.host_port)
        value = pack(endpoint.address) + struct.pack(">H2x", port.container_port)
        if port.host_ip in ("", "0.0.0.0"):
            found.append(("anywhere", key, value))
        else:
            found.append(("addressed", pack(port.host_ip) + key, value))
    return found
