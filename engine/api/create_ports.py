"""The published and the exposed ports of a create body."""

from __future__ import annotations

from ..models import PortMapping
from .errors import ApiError
from .fields import Fields


def read_ports(host: Fields) -> tuple[PortMapping, ...]:
    mappings = []
    bindings = host.fields("PortBindings")
    for port in bindings.names():
        number, _, protocol = port.partition("/")
        for binding in bindings.objects(port) or [Fields({}, port)]:
            first, last = _range(number, port)
            text = binding.text("HostPort")
            host_first, host_last = _range(text, port) if text else (0, 0)
            # one container port takes the first of a range of the host's
            if text and host_last - host_first != last - first and last != first:
                raise ApiError(400, f"invalid port specification: {text}:{port}")
            for offset in range(last - first + 1):
                mappings.append(
                    PortMapping(
                        container_port=first + offset,
                        protocol=protocol or "tcp",
                        host_ip=binding.text("HostIp"),
                        host_port=host_first + offset if host_first else 0,
                        host_port_last=host_last if first == last and host_last > host_first else 0,
                    )
                )
    return tuple(mappings)


def read_exposed(config: Fields) -> tuple[str, ...]:
    """The keys of `ExposedPorts`, each as "80/tcp"."""
    found = []
    for port in config.fields("ExposedPorts").names():
        number, _, protocol = port.partition("/")
        first, last = _range(number, port)
        found += [f"{one}/{protocol or 'tcp'}" for one in range(first, last + 1)]
    return tuple(found)


def _range(text: str, whole: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    try:
        numbers = int(first), int(last) if dash else int(first)
    except ValueError:
        raise ApiError(400, f"invalid port specification: {whole!r}") from None
    if not 0 <= numbers[0] <= numbers[1] <= 65535:
        raise ApiError(400, f"invalid port specification: {whole!r}")
    return numbers
