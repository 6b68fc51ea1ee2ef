"""`pydock images`: the table of images, one row a tag."""

from __future__ import annotations

import time

from .filters import matches_labels, parse_filters
from .listing import print_rows, short_id
from .options import Command, flag, many, text
from .units import decimal_size, human_duration, local_time, parse_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..engine import Engine
    from ..models import Image
    from .context import Context
    from .filters import Filters
    from .options import Parsed

FILTERS = ("before", "dangling", "label", "reference", "since", "until")
NONE = "<none>"
COLUMNS = (
    ("REPOSITORY", "Repository"),
    ("TAG", "Tag"),
    ("IMAGE ID", "ID"),
    ("CREATED", "CreatedSince"),
    ("SIZE", "Size"),
)
HEADINGS = {
    **{field: title for title, field in COLUMNS},
    "Containers": "CONTAINERS",
    "CreatedAt": "CREATED AT",
    "Digest": "DIGEST",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "VirtualSize": "SIZE",
}


def images(context: Context, options: Parsed) -> int:
    filters = parse_filters(options.many("filter"), FILTERS, "images")
    engine = context.engine
    rows = []
    for image in filtered(engine, engine.images.list(), filters):
        for repository, tag, digest in _names(image):
            if options.arguments and not _wanted(options.arguments[0], repository, tag):
                continue
            if any(not reference_matches(repository, tag, value) for value in filters.get("reference", ())):
                continue
            rows.append(_row(image, repository, tag, digest, options.flag("no-trunc")))
    columns: tuple[tuple[str, str], ...] = COLUMNS
    if options.flag("digests"):
        columns = (*COLUMNS[:2], ("DIGEST", "Digest"), *COLUMNS[2:])
    if options.flag("quiet"):
        rows = list({row["ID"]: row for row in rows}.values())
    print_rows(
        rows,
        columns,
        HEADINGS,
        format=options.text("format"),
        quiet="ID" if options.flag("quiet") else "",
        drop=("CREATED",),
        whole=options.flag("no-trunc"),
    )
    return 0


def split_reference(reference: str) -> tuple[str, str]:
    """("127.0.0.1:5000/alpine", "3.20") of a familiar reference; the tag is "" when there is none."""
    name, colon, tag = reference.rpartition(":")
    if not colon or "/" in tag:
        return reference, ""
    return name, tag


def _names(image: Image) -> list[tuple[str, str, str]]:
    """(repository, tag, digest) of each row that the image has."""
    digests = {entry.partition("@")[0]: entry.partition("@")[2] for entry in image.repo_digests}
    names = []
    for reference in image.references:
        repository, tag = split_reference(reference)
        names.append((repository, tag or NONE, digests.get(repository, NONE)))
    if not names:
        names = [(repository, NONE, digest) for repository, digest in digests.items()]
    return names or [(NONE, NONE, NONE)]


def _row(image: Image, repository: str, tag: str, digest: str, whole: bool) -> dict[str, str]:
    size = decimal_size(image.size)
    return {
        "Containers": "N/A",
        "CreatedAt": local_time(image.created_ns) if image.created_ns > 0 else "N/A",
        "CreatedSince": _since(image.created_ns),
        "Digest": digest,
        "ID": image.id if whole else short_id(image.id),
        "Repository": repository,
        "SharedSize": "N/A",
        "Size": size,
        "Tag": tag,
        "UniqueSize": "N/A",
        "VirtualSize": size,
    }


def _since(created_ns: int) -> str:
    if created_ns <= 0:
        return "N/A"
    return f"{human_duration(time.time_ns() - created_ns)} ago"


def _wanted(argument: str, repository: str, tag: str) -> bool:
    wanted_repository, wanted_tag = split_reference(argument)
    if wanted_tag and wanted_tag != tag:
        return False
    return _glob(repository, wanted_repository)


def _glob(text: str, pattern: str) -> bool:
    if not any(mark in pattern for mark in "*?["):
        return text == pattern
    import fnmatch

    return fnmatch.fnmatchcase(text, pattern)


def reference_matches(repository: str, tag: str, pattern: str) -> bool:
    name, wanted_tag = split_reference(pattern)
    tails = [repository.split("/", cut)[-1] for cut in range(repository.count("/") + 1)]
    return any(_glob(tail, name) for tail in tails) and (not wanted_tag or _glob(tag, wanted_tag))


def filtered(engine: Engine, found: list[Image], filters: Filters) -> list[Image]:
    result = sorted(found, key=_newest_first)
    if "label" in filters:
        result = [image for image in result if matches_labels(filters["label"], image.labels)]
    for value in filters.get("dangling", ()):
        wanted = value.lower() in ("true", "1")
        result = [image for image in result if (not image.references) == wanted]
    for value in filters.get("before", ()):
        limit = engine.images.get(value).created_ns
        result = [image for image in result if image.created_ns < limit]
    for value in filters.get("since", ()):
        limit = engine.images.get(value).created_ns
        result = [image for image in result if image.created_ns > limit]
    for value in filters.get("until", ()):
        limit = parse_time(value, "--filter until")
        result = [image for image in result if image.created_ns < limit]
    return result


def _newest_first(image: Image) -> tuple[int, str]:
    return -image.created_ns, image.id


COMMANDS = {
    "images": Command(
        "images",
        "[REPOSITORY[:TAG]]",
        "List images",
        images,
        (
            flag("-a, --all", "Show all images; there are no intermediate ones here"),
            flag("--digests", "Show digests"),
            many("-f, --filter", "KEY=VALUE", f"Filter output: {', '.join(FILTERS)}"),
            text("--format", "FORMAT", "table, json, 'table TEMPLATE' or a Go template"),
            flag("--no-trunc", "Don't truncate output"),
            flag("-q, --quiet", "Only show image IDs"),
        ),
        maximum=1,
        aliases=("image ls", "image list"),
    )
}
