"""`pydock container prune`, `image prune` and `system prune`: remove what nothing uses any more."""

from __future__ import annotations

import sys

from ..errors import EngineError
from .border import refusal
from .filters import matches_labels, parse_filters
from .options import Command, flag, many
from .units import decimal_size, parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .context import Context
    from .filters import Filters
    from .options import Parsed

    Chosen = Callable[[Mapping[str, str], int], bool]

FILTERS = ("label", "label!", "until")
ENDED = ("created", "exited", "dead")


def prune_containers(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), FILTERS, "container prune")
    if not options.flag("force") and not confirmed("This will remove all stopped containers."):
        return 1
    _total(_containers(context, filters))
    return 0


def prune_images(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), (*FILTERS, "dangling"), "image prune")
    every = options.flag("all") or "false" in filters.pop("dangling", [])
    what = "all images without at least one container associated to them" if every else "all dangling images"
    if not options.flag("force") and not confirmed(f"This will remove {what}."):
        return 1
    _total(_images(context, filters, every))
    return 0


def prune_system(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), FILTERS, "system prune")
    every, volumes = options.flag("all"), options.flag("volumes")
    if volumes and "until" in filters:
        raise EngineError('the "until" filter is not supported with "--volumes"')
    going = [
        "all stopped containers",
        "all networks not used by at least one container",
        *(["all anonymous volumes not used by at least one container"] if volumes else []),
        "all images without at least one container associated to them" if every else "all dangling images",
    ]
    if not options.flag("force") and not confirmed("This will remove:\n" + "".join(f"  - {line}\n" for line in going)):
        return 1
    freed = _containers(context, filters)
    _networks(context, filters)
    if volumes:
        freed += _volumes(context, filters)
    _total(freed + _images(context, filters, every))
    return 0


def chosen_by(filters: Filters) -> Chosen:
    """Whether an object with these labels, made at that time, is among those that the filters name."""
    until_ns = max((parse_time(value, "--filter until") for value in filters.get("until", ())), default=0)

    def chosen(labels: Mapping[str, str], created_ns: int) -> bool:
        if until_ns and created_ns >= until_ns:
            return False
        kept = filters.get("label!", ())
        return matches_labels(filters.get("label", ()), labels) and not (kept and matches_labels(kept, labels))

    return chosen


def confirmed(warning: str) -> bool:
    """Whether the person at the terminal says yes."""
    sys.stderr.write(f"WARNING! {warning}\nAre you sure you want to continue? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _containers(context: Context, filters: Filters) -> int:
    """Remove and name them; the bytes that came free."""
    if context.remote is not None:
        return _told("Deleted Containers", *context.remote.prune("containers", filters))
    engine, chosen = context.engine, chosen_by(filters)
    deleted, freed = [], 0
    for container in engine.containers.list(all=True):
        if container.state not in ENDED or not chosen(container.labels, container.created_ns):
            continue
        try:
            size = engine.containers.sizes(container.id)[0]
            engine.containers.remove(container.id)
        except EngineError as error:
            sys.stderr.write(refusal(error) + "\n")
            continue
        deleted.append(container.id)
        freed += size
    return _told("Deleted Containers", deleted, freed)


def _networks(context: Context, filters: Filters) -> None:
    chosen = chosen_by(filters)
    removed = context.engine.networks.prune(lambda network: chosen(network.labels, network.created_ns))
    _told("Deleted Networks", removed, 0)


def _volumes(context: Context, filters: Filters) -> int:
    # also of another engine: the older ones, told to prune, delete named volumes too
    chosen = chosen_by(filters)
    deleted, freed = context.engine.volumes.prune(wanted=lambda volume: chosen(volume.labels, volume.created_ns))
    return _told("Deleted Volumes", deleted, freed)


def _images(context: Context, filters: Filters, every: bool) -> int:
    if context.remote is not None:
        wanted = {**filters, "dangling": ["false" if every else "true"]}
        return _told("Deleted Images", *context.remote.prune("images", wanted))
    engine, chosen = context.engine, chosen_by(filters)
    pruned = engine.images.prune(
        all=every,
        in_use=engine.containers.in_use,
        wanted=lambda image: chosen(image.labels, image.created_ns),
    )
    lines = [f"untagged: {step.untagged}" if step.untagged else f"deleted: {step.deleted}" for step in pruned.removed]
    return _told("Deleted Images", lines, pruned.freed)


def _told(title: str, names: list[str], freed: int) -> int:
    if names:
        print(f"{title}:", *names, "", sep="\n")
    return freed


def _total(freed: int) -> None:
    print(f"Total reclaimed space: {decimal_size(freed, 4)}")


_FILTER = many("--filter", "KEY=VALUE", "Only those: until=TIME, label=KEY[=VALUE], label!=KEY[=VALUE]")
_FORCE = flag("-f, --force", "Do not prompt for confirmation")

COMMANDS = {
    "container prune": Command(
        "container prune", "", "Remove all stopped containers", prune_containers, (_FILTER, _FORCE), maximum=0
    ),
    "image prune": Command(
        "image prune",
        "",
        "Remove unused images",
        prune_images,
        (flag("-a, --all", "Remove all unused images, not just dangling ones"), _FILTER, _FORCE),
        maximum=0,
    ),
    "system prune": Command(
        "system prune",
        "",
        "Remove unused data",
        prune_system,
        (
            flag("-a, --all", "Remove all unused images, not just dangling ones"),
            _FILTER,
            _FORCE,
            flag("--volumes", "Prune anonymous volumes too"),
        ),
        maximum=0,
        description="""Removes all stopped containers, all networks that no container is on, all images without a name
(with -a: all
that no container is made of), and with --volumes the anonymous volumes that no container mounts.""",
    ),
}
