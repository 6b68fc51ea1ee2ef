"""IPv4 arithmetic on dotted text: what `ipaddress` does, without its 10 ms of import."""

from __future__ import annotations

import re
import socket

from ..errors import InvalidRequest


def pack(address: str) -> bytes:
    """Four bytes. Raises InvalidRequest."""
    try:
        return socket.inet_pton(socket.AF_INET, address)
    except (OSError, ValueError) as error:
        raise InvalidRequest(f'"{address}" is not an IPv4 address') from error


def to_number(address: str) -> int:
    return int.from_bytes(pack(address), "big")


def to_text(number: int) -> str:
    return socket.inet_ntoa(number.to_bytes(4, "big"))


def parse_subnet(text: str) -> tuple[int, int]:
    """First address as a number, and prefix length, of `a.b.c.d/n`. Raises InvalidRequest."""
    address, slash, length = text.partition("/")
    if not slash or not re.fullmatch(r"[0-9]{1,2}", length, re.ASCII) or int(length) > 32:
        raise InvalidRequest(f'"{text}" is not a subnet', hint="Give it as 172.29.0.0/16.")
    number = to_number(address)
    if number & ~mask(int(length)) & 0xFFFFFFFF:
        first = to_text(number & mask(int(length)))
        raise InvalidRequest(f"{text} has host bits set", hint=f"The subnet is {first}/{length}.")
    return number, int(length)


def mask(prefix_length: int) -> int:
    return (0xFFFFFFFF << (32 - prefix_length)) & 0xFFFFFFFF


def broadcast(address: str, prefix_length: int) -> str:
    return to_text(to_number(address) | (~mask(prefix_length) & 0xFFFFFFFF))


def subnet_of(address: str, prefix_length: int) -> str:
    """The subnet that an address lies in, as text."""
    return f"{to_text(to_number(address) & mask(prefix_length))}/{prefix_length}"


def overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two subnets, as number and length, share an address."""
    shorter = mask(min(one[1], other[1]))
    return one[0] & shorter == other[0] & shorter


def mac_of(address: str) -> str:
    """A locally administered MAC that says the address, so that an address that is given to another container
    keeps its MAC and no neighbour table is wrong."""
    return "02:42:" + pack(address).hex(":")
