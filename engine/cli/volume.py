"""`pydock volume create, ls, rm`."""

from __future__ import annotations

from .environment import read_labels
from .errors import UsageError
from .filters import matches_labels, parse_filters
from .lifecycle import for_each
from .listing import labels_text, print_rows
from .options import Command, flag, many, text
from .units import decimal_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Volume
    from .context import Context
    from .options import Parsed

FILTERS = ("dangling", "driver", "label", "name")
ANONYMOUS = "com.docker.volume.anonymous"
COLUMNS = (("DRIVER", "Driver"), ("VOLUME NAME", "Name"))
USAGE_COLUMNS = (("VOLUME NAME", "Name"), ("SIZE", "Size"), ("USED BY", "UsedBy"))
HEADINGS = {
    "Driver": "DRIVER",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Mountpoint": "MOUNTPOINT",
    "Name": "VOLUME NAME",
    "Scope": "SCOPE",
    "Size": "SIZE",
    "UsedBy": "USED BY",
}


def shown_labels(volume: Volume) -> dict[str, str]:
    """Its labels, with the one by which docker tells anonymous volumes."""
    return {**volume.labels, **({ANONYMOUS: ""} if volume.anonymous else {})}


def _create(context: Context, options: Parsed) -> int:
    name = options.arguments[0] if options.arguments else options.text("name")
    if options.text("driver") not in ("", "local"):
        raise UsageError(
            f"there is no volume driver {options.text('driver')!r}, only local", "volume create", exit_code=1
        )
    labels = read_labels(options.many("label"), ())
    given = dict(_option(pair) for pair in options.many("opt"))
    print(context.engine.volumes.create(name, labels=labels, options=given).name)
    return 0


def _option(pair: str) -> tuple[str, str]:
    key, equals, value = pair.partition("=")
    if not key or not equals:
        raise UsageError(f'invalid argument "{pair}" for "-o, --opt" flag: written as KEY=VALUE', "volume create")
    return key, value


def _list(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), FILTERS, "volume ls")
    engine, format = context.engine, options.text("format")
    with_usage = options.flag("size") or any(word in format for word in (".Size", ".Links", ".UsedBy"))
    usage = engine.volumes.usage() if with_usage else {}
    used = {
        mount.source
        for container in (engine.containers.list(all=True) if "dangling" in filters else ())
        for mount in container.mounts
        if mount.type == "volume"
    }
    rows = []
    for volume in sorted(engine.volumes.list(), key=lambda volume: volume.name):
        if not matches_labels(filters.get("label", ()), shown_labels(volume)):
            continue
        if any(name not in volume.name for name in filters.get("name", ())):
            continue
        if any(driver != "local" for driver in filters.get("driver", ())):
            continue
        if any((volume.name not in used) != (value in ("true", "1")) for value in filters.get("dangling", ())):
            continue
        found = usage.get(volume.name)
        rows.append(
            {
                "Driver": "local",
                "Labels": labels_text(shown_labels(volume)),
                "Links": str(len(found.users)) if found else "N/A",
                "Mountpoint": volume.path,
                "Name": volume.name,
                "Scope": "local",
                "Size": decimal_size(found.size, 4) if found and found.size >= 0 else "N/A",
                "UsedBy": ", ".join(found.users) if found else "N/A",
            }
        )
    columns = USAGE_COLUMNS if options.flag("size") else COLUMNS
    print_rows(rows, columns, HEADINGS, format=format, quiet="Name" if options.flag("quiet") else "")
    return 0


def _remove(context: Context, options: Parsed) -> int:
    from ..errors import VolumeNotFound

    def act(name: str) -> None:
        try:
            context.engine.volumes.remove(name)
        except VolumeNotFound:
            if not options.flag("force"):
                raise

    return for_each(options.arguments, act)


COMMANDS = {
    "volume create": Command(
        "volume create",
        "[VOLUME]",
        "Create a volume",
        _create,
        (
            text("-d, --driver", "DRIVER", "Volume driver: local"),
            many("--label", "KEY=VALUE", "Set metadata for a volume"),
            text("--name", "NAME", "The same as the argument"),
            many("-o, --opt", "KEY=VALUE", "Options of the driver: type, o, device, as for mount(8)"),
        ),
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
            flag("-s, --size", "Show how much each takes, and which containers use it"),
        ),
        maximum=0,
        aliases=("volume list",),
    ),
    "volume rm": Command(
        "volume rm",
        "VOLUME [VOLUME...]",
        "Remove one or more volumes",
        _remove,
        (flag("-f, --force", "Do not complain of a volume that is not there"),),
        minimum=1,
        aliases=("volume remove",),
    ),
}
