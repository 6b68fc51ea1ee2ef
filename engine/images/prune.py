"""Removes images that nothing uses: those without a name, or with `all` every one that no container is made of."""

from __future__ import annotations

import time

from ..errors import EngineError
from ..record import Record
from .layers import LayerStore
from .remove import collect, remove_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..models import Image, Removed
    from ..paths import Paths


class Pruned(Record):
    """What went, and how many bytes of unpacked layers with it."""

    removed: tuple[Removed, ...]
    freed: int


def prune(
    paths: Paths,
    images: Iterable[Image],
    *,
    all: bool,
    in_use: Callable[[str], list[str]],
    wanted: Callable[[Image], bool],
    until_ns: int = 0,
) -> Pruned:
    """`wanted` says which of the images may go; those made after `until_ns` stay, if given."""
    before = _layers(paths)
    removed: list[Removed] = []
    for image in images:
        dangling = not image.references and not any("@" not in name for name in image.repo_digests)
        if (image.references and not all) or not (all or dangling):
            continue
        if until_ns and (image.created_ns or time.time_ns()) >= until_ns:
            continue
        if not wanted(image) or in_use(image.id):
            continue
        try:
            removed += remove_image(paths, image.id, force=True, in_use=in_use)
        except EngineError:  # taken into use, or removed by somebody else
            continue
    if removed:
        collect(paths)
    after = _layers(paths)
    freed = sum(size for chain_id, size in before.items() if chain_id not in after)
    return Pruned(removed=tuple(removed), freed=freed)


def _layers(paths: Paths) -> dict[str, int]:
    store = LayerStore(paths)
    return {chain_id: store.size(chain_id) for chain_id in store.chain_ids()}
