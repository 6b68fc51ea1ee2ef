"""`pydock system df`: how much disk things take, and how much of it could be had back."""

from __future__ import annotations

import time

from ..disk import tree_size as tree_size
from .listing import print_rows, shortened
from .options import Command, flag, text
from .units import decimal_size, human_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..engine import Engine
    from .context import Context
    from .options import Parsed

COLUMNS = (
    ("TYPE", "Type"),
    ("TOTAL", "TotalCount"),
    ("ACTIVE", "Active"),
    ("SIZE", "Size"),
    ("RECLAIMABLE", "Reclaimable"),
)
LIVE = ("running", "paused", "restarting")


def disk_usage(context: Context, options: Parsed) -> int:
    found = context.remote.disk_usage() if context.remote is not None else measured(context.engine)
    images, containers, volumes = (found.get(key) or [] for key in ("Images", "Containers", "Volumes"))
    if options.flag("verbose"):
        _details(images, containers, volumes)
        return 0
    unused = [image for image in images if (image.get("Containers") or 0) <= 0]
    stopped = [item for item in containers if item.get("State") not in LIVE]
    loose = [volume for volume in volumes if not _used(volume)]
    rows = [
        _row("Images", len(images), len(images) - len(unused), _sum(images, "Size"), _sum(unused, "Size")),
        _row(
            "Containers",
            len(containers),
            len(containers) - len(stopped),
            _sum(containers, "SizeRw"),
            _sum(stopped, "SizeRw"),
        ),
        _row(
            "Local Volumes",
            len(volumes),
            len(volumes) - len(loose),
            sum(_volume_size(volume) for volume in volumes),
            sum(_volume_size(volume) for volume in loose),
        ),
        _row("Build Cache", 0, 0, 0, 0),
    ]
    print_rows(rows, COLUMNS, {field: title for title, field in COLUMNS}, format=options.text("format"))
    return 0


def measured(engine: Engine) -> dict[str, Any]:
    """What the files of this engine take, in the shape of `GET /system/df`."""
    containers = engine.containers.list(all=True)
    used_images = [container.image_id for container in containers]
    used_volumes = [mount.source for item in containers for mount in item.mounts if mount.type == "volume"]
    return {
        "Images": [
            {
                "Id": image.id,
                "RepoTags": list(image.references),
                "Created": image.created_ns // 10**9,
                "Size": image.size,
                "Containers": used_images.count(image.id),
            }
            for image in engine.images.list()
        ],
        "Containers": [
            {
                "Id": item.id,
                "Names": [item.name],
                "Image": item.image,
                "State": item.state,
                "SizeRw": tree_size(f"{engine.paths.container(item.id)}/upper"),
                "Created": item.created_ns // 10**9,
            }
            for item in containers
        ],
        "Volumes": [
            {
                "Name": volume.name,
                "UsageData": {"Size": tree_size(volume.path), "RefCount": used_volumes.count(volume.name)},
            }
            for volume in engine.volumes.list()
        ],
    }


def _details(images: list[dict[str, Any]], containers: list[dict[str, Any]], volumes: list[dict[str, Any]]) -> None:
    print("Images space usage:\n")
    _table(
        ("IMAGE", "IMAGE ID", "CREATED", "SIZE", "CONTAINERS"),
        [
            (
                next(iter(image.get("RepoTags") or ()), "<none>"),
                str(image["Id"]).removeprefix("sha256:")[:12],
                _ago(image.get("Created")),
                decimal_size(image.get("Size") or 0),
                str(max(0, image.get("Containers") or 0)),
            )
            for image in images
        ],
    )
    print("\nContainers space usage:\n")
    _table(
        ("CONTAINER ID", "IMAGE", "SIZE", "CREATED", "STATE", "NAMES"),
        [
            (
                item["Id"][:12],
                shortened(str(item.get("Image") or ""), 40),
                decimal_size(item.get("SizeRw") or 0),
                _ago(item.get("Created")),
                str(item.get("State") or ""),
                ",".join(name.lstrip("/") for name in item.get("Names") or ()),
            )
            for item in containers
        ],
    )
    print("\nLocal Volumes space usage:\n")
    _table(
        ("VOLUME NAME", "LINKS", "SIZE"),
        [
            (
                volume["Name"],
                str(max(0, int((volume.get("UsageData") or {}).get("RefCount") or 0))),
                decimal_size(_volume_size(volume)),
            )
            for volume in volumes
        ],
    )


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from .listing import print_table

    print_table(headings, rows)


def _ago(created: object) -> str:
    if not isinstance(created, (int, float)) or created <= 0:
        return "N/A"
    return f"{human_duration(time.time_ns() - int(created) * 10**9)} ago"


def _used(volume: dict[str, Any]) -> bool:
    return int((volume.get("UsageData") or {}).get("RefCount") or 0) > 0


def _volume_size(volume: dict[str, Any]) -> int:
    return max(0, int((volume.get("UsageData") or {}).get("Size") or 0))


def _sum(entries: list[dict[str, Any]], key: str) -> int:
    return sum(int(entry.get(key) or 0) for entry in entries)


def _row(kind: str, total: int, active: int, size: int, reclaimable: int) -> dict[str, str]:
    share = f" ({reclaimable * 100 // size}%)" if size else ""
    return {
        "Type": kind,
        "TotalCount": str(total),
        "Active": str(active),
        "Size": decimal_size(size, 4),
        "Reclaimable": f"{decimal_size(reclaimable, 4)}{share}",
    }


COMMANDS = {
    "system df": Command(
        "system df",
        "",
        "Show disk usage of images, containers and volumes",
        disk_usage,
        (
            text("--format", "FORMAT", "table, json, 'table TEMPLATE' or a Go template"),
            flag("-v, --verbose", "Show every image, container and volume"),
        ),
        maximum=0,
    )
}
