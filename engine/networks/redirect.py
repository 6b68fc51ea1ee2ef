"""Leads questions to the name service's address, inside a container, to the sockets that answer them.

The sockets have ports of their own: port 53 stays free for a name server that is the container's very purpose and
binds every address.
"""

from __future__ import annotations

from .nftables import run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Endpoint

NAME_SERVER = "127.0.0.11"
_TABLE = "pydock_names"


def has_names(endpoint: Endpoint) -> bool:
    """Whether containers find each other by name there: on every network but the first, as in Docker."""
    return endpoint.network != "bridge"


def redirect_names(udp_port: int, tcp_port: int) -> None:
    """For the network namespace that the calling thread is in. Raises NftError, HostUnfit."""
    run(f"""\
add table ip {_TABLE}
add chain ip {_TABLE} output {{ type nat hook output priority -100; }}
add rule ip {_TABLE} output ip daddr {NAME_SERVER} udp dport 53 dnat to {NAME_SERVER}:{udp_port}
add rule ip {_TABLE} output ip daddr {NAME_SERVER} tcp dport 53 dnat to {NAME_SERVER}:{tcp_port}
""")
