"""Images from what is already on this machine: unpacked again from stored blobs, or made of its own tools."""

from __future__ import annotations

import time

from ..models import PullProgress
from .compose import unpack
from .content import ContentStore
from .index import Index, IndexEntry
from .manifest import (
    CONFIG_LIMIT,
    MANIFEST_LIMIT,
    Manifest,
    layer_blobs,
    parse_config,
    parse_manifest,
)
from .remove import PullsLock
from .toolbox.make import MANIFEST_TYPE, make_toolbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..paths import Paths
    from .layers import LayerStore
    from .reference import Reference


def unpack_again(paths: Paths, store: LayerStore, entry: IndexEntry) -> None:
    """Make the unpacked layers of a stored image. Raises NotFound when a blob is gone, and CorruptContent."""
    content = ContentStore(paths)
    where = f"image {entry.config}"
    manifest = parse_manifest(content.read(entry.digest, MANIFEST_LIMIT), entry.media_type, where)
    if not isinstance(manifest, Manifest):
        raise TypeError(f"{where}: an index entry points at an index")
    config = parse_config(content.read(entry.config, CONFIG_LIMIT), where)
    with PullsLock(paths):
        unpack(content, store, layer_blobs(manifest, config, where))


def store_toolbox(
    paths: Paths,
    store: LayerStore,
    reference: Reference,
    on_progress: Callable[[PullProgress], None] | None,
) -> IndexEntry:
    """Make the toolbox image, unpack it and give it its name. Raises HostUnfit."""

    def tell(message: str) -> None:
        if on_progress is not None:
            on_progress(PullProgress(message=message))

    content = ContentStore(paths)
    with PullsLock(paths):
        made = make_toolbox(content, tell)
        tell("unpacking")
        unpack(content, store, [made.layer])
        entry = IndexEntry(
            reference=reference.full,
            digest=made.manifest,
            size=made.manifest_size,
            media_type=MANIFEST_TYPE,
            config=made.config,
            pulled_ns=time.time_ns(),
            architecture=made.architecture,
            os="linux",
        )
        with Index(paths).change() as change:
            change.put(entry)
    if made.left_out:
        tell(f"left out, not on this machine: {' '.join(made.left_out)}")
    return entry
