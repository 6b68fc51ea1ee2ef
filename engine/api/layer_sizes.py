"""What images share: layers are kept once, however many images have them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..errors import ImageNotFound

if TYPE_CHECKING:
    from ..engine import Engine
    from ..models import Image


class LayerSizes:
    """`total`: bytes of all layers, each counted once; `shared`: by image id, of those that other images have too."""

    def __init__(self, engine: Engine, images: list[Image]) -> None:
        chains: dict[str, set[str]] = {}
        for image in images:
            try:
                chains[image.id] = set(engine.images.config(image.id).chain_ids)
            except ImageNotFound:  # removed meanwhile
                continue
        users = Counter(chain_id for ids in chains.values() for chain_id in ids)
        sizes = {chain_id: engine.images.layer_size(chain_id) for chain_id in users}
        self.total = sum(sizes.values())
        self.shared = {
            image_id: sum(sizes[chain_id] for chain_id in ids if users[chain_id] > 1)
            for image_id, ids in chains.items()
        }
