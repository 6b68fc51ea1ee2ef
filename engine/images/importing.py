"""An image of a file system's archive: one layer, and a configuration of little but what is asked for."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..tars.read import open_archive
from .changes import apply
from .compose import compose, created_now, encode
from .content import ContentStore
from .manifest import parse_platform
from .pack import packing
from .remove import PullsLock
from .unpack.errors import BadLayer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..paths import Paths
    from .index import IndexEntry
    from .layers import LayerStore
    from .reference import Reference

PIECE = 1 << 20


def import_archive(
    paths: Paths,
    store: LayerStore,
    read: Callable[[int], bytes],
    reference: Reference | None,
    *,
    changes: tuple[str, ...],
    message: str,
    platform: str,
    source: str,
) -> IndexEntry:
    """Store the archive as a layer and make the image. Raises InvalidRequest for what is no archive, CorruptContent
    for a hostile one."""
    wanted = parse_platform(platform)
    config = apply({}, changes)
    content = ContentStore(paths)
    with PullsLock(paths):
        try:
            archive = open_archive(read)
            with packing(content) as (packer, stored):
                while piece := archive.some(PIECE):
                    packer.write(bytes(piece))
        except BadLayer as error:
            raise InvalidRequest(f"this is no archive: {error}") from error
        if not archive.total:
            raise InvalidRequest("the archive is empty")
        created = created_now()
        document = {
            "architecture": wanted.architecture,
            "os": wanted.os,
            **({"variant": wanted.variant} if wanted.variant else {}),
            "created": created,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [stored[0].diff_id]},
            "history": [{"created": created, "created_by": "", "comment": message or f"Imported from {source}"}],
        }
        return compose(paths, store, config=encode(document), layers=stored, reference=reference)
