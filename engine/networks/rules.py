"""The firewall rules of all networks of one engine: a table `inet pydock` with everything in it, so that taking the
table away leaves nothing. The engine of another data root has another table, named after that.

What the rules do. They never change: networks and published ports are elements of sets and maps.

* out: packets from a network that leave by another interface take that one's address (masquerade), or the one
  that the network was made with.
* published ports: maps from (address,) protocol and port to a container's address and port, looked up for
  packets to any address of this host, arriving (prerouting) or made here (output, 127.0.0.1 too). A
  container's start adds elements, its end removes them. What comes to ::1 the kernel cannot turn elsewhere: that
  is passed on by the shim (`shim/relay.py`).
* way back: a container that reached a neighbour (or itself) through a published port, and the host through
  127.0.0.1, take the bridge's address, for the answer to return the way it came.
* what belongs to a connection that was let in passes first: that is nearly every packet.
* in: nothing from outside or from another network reaches a container except through a published port, unless its
  network was made with another way in; an internal network lets nothing out either.
* a packet from a bridge to 127.0.0.0/8 is dropped before address translation: `route_localnet`, which
  127.0.0.1 needs above, would else open the host's loopback to containers (CVE-2020-8558). And a packet that
  comes from outside for 127.0.0.0/8 is never turned to a container.
"""

from __future__ import annotations

import os
import struct
import zlib

from ..paths import DEFAULT_ROOT
from ..record import Record
from .address import pack, subnet_of
from .nfnetlink import add_elements, delete_elements, delete_table, has_element, table_exists
from .nftables import NftError, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..models import Endpoint, PortMapping
    from .nfnetlink import Element

TABLE = "pydock"
_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
_INTERFACE_BYTES = 16

_BASE = """\
add set inet {t} bridges {{ type ifname; }}
add set inet {t} inner {{ type ifname; }}
add set inet {t} same {{ type ifname . ifname; }}
add set inet {t} trusted {{ type ifname . ifname; }}
add set inet {t} open4 {{ type ifname; }}
add set inet {t} open6 {{ type ifname; }}
add set inet {t} home4 {{ type ipv4_addr . ifname; flags interval; }}
add set inet {t} home6 {{ type ipv6_addr . ifname; flags interval; }}
add set inet {t} masked4 {{ type ipv4_addr; flags interval; }}
add set inet {t} masked6 {{ type ipv6_addr; flags interval; }}
add map inet {t} source4 {{ type ipv4_addr : ipv4_addr; flags interval; }}
add map inet {t} source6 {{ type ipv6_addr : ipv6_addr; flags interval; }}
add set inet {t} direct4 {{ type ipv4_addr . inet_proto . inet_service; }}
add set inet {t} direct6 {{ type ipv6_addr . inet_proto . inet_service; }}
add map inet {t} anywhere4 {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
add map inet {t} anywhere6 {{ type inet_proto . inet_service : ipv6_addr . inet_service; }}
add map inet {t} addressed4 {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
add map inet {t} addressed6 {{ type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }}
add chain inet {t} guard {{ type filter hook prerouting priority -300; }}
add rule inet {t} guard ip daddr 127.0.0.0/8 iifname @bridges counter drop
add chain inet {t} publish
add rule inet {t} publish dnat ip to ip daddr . meta l4proto . th dport map @addressed4
add rule inet {t} publish dnat ip to meta l4proto . th dport map @anywhere4
add rule inet {t} publish ip6 daddr ::1 return
add rule inet {t} publish dnat ip6 to ip6 daddr . meta l4proto . th dport map @addressed6
add rule inet {t} publish dnat ip6 to meta l4proto . th dport map @anywhere6
add chain inet {t} prerouting {{ type nat hook prerouting priority -100; }}
add rule inet {t} prerouting ip daddr 127.0.0.0/8 return
add rule inet {t} prerouting fib daddr type local jump publish
add chain inet {t} output {{ type nat hook output priority -100; }}
add rule inet {t} output fib daddr type local jump publish
add chain inet {t} postrouting {{ type nat hook postrouting priority 100; }}
add rule inet {t} postrouting ip saddr . oifname @home4 ct status dnat masquerade
add rule inet {t} postrouting ip saddr . oifname @home4 return
add rule inet {t} postrouting snat ip to ip saddr map @source4
add rule inet {t} postrouting ip saddr @masked4 masquerade
add rule inet {t} postrouting ip saddr 127.0.0.0/8 oifname @bridges masquerade
add rule inet {t} postrouting ip6 saddr . oifname @home6 ct status dnat masquerade
add rule inet {t} postrouting ip6 saddr . oifname @home6 return
add rule inet {t} postrouting snat ip6 to ip6 saddr map @source6
add rule inet {t} postrouting ip6 saddr @masked6 masquerade
add chain inet {t} forward {{ type filter hook forward priority 0; }}
add rule inet {t} forward ct state established,related accept
add rule inet {t} forward iifname . oifname @same accept
add rule inet {t} forward iifname @inner counter drop
add rule inet {t} forward oifname @inner counter drop
add rule inet {t} forward oifname != @bridges accept
add rule inet {t} forward ct status dnat accept
add rule inet {t} forward iifname . oifname @trusted accept
add rule inet {t} forward meta nfproto ipv4 oifname @open4 accept
add rule inet {t} forward meta nfproto ipv6 oifname @open6 accept
add rule inet {t} forward ip daddr . meta l4proto . th dport @direct4 accept
add rule inet {t} forward ip6 daddr . meta l4proto . th dport @direct6 accept
add rule inet {t} forward counter drop
"""


def table_name(root: str) -> str:
    """The table of the engine with that data root."""
    return TABLE if root == DEFAULT_ROOT else f"{TABLE}-{zlib.crc32(os.fsencode(root)):08x}"


def ensure(endpoint: Endpoint) -> bool:
    """Make the table unless it is there, and let it know the endpoint's network; True when it did not yet."""
    if endpoint.driver != "bridge" or has_element(endpoint.table, _bridge_element(endpoint)):
        return False
    known = _network_commands(endpoint)
    if not table_exists(endpoint.table):
        try:
            run(f"create table inet {endpoint.table}\n{_BASE.format(t=endpoint.table)}{known}")
        except NftError:
            # `create` fails when another start has made the whole table meanwhile.
            if not table_exists(endpoint.table):
                raise
        else:
            return True
    run(known)
    return True


def publish(endpoint: Endpoint) -> None:
    """Let the endpoint's ports in. An element left by a container that died with its shim is replaced."""
    elements = _elements(endpoint)
    if not elements:
        return
    try:
        add_elements(endpoint.table, elements)
    except FileExistsError:
        withdraw(endpoint)
        add_elements(endpoint.table, elements)


def withdraw(endpoint: Endpoint) -> None:
    """Close the endpoint's ports; quiet about what is not there."""
    elements = _elements(endpoint)
    if not elements:
        return
    try:
        delete_elements(endpoint.table, elements)
    except FileNotFoundError:
        for element in elements:
            try:
                delete_elements(endpoint.table, [element])
            except FileNotFoundError:
                continue


def rebuild(table: str, endpoints: Iterable[Endpoint]) -> None:
    """Make the table anew from what there is, in one transaction: no packet meets half of it. Without endpoints on
    bridges it is taken away."""
    there = [endpoint for endpoint in endpoints if endpoint.driver == "bridge"]
    if not there:
        remove(table)
        return
    commands = [f"add table inet {table}\ndelete table inet {table}\nadd table inet {table}\n", _BASE.format(t=table)]
    networks = {endpoint.bridge: endpoint for endpoint in there}
    commands += [_network_commands(endpoint) for endpoint in networks.values()]
    commands += [_spelled(table, entry) for endpoint in there for entry in _entries(endpoint)]
    run("".join(commands))


def remove(table: str) -> None:
    """Take the table away, if it is there."""
    delete_table(table)


def is_inet6(port: PortMapping) -> bool:
    """Whether a port is one of an IPv6 address of the host alone."""
    return ":" in port.host_ip


def _network_commands(endpoint: Endpoint) -> str:
    """What the sets have to know of a network."""
    bridge = endpoint.bridge
    added = [("bridges", f'"{bridge}"'), ("same", f'"{bridge}" . "{bridge}"')]
    if endpoint.internal:
        added.append(("inner", f'"{bridge}"'))
    added += [("trusted", f'"{name}" . "{bridge}"') for name in endpoint.trusted]
    for digit, address, length, source, way_in in (
        ("4", endpoint.address, endpoint.prefix_length, endpoint.source, endpoint.way_in),
        ("6", endpoint.address6, endpoint.prefix_length6, endpoint.source6, endpoint.way_in6),
    ):
        if not address:
            continue
        subnet = subnet_of(address, length)
        added.append((f"home{digit}", f'{subnet} . "{bridge}"'))
        if way_in == "nat-unprotected":
            added.append((f"open{digit}", f'"{bridge}"'))
        if endpoint.internal or way_in == "routed":
            continue
        if source:
            added.append((f"source{digit}", f"{subnet} : {source}"))
        elif endpoint.masquerade:
            added.append((f"masked{digit}", subnet))
    return "".join(f"add element inet {endpoint.table} {name} {{ {value} }}\n" for name, value in added)


def _bridge_element(endpoint: Endpoint) -> Element:
    return "bridges", os.fsencode(endpoint.bridge).ljust(_INTERFACE_BYTES, b"\0"), b""


class Entry(Record):
    """A published port in a set or map: at the host's `address` ("" for any) to the container's `target`, "" when no
    address is changed."""

    name: str
    protocol: str
    address: str
    port: int
    target: str = ""
    target_port: int = 0


def _elements(endpoint: Endpoint) -> list[Element]:
    return [_packed(entry) for entry in _entries(endpoint)]


def _entries(endpoint: Endpoint) -> list[Entry]:
    found: list[Entry] = []
    if endpoint.driver != "bridge":
        return found
    for port in endpoint.ports:
        for digit, target, way_in, everywhere, wanted in (
            ("4", endpoint.address, endpoint.way_in, "0.0.0.0", not is_inet6(port)),
            ("6", endpoint.address6, endpoint.way_in6, "::", is_inet6(port) or not port.host_ip),
        ):
            if not target or not wanted:
                continue
            number, to = port.host_port, port.container_port
            protocol, host_ip = port.protocol, port.host_ip
            if way_in == "routed":
                found.append(Entry(name=f"direct{digit}", protocol=protocol, address=target, port=to))
            elif number:
                anywhere = host_ip in ("", everywhere)
                found.append(
                    Entry(
                        name=f"{'anywhere' if anywhere else 'addressed'}{digit}",
                        protocol=protocol,
                        address="" if anywhere else host_ip,
                        port=number,
                        target=target,
                        target_port=to,
                    )
                )
    return found


def _packed(entry: Entry) -> Element:
    """As the kernel has it: each part padded to four bytes."""
    key = struct.pack(">B3xH2x", _PROTOCOLS[entry.protocol], entry.port)
    value = pack(entry.target) + struct.pack(">H2x", entry.target_port) if entry.target else b""
    return entry.name, (pack(entry.address) if entry.address else b"") + key, value


def _spelled(table: str, entry: Entry) -> str:
    """As a command of nft."""
    key = " . ".join((*([entry.address] if entry.address else ()), entry.protocol, str(entry.port)))
    value = f" : {entry.target} . {entry.target_port}" if entry.target else ""
    return f"add element inet {table} {entry.name} {{ {key}{value} }}\n"
