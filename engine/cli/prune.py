"""`pydock container prune`: remove all stopped containers."""

from __future__ import annotations

import sys

from ..errors import EngineError
from .border import refusal
from .filters import matches_labels, parse_filters
from .options import Command, flag, many
from .units import decimal_size, parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed


def prune_containers(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), ("label", "until"), "container prune")
    if not options.flag("force") and not confirmed("This will remove all stopped containers."):
        return 1
    engine = context.engine
    until_ns = max((parse_time(value, "--filter until") for value in filters.get("until", ())), default=0)
    deleted, freed = [], 0
    for container in engine.containers.list(all=True):
        if container.state not in ("created", "exited", "dead"):
            continue
        if not matches_labels(filters.get("label", ()), container.labels):
            continue
        if until_ns and container.created_ns >= until_ns:
            continue
        size = engine.containers.sizes(container.id)[0]
        try:
            engine.containers.remove(container.id)
        except EngineError as error:
            sys.stderr.write(refusal(error) + "\n")
            continue
        deleted.append(container.id)
        freed += size
    if deleted:
        print("Deleted Containers:", *deleted, "", sep="\n")
    print(f"Total reclaimed space: {decimal_size(freed, 4)}")
    return 0


def confirmed(warning: str) -> bool:
    """Whether the person at the terminal says yes."""
    sys.stderr.write(f"WARNING! {warning}\nAre you sure you want to continue? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


COMMANDS = {
    "container prune": Command(
        "container prune",
        "",
        "Remove all stopped containers",
        prune_containers,
        (
            many("--filter", "KEY=VALUE", "Only those: until=TIME, label=KEY[=VALUE]"),
            flag("-f, --force", "Do not prompt for confirmation"),
        ),
        maximum=0,
    )
}
