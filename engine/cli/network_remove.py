"""`pydock network rm, prune`."""

from __future__ import annotations

import sys

from ..errors import EngineError
from .border import refusal
from .filters import matches_labels, parse_filters
from .lifecycle import for_each
from .options import Command, flag, many
from .prune import confirmed
from .units import parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Network
    from .context import Context
    from .options import Parsed


def _remove(context: Context, options: Parsed) -> int:
    if not options.flag("force"):
        return for_each(options.arguments, context.engine.networks.remove)
    return _remove_those_there(context, options.arguments)


def _remove_those_there(context: Context, names: list[str]) -> int:
    """With force a network that is not there is as good as removed."""
    from ..errors import NetworkNotFound

    failed = False
    for name in names:
        try:
            context.engine.networks.remove(name)
        except NetworkNotFound:
            continue
        except EngineError as error:
            failed = True
            sys.stderr.write(refusal(error) + "\n")
        else:
            print(name, flush=True)
    return 1 if failed else 0


def _prune(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), ("label", "until"), "network prune")
    if not options.flag("force") and not confirmed("This will remove all custom networks not used by a container."):
        return 1
    until_ns = max((parse_time(value, "--filter until") for value in filters.get("until", ())), default=0)

    def chosen(network: Network) -> bool:
        in_time = not until_ns or network.created_ns < until_ns
        return in_time and matches_labels(filters.get("label", ()), network.labels)

    removed = context.engine.networks.prune(chosen)
    if removed:
        print("Deleted Networks:", *removed, "", sep="\n")
    return 0


COMMANDS = {
    "network rm": Command(
        "network rm",
        "NETWORK [NETWORK...]",
        "Remove one or more networks",
        _remove,
        (flag("-f, --force", "Do not error if the network does not exist"),),
        minimum=1,
        aliases=("network remove",),
    ),
    "network prune": Command(
        "network prune",
        "",
        "Remove all unused networks",
        _prune,
        (
            many("--filter", "KEY=VALUE", "Only those: until=TIME, label=KEY[=VALUE]"),
            flag("-f, --force", "Do not prompt for confirmation"),
        ),
        maximum=0,
    ),
}
