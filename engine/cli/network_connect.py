"""`pydock network connect, disconnect`."""

from __future__ import annotations

from ..models import NetworkAttachment
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
            text("--ip", "ADDRESS", "IPv4 address (e.g., 172.30.100.104)"),
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
