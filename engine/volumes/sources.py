"""Which mount sources of a container have to be made before they can be mounted; `prepare` makes them."""

from __future__ import annotations

from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..images.images import Images
    from ..models import Container
    from ..paths import Paths


class Source(Record):
    """`path`: where it will be. `base`: the directory that `subpath` counts from; `lower_dirs`: or an image's
    layers."""

    path: str
    base: str = ""
    lower_dirs: tuple[str, ...] = ()
    subpath: str = ""


def sources(container: Container, paths: Paths, images: Images) -> tuple[Source, ...]:
    """What of a container's mounts has to be made."""
    found = []
    for index, mount in enumerate(container.mounts):
        path = paths.mount_source(container.id, index)
        if mount.type == "image":
            image = images.config(mount.image_id)
            images.ensure_unpacked(image)
            layers = tuple(images.layer_path(chain_id) for chain_id in image.chain_ids)
            found.append(Source(path=path, lower_dirs=layers, subpath=mount.subpath))
        elif mount.subpath:
            found.append(Source(path=path, base=paths.volume(mount.source), subpath=mount.subpath))
    return tuple(found)
