"""Images as one tar that Docker, podman, skopeo and containerd read: an OCI layout that is a docker-archive as well.

The blobs are those of the store, compressed as they came, so that the digests of what is loaded elsewhere are the same.
"""

from __future__ import annotations

import os
import stat

from ..errors import InvalidRequest
from ..tars import header
from .catalogue import find
from .compose import encode
from .content import PIECE, ContentStore
from .index import INDEX_TYPE, Index
from .manifest import MANIFEST_LIMIT, Manifest, parse_manifest
from .reference import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from ..paths import Paths
    from .index import IndexEntry


def chosen(paths: Paths, references: Sequence[str]) -> list[IndexEntry]:
    """What is to be saved: a name alone (`alpine`) is all its tags, as with Docker. Raises ImageNotFound."""
    entries = Index(paths).read()
    found: list[IndexEntry] = []
    for text in references:
        whole = _repository(text)
        named = [item for item in entries if item.reference and parse(item.reference).name == whole]
        for entry in named or [_unnamed_by_id(find(entries, text), text)]:
            if entry not in found:
                found.append(entry)
    return found


def archive(paths: Paths, entries: Sequence[IndexEntry]) -> Iterator[bytes]:
    """The tar of these images. Raises CorruptContent and NotFound, before the first piece, when one is damaged."""
    content = ContentStore(paths)
    blobs: dict[str, None] = {}
    images: dict[str, dict[str, Any]] = {}
    descriptors = []
    for entry in entries:
        data = content.read(entry.digest, MANIFEST_LIMIT)
        manifest = parse_manifest(data, entry.media_type, f"image {entry.config}")
        if not isinstance(manifest, Manifest):
            raise TypeError(f"image {entry.config}: an index entry points at an index")
        layers = [layer.digest for layer in manifest.layers]
        blobs |= dict.fromkeys((entry.digest, entry.config, *layers))
        image = images.setdefault(
            entry.config,
            {"Config": _place(entry.config), "RepoTags": [], "Layers": [_place(digest) for digest in layers]},
        )
        descriptors.append(_descriptor(entry))
        if entry.reference and not parse(entry.reference).digest:
            image["RepoTags"].append(parse(entry.reference).familiar)
    for image in images.values():
        image["RepoTags"] = image["RepoTags"] or None
    for digest in blobs:
        content.size(digest)
    return _pieces(content, sorted(blobs), descriptors, list(images.values()))


def _pieces(
    content: ContentStore, blobs: list[str], descriptors: list[dict[str, Any]], images: list[dict[str, Any]]
) -> Iterator[bytes]:
    yield from _folder("blobs/")
    yield from _folder("blobs/sha256/")
    for digest in blobs:
        yield from _blob(content, digest)
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": descriptors}
    yield from _file("index.json", encode(index))
    yield from _file("manifest.json", encode_list(images))
    yield from _file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    yield header.END


def encode_list(items: list[dict[str, Any]]) -> bytes:
    return b"[" + b",".join(encode(item) for item in items) + b"]"


def _repository(text: str) -> str:
    """The repository that a text without tag, digest or id names; "" for others."""
    if "@" in text or ":" in text.rpartition("/")[2]:
        return ""
    try:
        return parse(text).name
    except InvalidRequest:  # an id, or nonsense that `find` names
        return ""


def _unnamed_by_id(entry: IndexEntry, text: str) -> IndexEntry:
    """An image that was named by its id is saved without names."""
    digest = text.removeprefix("sha256:")
    return entry.replace(reference="") if entry.config.removeprefix("sha256:").startswith(digest) else entry


def _descriptor(entry: IndexEntry) -> dict[str, Any]:
    found: dict[str, Any] = {"mediaType": entry.media_type, "digest": entry.digest, "size": entry.size}
    platform = {"architecture": entry.architecture, "os": entry.os, "variant": entry.variant}
    if entry.architecture and entry.os:
        found["platform"] = {key: value for key, value in platform.items() if value}
    if entry.reference and not parse(entry.reference).digest:
        name = parse(entry.reference)
        found["annotations"] = {
            "io.containerd.image.name": name.full,
            "org.opencontainers.image.ref.name": name.tag,
        }
    return found


def _place(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/', 1)}"


def _folder(name: str) -> Iterator[bytes]:
    yield header.encode(name.encode(), b"5", header.epoch(stat.S_IFDIR | 0o755))


def _file(name: str, data: bytes) -> Iterator[bytes]:
    yield header.encode(name.encode(), b"0", header.epoch(stat.S_IFREG | 0o644), size=len(data))
    yield data + bytes(header.padding(len(data)))


def _blob(content: ContentStore, digest: str) -> Iterator[bytes]:
    size = content.size(digest)
    yield header.encode(_place(digest).encode(), b"0", header.epoch(stat.S_IFREG | 0o644), size=size)
    fd = content.open(digest)
    try:
        while piece := os.read(fd, PIECE):
            yield piece
    finally:
        os.close(fd)
    yield bytes(header.padding(size))
