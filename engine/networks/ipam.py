"""Which address a container gets: the next after the last given, so that one is reused last.

Pure arithmetic, the same for both families; the caller holds the transaction in which the answer is written down, and
the table's UNIQUE constraint stands behind it.
"""

from __future__ import annotations

from ..errors import Conflict, EngineError, InvalidRequest
from .address import IPV4_BITS, canonical, contains, parse_subnet, to_number, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .address import Subnet


def next_address(subnet: str, gateway: str, taken: set[str], last: str, ip_range: str = "") -> str:
    """A free address of `subnet`, or of the part of it that `ip_range` is. Skips the network's own, broadcast and
    gateway. Raises EngineError."""
    parsed = parse_subnet(subnet)
    bits = parsed[0]
    low, high = _usable(parsed)
    unusable = {to_number(address) for address in taken}
    if gateway:
        unusable.add(to_number(gateway))
    if ip_range:
        _, range_first, range_length = parse_subnet(ip_range)
        low, high = max(low, range_first), min(high, range_first + (1 << (bits - range_length)) - 1)
    start = to_number(last) if last and contains(parsed, last) and low <= to_number(last) <= high else low - 1
    for step in range(1, min(high - low + 1, len(unusable) + 1) + 1):
        candidate = low + (start - low + step) % (high - low + 1)
        if candidate not in unusable:
            return to_text(candidate, bits)
    raise EngineError(
        f"no free address left in {ip_range or subnet}",
        hint="Remove containers that are not needed, or use a larger subnet.",
    )


def check_fixed(address: str, subnet: str, gateway: str, taken: set[str]) -> str:
    """An address that was asked for, in its one spelling. Raises InvalidRequest, Conflict when it is taken."""
    parsed = parse_subnet(subnet)
    if not contains(parsed, address):
        raise InvalidRequest(f"invalid address {address}: it does not belong to {subnet}")
    low, high = _usable(parsed)
    address = canonical(address)
    if not low <= to_number(address) <= high:
        raise InvalidRequest(f"invalid address {address}: it stands for the whole of {subnet}")
    if address == gateway or address in taken:
        raise Conflict(f"address already in use: {address}")
    return address


def gateway_of(subnet: str) -> str:
    """The first usable address."""
    bits, first, _ = parse_subnet(subnet)
    return to_text(first + 1, bits)


def candidates() -> Iterator[str]:
    """Subnets for a network that asked for none: Docker's and others' habits are left to them, so the upper half
    of 172.16.0.0/12 first, then smaller ones of 10.0.0.0/8 for hosts where hundreds of engines are tried."""
    for second in (29, 30, 31, 28, 27, 26, 25, 24, 23, 22, 21, 20):
        yield f"172.{second}.0.0/16"
    for second in range(213, 224):
        for third in range(0, 256, 16):
            yield f"10.{second}.{third}.0/20"


def _usable(subnet: Subnet) -> tuple[int, int]:
    """First and last address for interfaces. IPv6 has no broadcast; its first address is every router's."""
    bits, first, length = subnet
    last = first + (1 << (bits - length)) - 1
    if bits - length < 2:
        return first, last
    return first + 1, last - (1 if bits == IPV4_BITS else 0)
