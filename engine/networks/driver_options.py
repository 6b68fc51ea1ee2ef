"""The options of the drivers, by Docker's names. One that is not known here is refused, not forgotten."""

from __future__ import annotations

import re

from ..errors import InvalidRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..models import Network

NAME = "com.docker.network.bridge.name"
ICC = "com.docker.network.bridge.enable_icc"
MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
HOST_BINDING = "com.docker.network.bridge.host_binding_ipv4"
MODE4 = "com.docker.network.bridge.gateway_mode_ipv4"
MODE6 = "com.docker.network.bridge.gateway_mode_ipv6"
INHIBIT4 = "com.docker.network.bridge.inhibit_ipv4"
TRUSTED = "com.docker.network.bridge.trusted_host_interfaces"
SOURCE4 = "com.docker.network.host_ipv4"
SOURCE6 = "com.docker.network.host_ipv6"
PREFIX = "com.docker.network.container_iface_prefix"
MTU = "com.docker.network.driver.mtu"
PARENT, MACVLAN_MODE, IPVLAN_MODE, IPVLAN_FLAG = "parent", "macvlan_mode", "ipvlan_mode", "ipvlan_flag"

MODES = ("nat", "routed", "nat-unprotected", "isolated")
MACVLAN_MODES = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
IPVLAN_MODES = {"l2": 0, "l3": 1, "l3s": 2}
IPVLAN_FLAGS = {"bridge": 0, "private": 1, "vepa": 2}

_TRUTHS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
_MTU_LEAST, _MTU_MOST = 68, 65535
_INTERFACE = r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}"


def check(driver: str, options: dict[str, str], *, internal: bool = False) -> None:
    """Raises InvalidRequest for an option that is not known, or a value that does not fit it."""
    known = KNOWN[driver]
    for key, value in options.items():
        if key not in known:
            raise InvalidRequest(f"unknown option {key} of the {driver} driver", hint=f"Known: {', '.join(known)}.")
        known[key](key, value)
    for key in (MODE4, MODE6):
        if options.get(key) == "isolated" and not internal:
            raise InvalidRequest(f"{key}: isolated is for internal networks", hint="Add --internal.")


def isolated(network: Network) -> bool:
    """Whether the network's containers are to be out of each other's reach."""
    return network.driver == "bridge" and not _truth(network, ICC, default=True)


def masquerade(network: Network) -> bool:
    return _truth(network, MASQUERADE, default=True)


def mtu(network: Network) -> int:
    return int(network.options.get(MTU, "0"))


def host_binding(network: Network) -> str:
    """The host's address for ports that are published without one."""
    return network.options.get(HOST_BINDING, "")


def way_in(network: Network, *, ipv6: bool = False) -> str:
    return network.options.get(MODE6 if ipv6 else MODE4, "nat")


def without_address(network: Network, *, ipv6: bool = False) -> bool:
    """Whether the host is to have no address in the network."""
    return way_in(network, ipv6=ipv6) == "isolated" or (not ipv6 and _truth(network, INHIBIT4, default=False))


def source(network: Network, *, ipv6: bool = False) -> str:
    """The host's address that packets leave with, "" for the one of the way they take."""
    return network.options.get(SOURCE6 if ipv6 else SOURCE4, "")


def trusted(network: Network) -> tuple[str, ...]:
    return tuple(name for name in network.options.get(TRUSTED, "").split(":") if name)


def interface_prefix(network: Network) -> str:
    return network.options.get(PREFIX, "eth")


def parent(network: Network) -> str:
    return network.options.get(PARENT, "")


def mode(network: Network) -> str:
    """How the interfaces on one parent see each other; of ipvlan with its flag, as "l2 private"."""
    if network.driver == "ipvlan":
        flag = network.options.get(IPVLAN_FLAG, "bridge")
        return f"{network.options.get(IPVLAN_MODE, 'l2')} {flag}"
    return network.options.get(MACVLAN_MODE, "bridge")


def _truth(network: Network, key: str, *, default: bool) -> bool:
    return _TRUTHS[network.options[key].lower()] if key in network.options else default


def _check_truth(key: str, value: str) -> None:
    if value.lower() not in _TRUTHS:
        raise InvalidRequest(f'{key}: "{value}" is neither true nor false')


def _check_mtu(key: str, value: str) -> None:
    if not (re.fullmatch(r"[0-9]{1,5}", value, re.ASCII) and _MTU_LEAST <= int(value) <= _MTU_MOST):
        raise InvalidRequest(f'{key}: "{value}" is not a number from {_MTU_LEAST} to {_MTU_MOST}')


def _check_name(key: str, value: str) -> None:
    if not re.fullmatch(_INTERFACE, value, re.ASCII):
        raise InvalidRequest(f'{key}: "{value}" is not a name for an interface, which has up to 15 characters')


def _check_names(key: str, value: str) -> None:
    for name in value.split(":"):
        _check_name(key, name)


def _check_prefix(key: str, value: str) -> None:
    # Room for a number, and none of the names that the kernel makes up by itself.
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.-]{0,11}", value, re.ASCII) or value == "lo":
        raise InvalidRequest(f'{key}: "{value}" is not the beginning of an interface\'s name')


def _check_ipv4(key: str, value: str) -> None:
    from .address import is_ipv6, pack

    if is_ipv6(value):
        raise InvalidRequest(f'{key}: "{value}" is not an IPv4 address')
    pack(value)


def _check_ipv6(key: str, value: str) -> None:
    from .address import is_ipv6, pack

    if not is_ipv6(value):
        raise InvalidRequest(f'{key}: "{value}" is not an IPv6 address')
    pack(value)


def _one_of(*values: str) -> Callable[[str, str], None]:
    def check_value(key: str, value: str) -> None:
        if value not in values:
            raise InvalidRequest(f'{key}: "{value}" is none of {", ".join(values)}')

    return check_value


KNOWN: dict[str, dict[str, Callable[[str, str], None]]] = {
    "bridge": {
        NAME: _check_name,
        ICC: _check_truth,
        MASQUERADE: _check_truth,
        HOST_BINDING: _check_ipv4,
        MODE4: _one_of(*MODES),
        MODE6: _one_of(*MODES),
        INHIBIT4: _check_truth,
        TRUSTED: _check_names,
        SOURCE4: _check_ipv4,
        SOURCE6: _check_ipv6,
        PREFIX: _check_prefix,
        MTU: _check_mtu,
    },
    "macvlan": {PARENT: _check_name, MACVLAN_MODE: _one_of(*MACVLAN_MODES), PREFIX: _check_prefix, MTU: _check_mtu},
    "ipvlan": {
        PARENT: _check_name,
        IPVLAN_MODE: _one_of(*IPVLAN_MODES),
        IPVLAN_FLAG: _one_of(*IPVLAN_FLAGS),
        PREFIX: _check_prefix,
        MTU: _check_mtu,
    },
}
