"""`pydock rmi`, `tag` and `history`."""

from __future__ import annotations

import sys
import time

from ..errors import EngineError, ImageNotFound
from .border import refusal
from .listing import print_rows, short_id, shortened
from .options import Command, flag, text
from .units import decimal_size, human_duration, local_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed

COLUMNS = (
    ("IMAGE", "ID"),
    ("CREATED", "CreatedSince"),
    ("CREATED BY", "CreatedBy"),
    ("SIZE", "Size"),
    ("COMMENT", "Comment"),
)
CREATED_BY_WIDTH = 45


def _remove(context: Context, options: Parsed) -> int:
    engine = context.engine
    failed = False

    def in_use(image_id: str) -> list[str]:
        return [item.name for item in engine.containers.list(all=True) if item.image_id == image_id]

    for reference in options.arguments:
        try:
            for removed in engine.images.remove(reference, force=options.flag("force"), in_use=in_use):
                if removed.untagged:
                    print(f"Untagged: {removed.untagged}", flush=True)
                if removed.deleted:
                    print(f"Deleted: {removed.deleted}", flush=True)
        except EngineError as error:
            failed = failed or not (options.flag("force") and isinstance(error, ImageNotFound))
            sys.stderr.write(refusal(error) + "\n")
    return 1 if failed else 0


def _tag(context: Context, options: Parsed) -> int:
    context.engine.images.tag(*options.arguments)
    return 0


def _history(context: Context, options: Parsed) -> int:
    whole, human = options.flag("no-trunc"), options.flag("human")
    rows = []
    for entry in context.engine.images.history(options.arguments[0]):
        created_ns = int(entry.get("Created", 0)) * 10**9
        identifier = str(entry.get("Id") or "<missing>")
        created_by = " ".join(str(entry.get("CreatedBy", "")).split())
        since = f"{human_duration(time.time_ns() - created_ns)} ago" if created_ns > 0 else "N/A"
        created_at = local_time(created_ns) if created_ns > 0 else "N/A"
        size = int(entry.get("Size", 0))
        rows.append(
            {
                "ID": identifier if whole or identifier == "<missing>" else short_id(identifier),
                "CreatedSince": since if human else created_at,
                "CreatedAt": created_at,
                "CreatedBy": created_by if whole else shortened(created_by, CREATED_BY_WIDTH),
                "Size": decimal_size(size) if human else str(size),
                "Comment": str(entry.get("Comment", "")),
            }
        )
    headings = {**{field: title for title, field in COLUMNS}, "CreatedAt": "CREATED AT"}
    print_rows(
        rows,
        COLUMNS,
        headings,
        format=options.text("format"),
        quiet="ID" if options.flag("quiet") else "",
        drop=("COMMENT",),
        whole=whole,
    )
    return 0


COMMANDS = {
    "rmi": Command(
        "rmi",
        "IMAGE [IMAGE...]",
        "Remove one or more images",
        _remove,
        (
            flag("-f, --force", "Force removal of the image"),
            text("--platform", "OS/ARCH", "Accepted for docker's sake; an image is here for one platform"),
            flag("--no-prune", "Accepted for docker's sake; nothing untagged is ever kept for its parents"),
        ),
        minimum=1,
        aliases=("image rm", "image remove"),
    ),
    "tag": Command(
        "tag",
        "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
        "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
        _tag,
        minimum=2,
        maximum=2,
        aliases=("image tag",),
    ),
    "history": Command(
        "history",
        "IMAGE",
        "Show the history of an image",
        _history,
        (
            text("--format", "FORMAT", "table, json, 'table TEMPLATE' or a Go template"),
            flag("-H, --human", "Print sizes and dates in human readable format", default=True),
            flag("--no-trunc", "Don't truncate output"),
            text("--platform", "OS/ARCH", "Accepted for docker's sake; an image is here for one platform"),
            flag("-q, --quiet", "Only show image IDs"),
        ),
        minimum=1,
        maximum=1,
        aliases=("image history",),
    ),
}
