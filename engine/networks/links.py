"""The interfaces of networks: a bridge and a veth pair for each container, or for each container an interface
upon one of the host's (macvlan, ipvlan)."""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
import zlib

from . import netlink
from .address import broadcast, is_ipv6, mac_of, pack
from .driver_options import IPVLAN_FLAGS, IPVLAN_MODES, MACVLAN_MODES
from .namespace import InNetwork
from .netlink import Link, Netlink, NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Endpoint

#: (address, prefix length)
Addresses = tuple[tuple[str, int], ...]

ALIAS_PREFIX = "pydock"
_TRY = "try"
_ROUTE = struct.Struct("=BBBBBBBBI")
_ADDED = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
# No link-local address and with it no duplicate address detection, on networks without IPv6.
_NO_IPV6_ADDRESS = netlink.nested(
    netlink.IFLA_AF_SPEC,
    netlink.nested(10, netlink.attribute(netlink.IFLA_INET6_ADDR_GEN_MODE, bytes([netlink.IN6_ADDR_GEN_MODE_NONE]))),
)
_IPV6_ADDRESS = netlink.nested(
    netlink.IFLA_AF_SPEC,
    netlink.nested(10, netlink.attribute(netlink.IFLA_INET6_ADDR_GEN_MODE, bytes([netlink.IN6_ADDR_GEN_MODE_EUI64]))),
)
_HAIRPIN = netlink.nested(
    netlink.IFLA_LINKINFO,
    netlink.text(netlink.IFLA_INFO_SLAVE_KIND, "bridge"),
    netlink.nested(netlink.IFLA_INFO_SLAVE_DATA, netlink.attribute(netlink.IFLA_BRPORT_MODE, b"\1")),
)
# Between isolated ports the bridge passes nothing, whether or not the host lets nftables see what it passes.
_ISOLATED = netlink.nested(
    netlink.IFLA_LINKINFO,
    netlink.text(netlink.IFLA_INFO_SLAVE_KIND, "bridge"),
    netlink.nested(
        netlink.IFLA_INFO_SLAVE_DATA,
        netlink.attribute(netlink.IFLA_BRPORT_MODE, b"\1"),
        netlink.attribute(netlink.IFLA_BRPORT_ISOLATED, b"\1"),
    ),
)


def alias(network_id: str, root: str) -> str:
    """What a bridge says of its owner: the network and the data root of its engine. 255 bytes at most."""
    return f"{ALIAS_PREFIX} {network_id[:12]} {root}"[:255]


def veth_name(container_id: str, network: str) -> str:
    """The host's end: the beginning of the container's id and a mark of the network, 15 characters."""
    return f"veth{container_id[:8]}{zlib.crc32(network.encode()) & 0xFFF:03x}"


def add_bridge(host: Netlink, name: str, addresses: Addresses, told: str, mac: str = "") -> int:
    """Make the bridge with its addresses, up; its index. A bridge that is there already is taken and completed."""
    kind = netlink.nested(netlink.IFLA_LINKINFO, netlink.text(netlink.IFLA_INFO_KIND, "bridge"))
    mac = mac or (mac_of(addresses[0][0]) if addresses else "")
    # A MAC of its own: else it would change with the ports, and the containers' neighbour tables be wrong.
    own = netlink.attribute(netlink.IFLA_ADDRESS, bytes.fromhex(mac.replace(":", ""))) if mac else b""
    payload = netlink.link_header() + netlink.text(netlink.IFLA_IFNAME, name) + own + kind
    host.queue(netlink.RTM_NEWLINK, _ADDED, payload, f"make bridge {name}")
    _mark_new(host, name, told)
    _commit_new(host)
    link = host.link(name)
    if link is None:
        raise NetlinkError(errno.ENODEV, f"bridge {name} has vanished")
    for address, prefix_length in addresses:
        _give_address(host, link.index, address, prefix_length, name)
    # Up comes last: a bridge that is up is whole.
    ipv6 = any(is_ipv6(address) for address, _ in addresses)
    host.queue(
        netlink.RTM_SETLINK,
        0,
        netlink.link_header(link.index, up=True) + (_IPV6_ADDRESS if ipv6 else _NO_IPV6_ADDRESS),
        f"set up bridge {name}",
    )
    host.commit()
    return link.index


def add_veth(host: Netlink, name: str, bridge_index: int, pid: int, endpoint: Endpoint) -> None:
    """Make the pair: one end in the bridge and up, the other as eth0 in the network namespace of `pid`."""
    mtu = netlink.number(netlink.IFLA_MTU, endpoint.mtu) if endpoint.mtu else b""
    peer = (
        netlink.link_header()
        + netlink.text(netlink.IFLA_IFNAME, endpoint.interface)
        + netlink.number(netlink.IFLA_NET_NS_PID, pid)
        + netlink.attribute(netlink.IFLA_ADDRESS, bytes.fromhex(endpoint.mac.replace(":", "")))
        + mtu
    )
    payload = (
        netlink.link_header()
        + netlink.text(netlink.IFLA_IFNAME, name)
        + mtu
        + netlink.number(netlink.IFLA_MASTER, bridge_index)
        + netlink.nested(
            netlink.IFLA_LINKINFO,
            netlink.text(netlink.IFLA_INFO_KIND, "veth"),
            netlink.nested(netlink.IFLA_INFO_DATA, netlink.attribute(netlink.VETH_INFO_PEER, peer)),
        )
    )
    host.queue(netlink.RTM_NEWLINK, _ADDED, payload, f"make veth {name} for process {pid}")
    set_port(host, name, isolated=endpoint.isolated)


def add_upon(host: Netlink, pid: int, endpoint: Endpoint) -> None:
    """Make the container's macvlan or ipvlan interface upon its network's parent, straight in the namespace of `pid`:
    the host never has it."""
    parent = host.link(endpoint.parent)
    if parent is None:
        raise NetlinkError(errno.ENODEV, f"the parent interface {endpoint.parent} is not there")
    mac = netlink.attribute(netlink.IFLA_ADDRESS, bytes.fromhex(endpoint.mac.replace(":", "")))
    if endpoint.driver == "ipvlan":
        mode, _, flag = endpoint.mode.partition(" ")
        data = netlink.short(netlink.IFLA_IPVLAN_MODE, IPVLAN_MODES[mode])
        data += netlink.short(netlink.IFLA_IPVLAN_FLAGS, IPVLAN_FLAGS[flag])
        mac = b""  # its parent's
    else:
        data = netlink.number(netlink.IFLA_MACVLAN_MODE, MACVLAN_MODES[endpoint.mode])
    payload = (
        netlink.link_header()
        + netlink.text(netlink.IFLA_IFNAME, endpoint.interface)
        + netlink.number(netlink.IFLA_LINK, parent.index)
        + netlink.number(netlink.IFLA_NET_NS_PID, pid)
        + mac
        + (netlink.number(netlink.IFLA_MTU, endpoint.mtu) if endpoint.mtu else b"")
        + netlink.nested(
            netlink.IFLA_LINKINFO,
            netlink.text(netlink.IFLA_INFO_KIND, endpoint.driver),
            netlink.attribute(netlink.IFLA_INFO_DATA | 0x8000, data),
        )
    )
    host.queue(netlink.RTM_NEWLINK, _ADDED, payload, f"make {endpoint.driver} upon {endpoint.parent}")
    host.commit()


def try_upon(host: Netlink, kind: str, parent: str) -> None:
    """See whether the kernel makes interfaces of that kind upon the parent: one is made, and deleted. Raises
    NetlinkError."""
    link = host.link(parent)
    if link is None:
        raise NetlinkError(errno.ENXIO, f"the parent interface {parent} is not there")
    name = f"{_TRY}{zlib.crc32(os.urandom(8)):08x}"
    payload = (
        netlink.link_header()
        + netlink.text(netlink.IFLA_IFNAME, name)
        + netlink.number(netlink.IFLA_LINK, link.index)
        + netlink.nested(netlink.IFLA_LINKINFO, netlink.text(netlink.IFLA_INFO_KIND, kind))
    )
    host.queue(netlink.RTM_NEWLINK, _ADDED, payload, f"make {kind} upon {parent}")
    host.commit()
    delete(host, name)


def forget_tries(host: Netlink) -> None:
    """Delete what somebody left who was killed in `try_upon`; nobody else is at it under the HostLock."""
    for link in host.links():
        if link.kind in ("macvlan", "ipvlan") and re.fullmatch(f"{_TRY}[0-9a-f]{{8}}", link.name):
            delete(host, link.name)


def add_vlan(host: Netlink, name: str, told: str) -> bool:
    """Make `PARENT.ID`, as the parent of a network, unless it is there; False when its own parent is not."""
    parent, _, number = name.rpartition(".")
    link = host.link(parent) if parent else None
    if link is None:
        return False
    data = netlink.nested(netlink.IFLA_INFO_DATA, netlink.short(netlink.IFLA_VLAN_ID, int(number)))
    payload = (
        netlink.link_header(up=True)
        + netlink.text(netlink.IFLA_IFNAME, name)
        + netlink.number(netlink.IFLA_LINK, link.index)
        + netlink.nested(netlink.IFLA_LINKINFO, netlink.text(netlink.IFLA_INFO_KIND, "vlan"), data)
    )
    host.queue(netlink.RTM_NEWLINK, _ADDED, payload, f"make VLAN {name}")
    _mark_new(host, name, told)
    _commit_new(host)
    return True


def configure(inside: Netlink, endpoint: Endpoint) -> None:
    """Inside the container: addresses, up, and the default routes if this endpoint is to have them."""
    link = inside.link(endpoint.interface)
    if link is None:
        raise NetlinkError(errno.ENODEV, f"{endpoint.interface} has vanished from the container")
    if endpoint.address:
        add_address(inside, link.index, endpoint.address, endpoint.prefix_length, endpoint.interface)
    inside.queue(
        netlink.RTM_SETLINK,
        0,
        netlink.link_header(link.index, up=True) + (_IPV6_ADDRESS if endpoint.address6 else _NO_IPV6_ADDRESS),
        f"set up {endpoint.interface}",
    )
    inside.commit()
    if endpoint.address6:
        _give_address(inside, link.index, endpoint.address6, endpoint.prefix_length6, endpoint.interface)
    add_default_routes(inside, endpoint, link.index)


def add_default_routes(inside: Netlink, endpoint: Endpoint, index: int) -> None:
    """The routes out of the container that lead through this endpoint."""
    # Behind an ipvlan of layer 3 there is no neighbour to ask: the interface itself is the way.
    routed = endpoint.driver == "ipvlan" and not endpoint.mode.startswith("l2 ")
    for address, gateway, wanted in (
        (endpoint.address, endpoint.gateway, endpoint.default_route),
        (endpoint.address6, endpoint.gateway6, endpoint.default_route6),
    ):
        if wanted and address and (gateway or routed) and not endpoint.internal:
            add_default_route(inside, "" if routed else gateway, index, ipv6=is_ipv6(address))
    inside.commit()


def drop_default_routes(inside: Netlink, index: int, *, ipv4: bool, ipv6: bool) -> None:
    """Take the default routes through an interface away; quiet about those that are not there."""
    for family, wanted in ((socket.AF_INET, ipv4), (socket.AF_INET6, ipv6)):
        if wanted:
            payload = _ROUTE.pack(family, 0, 0, 0, 254, 0, 0, 1, 0) + netlink.number(netlink.RTA_OIF, index)
            inside.queue(netlink.RTM_DELROUTE, 0, payload, "drop a default route")
            try:
                inside.commit()
            except NetlinkError as error:
                if error.errno != errno.ESRCH:
                    raise


def add_address(where: Netlink, index: int, address: str, prefix_length: int, name: str) -> None:
    """Queue an address. An IPv6 address is good at once: who has it is written down, and nobody needs to be asked."""
    packed = pack(address)
    family = socket.AF_INET if len(packed) == 4 else socket.AF_INET6
    payload = struct.pack("=BBBBi", family, prefix_length, 0, 0, index)
    payload += netlink.attribute(netlink.IFA_LOCAL, packed) + netlink.attribute(netlink.IFA_ADDRESS, packed)
    if family == socket.AF_INET6:
        payload += netlink.number(netlink.IFA_FLAGS, netlink.IFA_F_NODAD)
    elif prefix_length < 31:
        payload += netlink.attribute(netlink.IFA_BROADCAST, pack(broadcast(address, prefix_length)))
    where.queue(netlink.RTM_NEWADDR, _ADDED, payload, f"give {name} the address {address}/{prefix_length}")


def add_default_route(where: Netlink, gateway: str, index: int, *, ipv6: bool = False) -> None:
    """Queue the default route; without a gateway all is on the link."""
    family = socket.AF_INET6 if ipv6 or is_ipv6(gateway) else socket.AF_INET
    # family, dst_len, src_len, tos, table main, protocol boot, scope universe or link, type unicast, flags
    head = _ROUTE.pack(family, 0, 0, 0, 254, 3, 0 if gateway else 253, 1, 0)
    via = netlink.attribute(netlink.RTA_GATEWAY, pack(gateway)) if gateway else b""
    payload = head + via + netlink.number(netlink.RTA_OIF, index)
    where.queue(netlink.RTM_NEWROUTE, _ADDED, payload, f"route through {gateway or 'the interface'}")


def set_master(host: Netlink, name: str, bridge_index: int) -> bool:
    """Put an interface into a bridge and up; False when it is not there."""
    payload = netlink.link_header(up=True) + netlink.text(netlink.IFLA_IFNAME, name)
    payload += netlink.number(netlink.IFLA_MASTER, bridge_index)
    host.queue(netlink.RTM_NEWLINK, 0, payload, f"put {name} into its bridge")
    try:
        host.commit()
    except NetlinkError as error:
        if error.errno == errno.ENODEV:
            return False
        raise
    return True


def set_port(host: Netlink, name: str, *, isolated: bool) -> None:
    """Tell a bridge how it is to treat a port."""
    up = netlink.link_header(up=True) + netlink.text(netlink.IFLA_IFNAME, name)
    # Hairpin: with br_netfilter a container that calls its own published port comes back out of its own port.
    # RTM_NEWLINK and not RTM_SETLINK, which ignores the options of a bridge's port.
    host.queue(netlink.RTM_NEWLINK, 0, up + (_ISOLATED if isolated else _HAIRPIN) + _NO_IPV6_ADDRESS, f"set up {name}")
    host.commit()


def loopback_up(inside: Netlink) -> None:
    """Queue the setting up of lo, which is interface 1 in every namespace."""
    inside.queue(netlink.RTM_SETLINK, 0, netlink.link_header(1, up=True), "set up lo")


def delete(host: Netlink, name: str) -> bool:
    """Delete an interface, with a veth its other end too; False when there is none."""
    payload = netlink.link_header() + netlink.text(netlink.IFLA_IFNAME, name)
    host.queue(netlink.RTM_DELLINK, 0, payload, f"delete {name}")
    try:
        host.commit()
    except NetlinkError as error:
        if error.errno == errno.ENODEV:
            return False
        raise
    return True


def set_alias(host: Netlink, link: Link, told: str) -> None:
    host.queue(
        netlink.RTM_SETLINK,
        0,
        netlink.link_header(link.index) + netlink.text(netlink.IFLA_IFALIAS, told),
        f"name the owner of {link.name}",
    )
    host.commit()


def _mark_new(host: Netlink, name: str, told: str) -> None:
    """Queue the owner's mark behind the making of an interface: sent together they are done together, whoever is killed
    meanwhile. Without a mark it would be nobody's."""
    if told:
        mark = netlink.text(netlink.IFLA_IFNAME, name) + netlink.text(netlink.IFLA_IFALIAS, told)
        host.queue(netlink.RTM_SETLINK, 0, netlink.link_header() + mark, f"name the owner of {name}")


def _give_address(where: Netlink, index: int, address: str, prefix_length: int, name: str) -> None:
    """Give an address, or leave it where it is. The kernel refuses IPv6's where the host has switched it off for new
    interfaces: this one needs it."""
    add_address(where, index, address, prefix_length, name)
    try:
        _commit_new(where)
    except NetlinkError as error:
        if not is_ipv6(address) or error.errno not in (errno.EACCES, errno.EPERM):
            raise
        _switch_ipv6_on(where, name)
        add_address(where, index, address, prefix_length, name)
        _commit_new(where)


def _switch_ipv6_on(where: Netlink, name: str) -> None:
    path = f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6"
    with InNetwork(where.pid):
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, b"0")
        finally:
            os.close(fd)


def _commit_new(where: Netlink) -> None:
    """Commit; what another process has just made is as good."""
    try:
        where.commit()
    except NetlinkError as error:
        if error.errno != errno.EEXIST:
            raise
