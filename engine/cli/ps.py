"""`pydock ps`: the table of containers. It is called in loops and prompts: it imports next to nothing."""

from __future__ import annotations

import time

from .errors import UsageError
from .filters import matches_labels, parse_filters
from .listing import labels_text, print_rows, shortened
from .options import Command, flag, many, number, text
from .status_text import command_text, ports_text, status_text
from .units import human_duration, local_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..engine import Engine
    from ..models import Container
    from .context import Context
    from .filters import Filters
    from .options import Parsed

FILTERS = (
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
)
STATES = ("created", "restarting", "running", "removing", "paused", "exited", "dead")
COMMAND_WIDTH = 20

COLUMNS = (
    ("CONTAINER ID", "ID"),
    ("IMAGE", "Image"),
    ("COMMAND", "Command"),
    ("CREATED", "RunningFor"),
    ("STATUS", "Status"),
    ("PORTS", "Ports"),
    ("NAMES", "Names"),
)
HEADINGS = {
    **{field: title for title, field in COLUMNS},
    "CreatedAt": "CREATED AT",
    "Labels": "LABELS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Mounts": "MOUNTS",
    "Networks": "NETWORKS",
    "Platform": "PLATFORM",
    "Size": "SIZE",
    "State": "STATE",
}


def ps(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), FILTERS, "ps")
    for state in filters.get("status", ()):
        if state not in STATES:
            raise UsageError(f"invalid filter 'status={state}': none of {', '.join(STATES)}", "ps", exit_code=1)
    last = 1 if options.flag("latest") else options.number("last")
    limited = last is not None and last >= 0
    everything = options.flag("all") or limited or bool(filters.keys() & {"status", "exited"})
    engine = context.engine
    with_size = options.flag("size") or ".Size" in options.text("format")
    if context.remote is not None:
        # what health and exit codes it filters by is not in its answer
        containers = context.remote.containers.list(all=everything, filters=filters, sizes=with_size)
    else:
        containers = engine.containers.list(all=everything, brief=True)
        if filters:
            containers = filtered(engine, containers, filters)
    if limited:
        containers = containers[:last]
    rows = [_row(engine, container, options.flag("no-trunc"), with_size) for container in containers]
    columns = (*COLUMNS, ("SIZE", "Size")) if options.flag("size") else COLUMNS
    print_rows(
        rows,
        columns,
        HEADINGS,
        format=options.text("format"),
        quiet="ID" if options.flag("quiet") else "",
        drop=("CREATED", "COMMAND", "SIZE"),
        firm=("STATUS",),
        whole=options.flag("no-trunc"),
    )
    return 0


def _row(engine: Engine, container: Container, whole: bool, with_size: bool) -> dict[str, object]:
    now_ns = time.time_ns()
    command = command_text(container.command)
    if not whole and len(command) > COMMAND_WIDTH + 2:
        command = command_text((shortened(" ".join(container.command), COMMAND_WIDTH),))
    mounts = [mount.source or mount.target for mount in container.mounts]
    return {
        "Command": command,
        "CreatedAt": local_time(container.created_ns),
        "ID": container.id if whole else container.id[:12],
        "Image": container.image,
        "Labels": labels_text(container.labels),
        "LocalVolumes": str(sum(mount.type == "volume" for mount in container.mounts)),
        "Mounts": ",".join(mounts if whole else [shortened(mount, 15) for mount in mounts]),
        "Names": container.name,
        "Networks": ",".join(endpoint.network for endpoint in container.endpoints) or container.network,
        "Platform": None,
        "Ports": ports_text(container),
        "RunningFor": f"{human_duration(now_ns - container.created_ns)} ago",
        "Size": _size(engine, container) if with_size else "0B",
        "State": container.state,
        "Status": getattr(container, "told_status", "") or status_text(container, now_ns),
    }


def _size(engine: Engine, container: Container) -> str:
    from .units import decimal_size

    written, virtual = getattr(container, "told_sizes", ()) or engine.containers.sizes(container.id)
    return f"{decimal_size(written)} (virtual {decimal_size(virtual)})"


def filtered(engine: Engine, containers: list[Container], filters: Filters) -> list[Container]:
    created: dict[str, int] = {}
    for key in ("before", "since"):
        if key in filters:
            created[key] = engine.containers.get(filters[key][-1]).created_ns
    return [
        container
        for container in containers
        if all(_matches(engine, container, key, values, created) for key, values in filters.items())
    ]


def _matches(engine: Engine, container: Container, key: str, values: list[str], created: dict[str, int]) -> bool:
    if key == "label":
        return matches_labels(values, container.labels)
    if key == "before":
        return container.created_ns < created[key]
    if key == "since":
        return container.created_ns > created[key]
    return any(_matches_one(engine, container, key, value) for value in values)


def _matches_one(engine: Engine, container: Container, key: str, value: str) -> bool:
    if key == "id":
        return container.id.startswith(value)
    if key == "name":
        return _name_matches(container.name, value)
    if key == "status":
        return container.state == value
    if key == "exited":
        return container.state == "exited" and str(container.exit_code) == value
    if key == "network":
        return value == container.network or any(end.network == value for end in container.endpoints)
    if key == "volume":
        return any(value in (mount.source, mount.target) for mount in container.mounts)
    if key in ("publish", "expose"):
        return _has_port(container, value, key == "expose")
    if key == "ancestor":
        return _made_of(engine, container, value)
    if key == "is-task":  # of a swarm, which there is not
        return value.lower() in ("false", "0")
    return key == "health" and value == (container.health or "none")


def _name_matches(name: str, pattern: str) -> bool:
    import re

    try:
        return re.search(pattern.removeprefix("/"), name) is not None
    except re.error:
        return pattern in name


def _has_port(container: Container, value: str, exposed: bool) -> bool:
    port, _, protocol = value.partition("/")
    protocol = protocol or "tcp"
    published = any(
        str(mapping.host_port if not exposed else mapping.container_port) == port and mapping.protocol == protocol
        for endpoint in container.endpoints
        for mapping in endpoint.ports
    )
    return published or (exposed and f"{port}/{protocol}" in container.exposed_ports)


def _made_of(engine: Engine, container: Container, value: str) -> bool:
    from ..errors import EngineError

    if value == container.image:
        return True
    try:
        return engine.images.get(value).id == container.image_id
    except EngineError:
        return False


COMMANDS = {
    "ps": Command(
        "ps",
        "",
        "List containers",
        ps,
        (
            flag("-a, --all", "Show all containers (default shows just running)"),
            many("-f, --filter", "KEY=VALUE", f"Filter output: {', '.join(FILTERS)}"),
            text("--format", "FORMAT", "table, json, 'table TEMPLATE' or a Go template"),
            number("-n, --last", "N", "Show N last created containers (includes all states)"),
            flag("-l, --latest", "Show the latest created container (includes all states)"),
            flag("--no-trunc", "Don't truncate output"),
            flag("-q, --quiet", "Only display container IDs"),
            flag("-s, --size", "Display total file sizes"),
        ),
        maximum=0,
        aliases=("container ls", "container list", "container ps"),
    )
}
