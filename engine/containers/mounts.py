"""The mounts of a new container: those asked for, those of other containers, and the image's own volumes, each with a
name.

The one place that reads `volumes_from`. What is asked for at a target outweighs what another container has there, and
that outweighs a `VOLUME` of the image.
"""

from __future__ import annotations

import os

from ..errors import InvalidRequest
from ..models import Mount
from . import rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..images.config import ImageConfig
    from ..images.images import Images
    from ..models import CreateRequest
    from ..store import Store
    from ..volumes.volumes import Volumes

_MODES = frozenset(("ro", "rw", "z", "Z", ""))


def resolve(
    store: Store, images: Images, volumes: Volumes, image: ImageConfig, request: CreateRequest
) -> tuple[Mount, ...]:
    """All of them; volumes that are missing are made. Raises ContainerNotFound, ImageNotFound, InvalidRequest."""
    chosen: dict[str, Mount] = {}
    named = [mount for mount in request.mounts if mount.source or mount.type != "volume"]
    anonymous = [mount for mount in request.mounts if mount not in named]
    for mount in (*named, *_of_others(store, request.volumes_from), *anonymous, *_of_image(image)):
        chosen.setdefault(os.path.normpath(mount.target), mount)
    return tuple(_named(images, volumes, mount) for mount in chosen.values())


def _of_others(store: Store, entries: tuple[str, ...]) -> Iterator[Mount]:
    """Of several containers with a mount at one target the last one named counts, as with Docker."""
    for entry in reversed(entries):
        name, _, mode = entry.partition(":")
        words = mode.split(",")
        if not set(words) <= _MODES:
            raise InvalidRequest(f'invalid mode "{mode}" for --volumes-from {name}', hint="ro or rw")
        for mount in rows.find(store, name).mounts:
            # A tmpfs is its container's own.
            if mount.type != "tmpfs":
                yield mount.replace(read_only=mount.read_only or "ro" in words)


def _of_image(image: ImageConfig) -> Iterator[Mount]:
    return (Mount(type="volume", target=path) for path in image.volumes)


def _named(images: Images, volumes: Volumes, mount: Mount) -> Mount:
    if mount.type == "image":
        return mount if mount.image_id else mount.replace(image_id=images.config(mount.source).id)
    if mount.type == "volume":
        name = mount.source or os.urandom(32).hex()
        volumes.create(name, mount.labels, anonymous=not mount.source, options=mount.driver_options)
        return mount.replace(source=name)
    return mount
