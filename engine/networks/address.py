"""Arithmetic on addresses of both families as text: what `ipaddress` does, without its 10 ms of import."""

from __future__ import annotations

import os
import re
import socket
import zlib

from ..errors import InvalidRequest

IPV4_BITS, IPV6_BITS = 32, 128
_LOCAL_PREFIX = 0xFD
"""Unique local addresses (RFC 4193): these eight bits, forty at random, a subnet of /64."""

#: (bits of its family's addresses, first address, prefix length)
Subnet = tuple[int, int, int]


def is_ipv6(address: str) -> bool:
    return ":" in address


def pack(address: str) -> bytes:
    """Four or sixteen bytes. Raises InvalidRequest."""
    family, kind = (socket.AF_INET6, "IPv6") if is_ipv6(address) else (socket.AF_INET, "IPv4")
    try:
        return socket.inet_pton(family, address)
    except (OSError, ValueError) as error:
        raise InvalidRequest(f'"{address}" is not an {kind} address') from error


def to_number(address: str) -> int:
    return int.from_bytes(pack(address), "big")


def to_text(number: int, bits: int = IPV4_BITS) -> str:
    if bits == IPV4_BITS:
        return socket.inet_ntoa(number.to_bytes(4, "big"))
    return socket.inet_ntop(socket.AF_INET6, number.to_bytes(16, "big"))


def canonical(address: str) -> str:
    """The one spelling of an address. Raises InvalidRequest."""
    packed = pack(address)
    return to_text(int.from_bytes(packed, "big"), len(packed) * 8)


def parse_subnet(text: str) -> Subnet:
    """`a.b.c.d/n` or `x:y::/n`. Raises InvalidRequest."""
    bits, number, length = _split(text)
    first = number & mask(length, bits)
    if number != first:
        raise InvalidRequest(f"{text} has host bits set", hint=f"The subnet is {to_text(first, bits)}/{length}.")
    return bits, first, length


def subnet_around(text: str) -> str:
    """As Docker, 10.1.2.3/24 means the network in which that address lies. Raises InvalidRequest."""
    bits, number, length = _split(text)
    return f"{to_text(number & mask(length, bits), bits)}/{length}"


def mask(prefix_length: int, bits: int = IPV4_BITS) -> int:
    return ((1 << bits) - 1) ^ ((1 << (bits - prefix_length)) - 1)


def broadcast(address: str, prefix_length: int) -> str:
    return to_text(to_number(address) | (~mask(prefix_length) & 0xFFFFFFFF))


def subnet_of(address: str, prefix_length: int) -> str:
    """The subnet that an address lies in, as text."""
    return subnet_around(f"{address}/{prefix_length}")


def contains(subnet: Subnet, address: str) -> bool:
    """Whether the address lies in the subnet. Raises InvalidRequest."""
    bits, first, length = subnet
    packed = pack(address)
    return len(packed) * 8 == bits and int.from_bytes(packed, "big") & mask(length, bits) == first


def overlap(one: Subnet, other: Subnet) -> bool:
    """Whether two subnets share an address."""
    if one[0] != other[0]:
        return False
    shorter = mask(min(one[2], other[2]), one[0])
    return one[1] & shorter == other[1] & shorter


def local_subnet() -> str:
    """A new IPv6 subnet for use within a site, all but certainly nobody else's."""
    return f"{socket.inet_ntop(socket.AF_INET6, bytes([_LOCAL_PREFIX]) + os.urandom(5) + bytes(10))}/64"


def mac_of(address: str) -> str:
    """A locally administered MAC that says the address, so that an address that is given to another container
    keeps its MAC and no neighbour table is wrong."""
    packed = pack(address)
    return "02:42:" + (packed if len(packed) == 4 else zlib.crc32(packed).to_bytes(4, "big")).hex(":")


def _split(text: str) -> tuple[int, int, int]:
    address, slash, length = text.partition("/")
    bits = IPV6_BITS if is_ipv6(address) else IPV4_BITS
    if not slash or not re.fullmatch(r"[0-9]{1,3}", length, re.ASCII) or int(length) > bits:
        raise InvalidRequest(f'"{text}" is not a subnet', hint="Give it as 172.29.0.0/16 or fd00:1::/64.")
    return bits, to_number(address), int(length)
