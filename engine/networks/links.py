"""The interfaces of a bridge network: the bridge, and a veth pair for each container."""

from __future__ import annotations

import errno
import struct
import zlib

from . import netlink
from .address import broadcast, mac_of, pack
from .netlink import Link, Netlink, NetlinkError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Endpoint

ALIAS_PREFIX = "pydock"
_ADDED = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
# No link-local address and with it no duplicate address detection, on networks without IPv6.
_NO_IPV6_ADDRESS = netlink.nested(
    netlink.IFLA_AF_SPEC,
    netlink.nested(10, netlink.attribute(netlink.IFLA_INET6_ADDR_GEN_MODE, bytes([netlink.IN6_ADDR_GEN_MODE_NONE]))),
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


def add_bridge(host: Netlink, name: str, gateway: str, prefix_length: int, told: str) -> int:
    """Make the bridge with its address, up; its index. A bridge that is there already is taken and completed."""
    kind = netlink.nested(netlink.IFLA_LINKINFO, netlink.text(netlink.IFLA_INFO_KIND, "bridge"))
    # A MAC of its own: else it would change with the ports, and the containers' neighbour tables be wrong.
    mac = netlink.attribute(netlink.IFLA_ADDRESS, bytes.fromhex(mac_of(gateway).replace(":", "")))
    payload = netlink.link_header() + netlink.text(netlink.IFLA_IFNAME, name) + mac + kind
    host.queue(netlink.RTM_NEWLINK, _ADDED, payload, f"make bridge {name}")
    _commit_new(host)
    link = host.link(name)
    if link is None:
        raise NetlinkError(errno.ENODEV, f"bridge {name} has vanished")
    add_address(host, link.index, gateway, prefix_length, name)
    _commit_new(host)
    # The owner's mark comes last: a bridge that has it is whole.
    options = netlink.text(netlink.IFLA_IFALIAS, told) if told else b""
    host.queue(
        netlink.RTM_SETLINK,
        0,
        netlink.link_header(link.index, up=True) + options + _NO_IPV6_ADDRESS,
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
    up = netlink.link_header(up=True) + netlink.text(netlink.IFLA_IFNAME, name)
    # Hairpin: with br_netfilter a container that calls its own published port comes back out of its own port.
    # RTM_NEWLINK and not RTM_SETLINK, which ignores the options of a bridge's port.
    port = _ISOLATED if endpoint.isolated else _HAIRPIN
    host.queue(netlink.RTM_NEWLINK, 0, up + port + _NO_IPV6_ADDRESS, f"set up {name}")
    host.commit()


def configure(inside: Netlink, endpoint: Endpoint) -> None:
    """Inside the container: address, up, and the default route if this endpoint is to have it."""
    link = inside.link(endpoint.interface)
    if link is None:
        raise NetlinkError(errno.ENODEV, f"{endpoint.interface} has vanished from the container")
    add_address(inside, link.index, endpoint.address, endpoint.prefix_length, endpoint.interface)
    inside.queue(
        netlink.RTM_SETLINK,
        0,
        netlink.link_header(link.index, up=True) + _NO_IPV6_ADDRESS,
        f"set up {endpoint.interface}",
    )
    if endpoint.gateway and endpoint.default_route and not endpoint.internal:
        add_default_route(inside, endpoint.gateway, link.index)
    inside.commit()


def add_address(where: Netlink, index: int, address: str, prefix_length: int, name: str) -> None:
    """Queue an IPv4 address."""
    head = struct.pack("=BBBBi", 2, prefix_length, 0, 0, index)
    packed = pack(address)
    payload = head + netlink.attribute(netlink.IFA_LOCAL, packed) + netlink.attribute(netlink.IFA_ADDRESS, packed)
    if prefix_length < 31:
        payload += netlink.attribute(netlink.IFA_BROADCAST, pack(broadcast(address, prefix_length)))
    where.queue(netlink.RTM_NEWADDR, _ADDED, payload, f"give {name} the address {address}/{prefix_length}")


def add_default_route(where: Netlink, gateway: str, index: int) -> None:
    """Queue the default route."""
    # family, dst_len, src_len, tos, table main, protocol boot, scope universe, type unicast, flags
    head = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0)
    payload = head + netlink.attribute(netlink.RTA_GATEWAY, pack(gateway)) + netlink.number(netlink.RTA_OIF, index)
    where.queue(netlink.RTM_NEWROUTE, _ADDED, payload, f"route through {gateway}")


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


def _commit_new(where: Netlink) -> None:
    """Commit; what another process has just made is as good."""
    try:
        where.commit()
    except NetlinkError as error:
        if error.errno != errno.EEXIST:
            raise
