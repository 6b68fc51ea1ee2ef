"""`-p`: [host address:][host port[-last]:]container port[-last][/protocol]."""

from __future__ import annotations

from ..models import PortMapping
from .errors import UsageError

PROTOCOLS = ("tcp", "udp", "sctp")


def parse_ports(values: tuple[str, ...]) -> tuple[PortMapping, ...]:
    """All mappings of all `-p` options; ranges are spread out."""
    return tuple(mapping for value in values for mapping in _parse(value))


def parse_exposed(values: tuple[str, ...]) -> tuple[str, ...]:
    """All ports of all `--expose` options, each as "80/tcp"."""
    found = []
    for text in values:
        rest, slash, protocol = text.partition("/")
        protocol = protocol.lower() if slash else "tcp"
        try:
            if protocol not in PROTOCOLS:
                raise _invalid(text, f"unknown protocol {protocol!r}")
            found += [f"{port}/{protocol}" for port in _range(text, rest, "port")]
        except UsageError as error:
            raise UsageError(error.message.replace("-p, --publish", "--expose"), "run") from None
    return tuple(dict.fromkeys(found))


def _parse(text: str) -> list[PortMapping]:
    rest, slash, protocol = text.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in PROTOCOLS:
        raise _invalid(text, f"unknown protocol {protocol!r}")
    host_ip = ""
    if rest.startswith("["):
        host_ip, bracket, rest = rest[1:].partition("]")
        if not bracket or not rest.startswith(":"):
            raise _invalid(text, "an IPv6 address is written [::1]:8080:80")
        rest = rest[1:]
        parts = rest.split(":")
        if len(parts) == 1:
            parts = ["", *parts]
    else:
        parts = rest.split(":")
        if len(parts) == 3:
            host_ip, parts = parts[0], parts[1:]
    if len(parts) > 2:
        raise _invalid(text, "too many colons; an IPv6 address is written [::1]:8080:80")
    if host_ip and not _is_address(host_ip):
        raise _invalid(text, f"{host_ip!r} is no IP address")
    container = _range(text, parts[-1], "container port")
    host = _range(text, parts[0], "host port") if len(parts) == 2 and parts[0] else []
    if len(container) == 1 and len(host) > 1:  # the first of them that is free
        last = host[-1]
        return [
            PortMapping(
                container_port=container[0], protocol=protocol, host_ip=host_ip, host_port=host[0], host_port_last=last
            )
        ]
    if host and len(host) != len(container):
        raise _invalid(text, "the two ranges differ in length")
    return [
        PortMapping(container_port=port, protocol=protocol, host_ip=host_ip, host_port=host[index] if host else 0)
        for index, port in enumerate(container)
    ]


def _range(text: str, part: str, what: str) -> list[int]:
    first, dash, last = part.partition("-")
    numbers = []
    for word in (first, last) if dash else (first,):
        if not (word.isascii() and word.isdigit()) or not 0 < int(word) < 65536:
            raise _invalid(text, f"{what} {word!r} is not a number from 1 to 65535")
        numbers.append(int(word))
    if numbers[-1] < numbers[0]:
        raise _invalid(text, f"the range {part} runs backwards")
    return list(range(numbers[0], numbers[-1] + 1))


def _is_address(text: str) -> bool:
    import socket

    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except OSError:
            continue
        return True
    return False


def _invalid(text: str, why: str) -> UsageError:
    return UsageError(f'invalid argument "{text}" for "-p, --publish" flag: {why}', "run")
