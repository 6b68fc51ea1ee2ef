"""Makes an image of a configuration and layers that are in the content store, and gives it its name."""

from __future__ import annotations

import json
import time

from .assemble import Assembly, LayerBlob
from .content import ContentStore
from .index import Index, IndexEntry
from .manifest import OCI_CONFIG, OCI_MANIFEST
from .pack import LAYER_TYPE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..paths import Paths
    from .layers import LayerStore
    from .reference import Reference


def encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def created_now() -> str:
    """The time in the form that configurations have."""
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"


def descriptor(layer: LayerBlob, media_type: str = LAYER_TYPE) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": layer.digest, "size": layer.size}


def manifest_of(config: bytes, config_digest: str, descriptors: list[dict[str, Any]]) -> bytes:
    """The manifest of an image that is new."""
    return encode(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": config_digest, "size": len(config)},
            "layers": descriptors,
        }
    )


def compose(
    paths: Paths,
    store: LayerStore,
    *,
    config: bytes,
    layers: list[LayerBlob],
    reference: Reference | None,
    descriptors: list[dict[str, Any]] | None = None,
    manifest: bytes = b"",
) -> IndexEntry:
    """Unpack what is missing, and put the image into the index; its manifest is made of the layers' descriptors
    unless it has one. The caller holds a PullsLock. Raises CorruptContent for a layer that is not what the
    configuration says, or hostile."""
    content = ContentStore(paths)
    config_digest = content.add(config)
    unpack(content, store, layers)
    manifest = manifest or manifest_of(config, config_digest, descriptors or [descriptor(layer) for layer in layers])
    document = json.loads(config)
    entry = IndexEntry(
        reference=reference.full if reference is not None else "",
        digest=content.add(manifest),
        size=len(manifest),
        media_type=OCI_MANIFEST,
        config=config_digest,
        pulled_ns=time.time_ns(),
        architecture=str(document.get("architecture") or ""),
        os=str(document.get("os") or ""),
        variant=str(document.get("variant") or ""),
    )
    put(paths, entry)
    return entry


def put(paths: Paths, entry: IndexEntry) -> None:
    """Give the image its name; a nameless one that is here under some name already needs no entry of its own."""
    with Index(paths).change() as change:
        if entry.reference or not any(other.config == entry.config for other in change.entries):
            change.put(entry)


def unpack(content: ContentStore, store: LayerStore, layers: list[LayerBlob]) -> None:
    """Make the unpacked layers that are missing. Raises CorruptContent."""
    assembly = Assembly(store, layers)
    try:
        for index in assembly.missing:
            assembly.offer(index, lambda digest=layers[index].digest: content.open(digest))  # type: ignore[misc]
        assembly.finish()
    finally:
        assembly.close()
