"""`pydock network connect, disconnect`."""

from __future__ import annotations

from ..models import NetworkAttachment
from .network_options import read_priority
from .options import Command, flag, many, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def _connect(context: Context, options: Parsed) -> int:
    network, container = options.arguments
    context.engine.containers.connect(
        container,
        NetworkAttachment(
            network=network,
            address=options.text("ip"),
            mac=options.text("mac-address"),
            aliases=options.many("alias"),
            address6=options.text("ip6"),
            links=options.many("link"),
            priority=read_priority(options.text("gw-priority"), options.command.name),
        ),
    )
    return 0


def _disconnect(context: Context, options: Parsed) -> int:
    network, container = options.arguments
    context.engine.containers.disconnect(container, network)
    return 0


COMMANDS = {
    "network connect": Command(
        "network connect",
        "NETWORK CONTAINER",
        "Connect a container to a network",
        _connect,
        (
            many("--alias", "NAME", "Add a further name of the container in this network"),
            text("--gw-priority", "NUMBER", "Of a container's networks, the highest has its default route"),
            text("--ip", "ADDRESS", "IPv4 address (e.g., 172.30.100.104)"),
            text("--ip6", "ADDRESS", "IPv6 address (e.g., fd00:1::104)"),
            many("--link", "CONTAINER[:ALIAS]", "Know another container by a name in this network"),
            text("--mac-address", "MAC", "MAC address (e.g., 92:d0:c6:0a:29:33)"),
        ),
        minimum=2,
        maximum=2,
    ),
    "network disconnect": Command(
        "network disconnect",
        "NETWORK CONTAINER",
        "Disconnect a container from a network",
        _disconnect,
        (flag("-f, --force", "Accepted for docker's sake: a container is always disconnected at once"),),
        minimum=2,
        maximum=2,
    ),
}
