"""How much disk things take, and `pydock system df`."""

from __future__ import annotations

import os

from .listing import print_rows
from .options import Command, text
from .units import decimal_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .context import Context
    from .options import Parsed

COLUMNS = (
    ("TYPE", "Type"),
    ("TOTAL", "TotalCount"),
    ("ACTIVE", "Active"),
    ("SIZE", "Size"),
    ("RECLAIMABLE", "Reclaimable"),
)


def tree_size(path: str) -> int:
    """Bytes of the files below a folder; hard links count once, what vanishes meanwhile not at all."""
    total = 0
    seen: set[tuple[int, int]] = set()
    folders = [path]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
            except OSError:
                continue
            if status.st_nlink > 1:
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
            if not entry.is_dir(follow_symlinks=False):
                total += status.st_size
    return total


def disk_usage(context: Context, options: Parsed) -> int:
    engine = context.engine
    containers = engine.containers.list(all=True)
    used_images = {container.image_id for container in containers}
    used_volumes = {mount.source for item in containers for mount in item.mounts if mount.type == "volume"}
    images = engine.images.list()
    stopped = [item for item in containers if item.state not in ("running", "paused", "restarting")]
    written = {item.id: tree_size(f"{engine.paths.container(item.id)}/upper") for item in containers}
    volumes = engine.volumes.list()
    volume_sizes = {volume.name: tree_size(volume.path) for volume in volumes}
    rows = [
        _row(
            "Images",
            len(images),
            sum(image.id in used_images for image in images),
            sum(image.size for image in images),
            sum(image.size for image in images if image.id not in used_images),
        ),
        _row(
            "Containers",
            len(containers),
            len(containers) - len(stopped),
            sum(written.values()),
            sum(written[item.id] for item in stopped),
        ),
        _row(
            "Local Volumes",
            len(volumes),
            sum(volume.name in used_volumes for volume in volumes),
            sum(volume_sizes.values()),
            sum(size for name, size in volume_sizes.items() if name not in used_volumes),
        ),
    ]
    headings = {field: title for title, field in COLUMNS}
    print_rows(rows, COLUMNS, headings, format=options.text("format"))
    return 0


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
        (text("--format", "FORMAT", "table, json, 'table TEMPLATE' or a Go template"),),
        maximum=0,
    )
}
