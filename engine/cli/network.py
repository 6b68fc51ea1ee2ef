"""`pydock network create, ls, reload`."""

from __future__ import annotations

from ..networks.driver_options import KNOWN
from ..networks.rows import PREDEFINED
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

FILTERS = ("dangling", "driver", "id", "label", "name", "scope", "type")
COLUMNS = (("NETWORK ID", "ID"), ("NAME", "Name"), ("DRIVER", "Driver"), ("SCOPE", "Scope"))
HEADINGS = {
    **{field: title for title, field in COLUMNS},
    "CreatedAt": "CREATED AT",
    "IPv4": "IPV4",
    "IPv6": "IPV6",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
    "Subnet": "SUBNET",
}


def _create(context: Context, options: Parsed) -> int:
    subnets, gateways, ranges = (_by_family(options, name) for name in ("subnet", "gateway", "ip-range"))
    network = context.engine.networks.create(
        options.arguments[0],
        driver=options.text("driver"),
        subnet=subnets[0],
        gateway=gateways[0],
        ip_range=ranges[0],
        internal=options.flag("internal"),
        labels=read_labels(options.many("label"), ()),
        options=_pairs(options, "opt", "-o, --opt"),
        ipv4=options.flag("ipv4"),
        ipv6=options.flag("ipv6"),
        subnet6=subnets[1],
        gateway6=gateways[1],
        ip_range6=ranges[1],
        reserved=_pairs(options, "aux-address", "--aux-address"),
        attachable=options.flag("attachable"),
    )
    print(network.id)
    return 0


def _by_family(options: Parsed, name: str) -> tuple[str, str]:
    """What was given for IPv4 and for IPv6, each once."""
    found = ["", ""]
    for given in options.many(name):
        for value in given.split(","):
            index = 1 if ":" in value else 0
            if found[index]:
                raise UsageError(
                    f'invalid argument "{value}" for "--{name}" flag: one of each family is supported', "network create"
                )
            found[index] = value
    return found[0], found[1]


def _reload(context: Context, options: Parsed) -> int:
    for name in context.engine.networks.reload(list(options.arguments)):
        print(name)
    return 0


def _pairs(options: Parsed, name: str, spelled: str) -> dict[str, str]:
    found = {}
    for given in options.many(name):
        key, equals, value = given.partition("=")
        if not key or not equals:
            raise UsageError(f'invalid argument "{given}" for "{spelled}" flag: written as KEY=VALUE', "network create")
        found[key] = value
    return found


def _list(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), FILTERS, "network ls")
    dangling = _truth(filters.get("dangling", ()))
    used = context.engine.networks.used() if dangling is not None else set()
    rows = []
    for network in sorted(context.engine.networks.list(), key=lambda network: network.name):
        if not matches_labels(filters.get("label", ()), network.labels):
            continue
        if network.driver not in filters.get("driver", (network.driver,)):
            continue
        if not any(network.id.startswith(value) for value in filters.get("id", ("",))):
            continue
        if not any(value in network.name for value in filters.get("name", ("",))):
            continue
        if ("builtin" if network.name in PREDEFINED else "custom") not in filters.get("type", ("builtin", "custom")):
            continue
        if "local" not in filters.get("scope", ("local",)):
            continue
        if dangling is not None and dangling != (network.name not in PREDEFINED and network.name not in used):
            continue
        rows.append(
            {
                "CreatedAt": local_time(network.created_ns),
                "Driver": network.driver,
                "ID": network.id if options.flag("no-trunc") else network.id[:12],
                "IPv4": "true" if network.ipv4 else "false",
                "IPv6": "true" if network.ipv6 else "false",
                "Internal": "true" if network.internal else "false",
                "Labels": labels_text(network.labels),
                "Name": network.name,
                "Scope": "local",
                "Subnet": ", ".join(one for one in (network.subnet, network.subnet6) if one),
            }
        )
    print_rows(rows, COLUMNS, HEADINGS, format=options.text("format"), quiet="ID" if options.flag("quiet") else "")
    return 0


def _truth(values: tuple[str, ...] | list[str]) -> bool | None:
    for value in values:
        if value not in ("true", "1", "false", "0"):
            raise UsageError(f"invalid filter 'dangling={value}'", "network ls")
    return values[-1] in ("true", "1") if values else None


def _known_options() -> str:
    return "; ".join(f"of {driver} {', '.join(known)}" for driver, known in KNOWN.items())


COMMANDS = {
    "network create": Command(
        "network create",
        "NETWORK",
        "Create a network",
        _create,
        (
            flag("--attachable", "Accepted for docker's sake: containers can join every network"),
            many("--aux-address", "NAME=ADDRESS", "An address that no container gets"),
            text("-d, --driver", "DRIVER", f"Driver to manage the network: {', '.join(KNOWN)}", default="bridge"),
            many("--gateway", "ADDRESS", "Gateway for the subnet, of IPv4 or IPv6"),
            flag("--internal", "Restrict external access to the network"),
            many("--ip-range", "RANGE", "Give containers addresses from this part of the subnet"),
            flag("--ipv4", "Give containers IPv4 addresses", default=True),
            flag("--ipv6", "Give containers IPv6 addresses, of a unique local subnet unless one is given"),
            many("--label", "KEY=VALUE", "Set metadata on a network"),
            many("-o, --opt", "KEY=VALUE", f"Driver options: {_known_options()}"),
            many("--subnet", "SUBNET", "Subnet in CIDR format, such as 172.28.0.0/16 or fd00:1::/64"),
        ),
        minimum=1,
        maximum=1,
    ),
    "network reload": Command(
        "network reload",
        "[NETWORK...]",
        "Make bridges and firewall rules again as the containers that run need them",
        _reload,
        description="After another program has flushed the firewall or deleted a bridge. Containers run on.",
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
