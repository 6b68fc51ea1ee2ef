"""`pydock network create, ls`."""

from __future__ import annotations

from ..networks.driver_options import KNOWN
from .environment import read_labels
from .errors import UsageError
from .filters import matches_labels, parse_filters
from .listing import labels_text, print_rows
from .options import Command, flag, many, text
from .units import local_time

TYPE_CHECKING = False
if TYPE_CHECKING:
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


def _create(context: Context, options: Parsed) -> int:
    network = context.engine.networks.create(
        options.arguments[0],
        driver=options.text("driver"),
        subnet=options.text("subnet"),
        gateway=options.text("gateway"),
        ip_range=options.text("ip-range"),
        internal=options.flag("internal"),
        labels=read_labels(options.many("label"), ()),
        options=_driver_options(options),
    )
    print(network.id)
    return 0


def _driver_options(options: Parsed) -> dict[str, str]:
    found = {}
    for given in options.many("opt"):
        key, equals, value = given.partition("=")
        if not key or not equals:
            raise UsageError(f'invalid argument "{given}" for "-o, --opt" flag: written as KEY=VALUE', "network create")
        found[key] = value
    return found


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
    "network create": Command(
        "network create",
        "NETWORK",
        "Create a network",
        _create,
        (
            text("-d, --driver", "DRIVER", "Driver to manage the network: bridge", default="bridge"),
            text("--gateway", "ADDRESS", "IPv4 gateway for the subnet"),
            flag("--internal", "Restrict external access to the network"),
            text("--ip-range", "RANGE", "Give containers addresses from this part of the subnet"),
            many("--label", "KEY=VALUE", "Set metadata on a network"),
            many("-o, --opt", "KEY=VALUE", f"Driver options: {', '.join(KNOWN)}"),
            text("--subnet", "SUBNET", "Subnet in CIDR format, such as 172.28.0.0/16"),
        ),
        minimum=1,
        maximum=1,
    ),
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
    ),
}
