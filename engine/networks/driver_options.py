"""The options of the bridge driver, by Docker's names. One that is not known here is refused, not forgotten."""

from __future__ import annotations

import re

from ..errors import InvalidRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Network

NAME = "com.docker.network.bridge.name"
ICC = "com.docker.network.bridge.enable_icc"
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
HOST_BINDING = "com.docker.network.bridge.host_binding_ipv4"
MTU = "com.docker.network.driver.mtu"
KNOWN = (NAME, ICC, MASQUERADE, HOST_BINDING, MTU)

_TRUTHS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
_MTU_LEAST, _MTU_MOST = 68, 65535


def check(options: dict[str, str]) -> None:
    """Raises InvalidRequest for an option that is not known, or a value that does not fit it."""
    for key, value in options.items():
        if key not in KNOWN:
            raise InvalidRequest(f"unknown option {key} of the bridge driver", hint=f"Known: {', '.join(KNOWN)}.")
        if key in (ICC, MASQUERADE) and value.lower() not in _TRUTHS:
            raise InvalidRequest(f'{key}: "{value}" is neither true nor false')
        if key == MTU and not (re.fullmatch(r"[0-9]{1,5}", value, re.ASCII) and _MTU_LEAST <= int(value) <= _MTU_MOST):
            raise InvalidRequest(f'{key}: "{value}" is not a number from {_MTU_LEAST} to {_MTU_MOST}')
        if key == NAME and not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}", value, re.ASCII):
            raise InvalidRequest(f'{key}: "{value}" is not a name for an interface, which has up to 15 characters')
        if key == HOST_BINDING:
            from .address import pack

            pack(value)


def isolated(network: Network) -> bool:
    """Whether the network's containers are to be out of each other's reach."""
    return not _TRUTHS[network.options.get(ICC, "true").lower()]


def masquerade(network: Network) -> bool:
    return _TRUTHS[network.options.get(MASQUERADE, "true").lower()]


def mtu(network: Network) -> int:
    return int(network.options.get(MTU, "0"))


def host_binding(network: Network) -> str:
    """The host's address for ports that are published without one."""
    return network.options.get(HOST_BINDING, "")
