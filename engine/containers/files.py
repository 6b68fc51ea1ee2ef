"""What a container has outside its row: folders and anonymous volumes; and how they go."""

from __future__ import annotations

import os

from ..errors import InUse, VolumeNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..models import Container
    from ..paths import Paths
    from ..volumes.volumes import Volumes


def remove_anonymous_volumes(volumes: Volumes, container: Container) -> None:
    """Delete the container's volumes that nobody named; for a removal that asked for it."""
    for mount in container.mounts:
        if mount.type != "volume":
            continue
        try:
            if volumes.get(mount.source).anonymous:
                volumes.remove(mount.source)
        except (VolumeNotFound, InUse):  # gone already, or another container was given it by name
            pass


def remove(paths: Paths, container_id: str) -> None:
    """Delete bundle and run folder. The bundle is renamed first, so that a half-deleted one is never taken
    for a container."""
    bundle = paths.container(container_id)
    trash = f"{paths.tmp}/removed-{container_id}"
    try:
        os.rename(bundle, trash)
    except FileNotFoundError:
        pass
    discard(trash)
    discard(paths.container_run(container_id))


def discard(path: str) -> None:
    """Delete a tree that nobody looks for any more; quiet when it is gone."""
    import shutil

    shutil.rmtree(path, ignore_errors=True)
