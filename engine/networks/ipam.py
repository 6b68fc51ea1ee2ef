"""Which address a container gets: the next after the last given, so that one is reused last.

Pure arithmetic; the caller holds the transaction in which the answer is written down, and the table's UNIQUE
constraint stands behind it.
"""

from __future__ import annotations

from ..errors import Conflict, EngineError, InvalidRequest
from .address import mask, parse_subnet, to_number, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def next_address(subnet: str, gateway: str, taken: set[str], last: str, ip_range: str = "") -> str:
    """A free address of `subnet`, or of the part of it that `ip_range` is. Skips the network's own, broadcast and
    gateway. Raises EngineError."""
    first, prefix_length = parse_subnet(subnet)
    size = 1 << (32 - prefix_length)
    low, high = (first + 1, first + size - 2) if prefix_length < 31 else (first, first + size - 1)
    unusable = {to_number(address) for address in taken}
    if gateway:
        unusable.add(to_number(gateway))
    if ip_range:
        range_first, range_length = parse_subnet(ip_range)
        low, high = max(low, range_first), min(high, range_first + (1 << (32 - range_length)) - 1)
    start = to_number(last) if last and low <= to_number(last) <= high else low - 1
    for step in range(1, high - low + 2):
        candidate = low + (start - low + step) % (high - low + 1)
        if candidate not in unusable:
            return to_text(candidate)
    raise EngineError(
        f"no free address left in {ip_range or subnet}",
        hint="Remove containers that are not needed, or use a larger subnet.",
    )


def check_fixed(address: str, subnet: str, gateway: str, taken: set[str]) -> str:
    """An address that was asked for. Raises InvalidRequest, Conflict when it is taken."""
    first, prefix_length = parse_subnet(subnet)
    number = to_number(address)
    if number & mask(prefix_length) != first:
        raise InvalidRequest(f"invalid address {address}: it does not belong to {subnet}")
    if prefix_length < 31 and number in (first, first | ~mask(prefix_length) & 0xFFFFFFFF):
        raise InvalidRequest(f"invalid address {address}: it stands for the whole of {subnet}")
    if address == gateway or address in taken:
        raise Conflict(f"address already in use: {address}")
    return address


def gateway_of(subnet: str) -> str:
    """The first usable address."""
    first, _ = parse_subnet(subnet)
    return to_text(first + 1)


def candidates() -> Iterator[str]:
    """Subnets for a network that asked for none: Docker's and others' habits are left to them, so the upper half
    of 172.16.0.0/12 first, then smaller ones of 10.0.0.0/8 for hosts where hundreds of engines are tried."""
    for second in (29, 30, 31, 28, 27, 26, 25, 24, 23, 22, 21, 20):
        yield f"172.{second}.0.0/16"
    for second in range(213, 224):
        for third in range(0, 256, 16):
            yield f"10.{second}.{third}.0/20"
