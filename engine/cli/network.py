"""`pydock network ls`, and docker's shape of a network."""

from __future__ import annotations

from .filters import matches_labels, parse_filters
from .listing import labels_text, print_rows
from .options import Command, flag, many, text
from .units import local_time, rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..engine import Engine
    from .context import Context
    from .options import Parsed

FILTERS = ("driver", "id", "label", "name")
COLUMNS = (("NETWORK ID", "ID"), ("NAME", "Name"), ("DRIVER", "Driver"), ("SCOPE", "Scope"))
HEADINGS = {
    **{field: title for title, field in COLUMNS},
    "CreatedAt": "CREATED AT",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
    "Subnet": "SUBNET",
}


def network_json(engine: Engine, name: str) -> dict[str, Any]:
    """docker's shape of a network, with the containers that are in it now."""
    network = engine.networks.get(name)
    members = {}
    for container in engine.containers.list():
        for endpoint in container.endpoints:
            if endpoint.network == network.name:
                members[container.id] = {
                    "Name": container.name,
                    "EndpointID": "",
                    "MacAddress": endpoint.mac,
                    "IPv4Address": f"{endpoint.address}/{endpoint.prefix_length}" if endpoint.address else "",
                    "IPv6Address": "",
                }
    config = [{"Subnet": network.subnet, "Gateway": network.gateway}] if network.subnet else []
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": rfc3339(network.created_ns),
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": config},
        "Internal": network.internal,
        "Attachable": False,
        "Ingress": False,
        "Containers": members,
        "Options": {"com.docker.network.bridge.name": network.bridge} if network.bridge else {},
        "Labels": dict(network.labels),
    }


def _list(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), FILTERS, "network ls")
    rows = []
    for network in sorted(context.engine.networks.list(), key=lambda network: network.name):
        if not matches_labels(filters.get("label", ()), network.labels):
            continue
        if network.driver not in filters.get("driver", (network.driver,)):
            continue
        if any(not network.id.startswith(value) for value in filters.get("id", ())):
            continue
        if any(value not in network.name for value in filters.get("name", ())):
            continue
        rows.append(
            {
                "CreatedAt": local_time(network.created_ns),
                "Driver": network.driver,
                "ID": network.id if options.flag("no-trunc") else network.id[:12],
                "Internal": "true" if network.internal else "false",
                "Labels": labels_text(network.labels),
                "Name": network.name,
                "Scope": "local",
                "Subnet": network.subnet,
            }
        )
    print_rows(rows, COLUMNS, HEADINGS, format=options.text("format"), quiet="ID" if options.flag("quiet") else "")
    return 0


COMMANDS = {
    "network ls": Command(
        "network ls",
        "",
        "List networks",
        _list,
        (
            many("-f, --filter", "KEY=VALUE", f"Filter output: {', '.join(FILTERS)}"),
            text("--format", "FORMAT", "table, json, 'table TEMPLATE' or a Go template"),
            flag("--no-trunc", "Don't truncate the output"),
            flag("-q, --quiet", "Only display network IDs"),
        ),
        maximum=0,
        aliases=("network list",),
    )
}
