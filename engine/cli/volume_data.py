"""`pydock volume prune, export, import`."""

from __future__ import annotations

from .files import opened, write_out
from .filters import matches_labels, parse_filters
from .options import Command, flag, many, text
from .prune import confirmed
from .units import decimal_size
from .volume import shown_labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Volume
    from .context import Context
    from .options import Parsed


def _prune(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), ("all", "label", "label!"), "volume prune")
    everything = options.flag("all") or any(value in ("1", "true") for value in filters.get("all", ()))
    what = "all local volumes" if everything else "anonymous local volumes"
    if not options.flag("force") and not confirmed(f"This will remove {what} not used by at least one container."):
        return 1

    def wanted(volume: Volume) -> bool:
        labels = shown_labels(volume)
        unwanted = filters.get("label!", ())
        return matches_labels(filters.get("label", ()), labels) and not any(
            matches_labels([text], labels) for text in unwanted
        )

    # also of another engine: the older ones, told to prune, delete named volumes too
    deleted, freed = context.engine.volumes.prune(all=everything, wanted=wanted)
    if deleted:
        print("Deleted Volumes:", *deleted, "", sep="\n")
    print(f"Total reclaimed space: {decimal_size(freed, 4)}")
    return 0


def _export(context: Context, options: Parsed) -> int:
    pieces = context.engine.volumes.export(options.arguments[0])
    write_out(pieces, options.text("output"))
    return 0


def _import(context: Context, options: Parsed) -> int:
    name, source = options.arguments[0], options.arguments[1] if len(options.arguments) > 1 else "-"
    with opened(source) as file:
        context.engine.volumes.import_archive(name, file.read)
    print(name)
    return 0


COMMANDS = {
    "volume prune": Command(
        "volume prune",
        "",
        "Remove unused local volumes",
        _prune,
        (
            flag("-a, --all", "Remove all unused volumes, not just anonymous ones"),
            many("--filter", "KEY=VALUE", "Only those: label=KEY[=VALUE], label!=KEY[=VALUE]"),
            flag("-f, --force", "Do not prompt for confirmation"),
        ),
        maximum=0,
    ),
    "volume export": Command(
        "volume export",
        "VOLUME",
        "Write a volume's files as a tar archive",
        _export,
        (text("-o, --output", "FILE", "Write to a file instead of standard output"),),
        minimum=1,
        maximum=1,
    ),
    "volume import": Command(
        "volume import",
        "VOLUME [FILE|-]",
        "Unpack a tar archive into a volume, over what is there",
        _import,
        minimum=1,
        maximum=2,
    ),
}
