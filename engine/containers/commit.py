"""A container as an image: its image's layers, what it changed as one more, and how it was run as the configuration."""

from __future__ import annotations

from ..images.changes import apply
from ..images.compose import compose, created_now, encode
from ..images.content import ContentStore
from ..images.layers import LayerStore
from ..images.manifest import MANIFEST_LIMIT, Manifest, as_oci, layer_blobs, parse_config, parse_manifest
from ..images.pack import pack_layer
from ..images.remove import PullsLock
from ..tars import header
from ..tars.tree import TreeWriter, gathered
from . import changes, inspect, stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ..images.assemble import LayerBlob
    from ..images.images import Images
    from ..images.index import IndexEntry
    from ..images.reference import Reference
    from ..models import Container, CreateRequest
    from ..paths import Paths
    from ..store import Store

_WHITEOUT = b".wh."
_OF_CONFIG = (
    *("Hostname", "Domainname", "User", "ExposedPorts", "Env", "Cmd", "Entrypoint", "Volumes", "WorkingDir", "Labels"),
    *("StopSignal", "Healthcheck", "OnBuild", "Shell"),
)


def commit(
    store: Store,
    paths: Paths,
    images: Images,
    container: Container,
    request: CreateRequest,
    reference: Reference | None,
    *,
    author: str,
    comment: str,
    asked: tuple[str, ...],
    pause: bool,
    config: dict[str, Any],
) -> IndexEntry:
    """Make the image. A running container is paused meanwhile with `pause`. `config`: settings in place of its own."""
    content, layers = ContentStore(paths), LayerStore(paths)
    base = images.entry(container.image_id)
    parent = images.document(container.image_id)
    run = _run_config(container, request, images, paths, parent)
    run.update({key: value for key, value in config.items() if key in _OF_CONFIG and value not in (None, "", [], {})})
    run = apply(run, asked)
    below = _layers_of(content, base)
    lower = tuple(images.layer_path(chain_id) for chain_id in images.config(container.image_id).chain_ids)
    with PullsLock(paths):
        held = pause and container.state == "running"
        if held:
            stop.pause(store, paths, container)
        try:
            walked = changes.walk(paths.container(container.id), lower)
            first = next(walked, None)
            layer = None if first is None else pack_layer(content, gathered(_archive(first, walked)))
        finally:
            if held:
                stop.unpause(store, paths, container.replace(state="paused"))
        created = created_now()
        step = {
            "created": created,
            "created_by": " ".join(container.command),
            **({"author": author} if author else {}),
            **({"comment": comment} if comment else {}),
            **({"empty_layer": True} if layer is None else {}),
        }
        blobs = [*below[0], *([layer] if layer is not None else [])]
        document = {
            **{key: parent[key] for key in ("architecture", "os", "variant", "os.version") if parent.get(key)},
            "created": created,
            **({"author": author} if author else {}),
            "config": run,
            "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob in blobs]},
            "history": [*_history(parent, len(below[0])), step],
        }
        return compose(
            paths,
            layers,
            config=encode(document),
            layers=blobs,
            descriptors=[*below[1], *([_descriptor(layer)] if layer is not None else [])],
            reference=reference,
        )


def _run_config(
    container: Container, request: CreateRequest, images: Images, paths: Paths, parent: dict[str, Any]
) -> dict[str, Any]:
    own = inspect.document(container, request, images.config(container.image_id), paths)["Config"]
    inherited = dict(parent.get("config") or {})
    kept = {key: own[key] for key in _OF_CONFIG if own.get(key)}
    kept.pop("Hostname", None)
    kept.pop("Domainname", None)
    return {**inherited, **kept}


def _layers_of(content: ContentStore, entry: IndexEntry) -> tuple[list[LayerBlob], list[dict[str, Any]]]:
    import json

    where = f"image {entry.config}"
    manifest = parse_manifest(content.read(entry.digest, MANIFEST_LIMIT), entry.media_type, where)
    if not isinstance(manifest, Manifest):
        raise TypeError(f"{where}: an index entry points at an index")
    config = parse_config(content.read(entry.config, 16 << 20), where)
    return layer_blobs(manifest, config, where), json.loads(as_oci(manifest))["layers"]


def _history(parent: dict[str, Any], layers: int) -> list[dict[str, Any]]:
    """The steps of the image; one that tells nothing gets one for each layer, so that the new step is the last
    layer's."""
    return list(parent.get("history") or [{"created_by": ""} for _ in range(layers)])


def _descriptor(layer: LayerBlob) -> dict[str, Any]:
    from ..images.compose import descriptor

    return descriptor(layer)


def _archive(first: changes.Changed, rest: Iterator[changes.Changed]) -> Iterator[bytes]:
    """The layer's archive: what is new or changed, and a whiteout for what is gone."""
    import itertools

    writer = TreeWriter()
    nothing = header.epoch(0o100600)
    for change in itertools.chain([first], rest):
        if change.kind == "D":
            folder, slash, base = change.name.rpartition(b"/")
            yield header.encode(folder + slash + _WHITEOUT + base, b"0", nothing)
        else:
            yield from writer.entry(change.parent_fd, change.base, change.name)
    yield header.END
