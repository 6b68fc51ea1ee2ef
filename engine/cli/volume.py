"""`pydock volume create, ls, rm`."""

from __future__ import annotations

from .environment import read_labels
from .filters import matches_labels, parse_filters
from .lifecycle import for_each
from .listing import labels_text, print_rows
from .options import Command, flag, many, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed

FILTERS = ("dangling", "driver", "label", "name")
COLUMNS = (("DRIVER", "Driver"), ("VOLUME NAME", "Name"))
HEADINGS = {
    "Driver": "DRIVER",
    "Labels": "LABELS",
    "Mountpoint": "MOUNTPOINT",
    "Name": "VOLUME NAME",
    "Scope": "SCOPE",
}


def _create(context: Context, options: Parsed) -> int:
    name = options.arguments[0] if options.arguments else ""
    labels = read_labels(options.many("label"), ())
    print(context.engine.volumes.create(name, labels=labels).name)
    return 0


def _list(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), FILTERS, "volume ls")
    engine = context.engine
    used = {
        mount.source
        for container in (engine.containers.list(all=True) if "dangling" in filters else ())
        for mount in container.mounts
        if mount.type == "volume"
    }
    rows = []
    for volume in sorted(engine.volumes.list(), key=lambda volume: volume.name):
        if not matches_labels(filters.get("label", ()), volume.labels):
            continue
        if any(name not in volume.name for name in filters.get("name", ())):
            continue
        if any(driver != "local" for driver in filters.get("driver", ())):
            continue
        if any((volume.name not in used) != (value in ("true", "1")) for value in filters.get("dangling", ())):
            continue
        rows.append(
            {
                "Driver": "local",
                "Labels": labels_text(volume.labels),
                "Mountpoint": volume.path,
                "Name": volume.name,
                "Scope": "local",
            }
        )
    print_rows(rows, COLUMNS, HEADINGS, format=options.text("format"), quiet="Name" if options.flag("quiet") else "")
    return 0


def _remove(context: Context, options: Parsed) -> int:
    return for_each(options.arguments, context.engine.volumes.remove)


COMMANDS = {
    "volume create": Command(
        "volume create",
        "[VOLUME]",
        "Create a volume",
        _create,
        (many("--label", "KEY=VALUE", "Set metadata for a volume"),),
        maximum=1,
    ),
    "volume ls": Command(
        "volume ls",
        "",
        "List volumes",
        _list,
        (
            many("-f, --filter", "KEY=VALUE", f"Filter output: {', '.join(FILTERS)}"),
            text("--format", "FORMAT", "table, json, 'table TEMPLATE' or a Go template"),
            flag("-q, --quiet", "Only display volume names"),
        ),
        maximum=0,
        aliases=("volume list",),
    ),
    "volume rm": Command(
        "volume rm",
        "VOLUME [VOLUME...]",
        "Remove one or more volumes",
        _remove,
        minimum=1,
        aliases=("volume remove",),
    ),
}
