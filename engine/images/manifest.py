"""Documents from registries that nobody vouches for: manifests, indexes and configurations, read strictly.

What passes here has digests and sizes that can be used in paths and requests. Unknown fields are ignored, as the
specifications ask; the original bytes are what is stored. Sources: OCI image-spec manifest.md, image-index.md,
config.md; distribution's manifest v2 schema 2.
"""

from __future__ import annotations

import platform as host_platform
from typing import TypeVar

import msgspec

from ..errors import CorruptContent, ImageNotFound, InvalidRequest
from .assemble import LayerBlob, is_layer
from .reference import is_digest

Document = TypeVar("Document")

MANIFEST_LIMIT = 4 << 20
CONFIG_LIMIT = 16 << 20
MAXIMUM_LAYERS = 1000

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
ACCEPTED = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST)
_SCHEMA_1 = (
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)

_ARCHITECTURES = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i686": ("386", ""),
    "i386": ("386", ""),
    "ppc64le": ("ppc64le", ""),
    "riscv64": ("riscv64", ""),
    "s390x": ("s390x", ""),
    "loongarch64": ("loong64", ""),
}


class Platform(msgspec.Struct, rename={"os_version": "os.version"}):
    """What a manifest of an index is for."""

    architecture: str = ""
    os: str = ""
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, rename="camel"):
    """Points at a document or blob."""

    digest: str
    size: int
    media_type: str = ""
    platform: Platform | None = None
    annotations: dict[str, str] | None = None


class Manifest(msgspec.Struct, rename="camel"):
    """One platform's image."""

    schema_version: int
    config: Descriptor
    layers: list[Descriptor]
    media_type: str = ""


class ManifestIndex(msgspec.Struct, rename="camel"):
    """Manifests by platform."""

    schema_version: int
    manifests: list[Descriptor]
    media_type: str = ""


class _RootFs(msgspec.Struct):
    diff_ids: list[str]


class _Run(msgspec.Struct, rename="pascal"):
    env: list[str] | None = None
    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    working_dir: str | None = None
    user: str | None = None
    exposed_ports: dict[str, object] | None = None
    volumes: dict[str, object] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | None = None
    healthcheck: dict[str, object] | None = None


class Config(msgspec.Struct):
    """The fields of an image configuration that are used here."""

    rootfs: _RootFs
    architecture: str = ""
    os: str = ""
    variant: str = ""
    config: _Run | None = None


class _Kind(msgspec.Struct, rename="camel"):
    media_type: str = ""
    manifests: object = None
    layers: object = None
    fs_layers: object = None


def parse_manifest(data: bytes, media_type: str, where: str) -> Manifest | ManifestIndex:
    """Read what a registry sent for a tag or digest. Raises CorruptContent, naming `where` it is from."""
    kind = _decode(data, _Kind, where)
    declared = kind.media_type or media_type
    # A document that can be read both ways would be a different image to different readers (CVE-2021-41190).
    if kind.manifests is not None and kind.layers is not None:
        raise CorruptContent(f"{where}: ambiguous, both an index and a manifest")
    if kind.fs_layers is not None or declared in _SCHEMA_1:
        raise CorruptContent(
            f"{where}: manifest schema 1 is not supported", hint="Push the image again with a tool of this decade."
        )
    if declared in (OCI_INDEX, DOCKER_LIST) or (declared not in ACCEPTED and kind.manifests is not None):
        index = _decode(data, ManifestIndex, where)
        for descriptor in index.manifests:
            _check(descriptor, where)
        return index
    if declared not in ACCEPTED and kind.layers is None:
        raise CorruptContent(f"{where}: media type {declared!r} is not an image")
    manifest = _decode(data, Manifest, where)
    if len(manifest.layers) > MAXIMUM_LAYERS:
        raise CorruptContent(f"{where}: {len(manifest.layers)} layers are more than {MAXIMUM_LAYERS}")
    for descriptor in (manifest.config, *manifest.layers):
        _check(descriptor, where)
    return manifest


def parse_config(data: bytes, where: str) -> Config:
    """Read an image configuration. Raises CorruptContent."""
    config = _decode(data, Config, where)
    if len(config.rootfs.diff_ids) > MAXIMUM_LAYERS:
        raise CorruptContent(f"{where}: more than {MAXIMUM_LAYERS} layers")
    for diff_id in config.rootfs.diff_ids:
        if not is_digest(diff_id) or not diff_id.startswith("sha256:"):
            raise CorruptContent(f"{where}: {diff_id[:80]!r} is not a diff id")
    return config


def as_oci(manifest: Manifest) -> bytes:
    """The same image in the words of OCI: the layout holds nothing else, for other tools read nothing else there.

    Docker's configuration and layers are OCI's under other media types, so no blob changes.
    """
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {**_plain(manifest.config), "mediaType": OCI_CONFIG},
        "layers": [_plain(layer) | {"mediaType": _oci_layer(layer.media_type)} for layer in manifest.layers],
    }
    return msgspec.json.encode(document)


def layer_blobs(manifest: Manifest, config: Config, where: str) -> list[LayerBlob]:
    """The layers with what should be inside, bottom first. Raises CorruptContent when the two disagree."""
    for layer in manifest.layers:
        if not is_layer(layer.media_type):
            raise CorruptContent(
                f"{where}: content of type {layer.media_type!r} is not a file system layer",
                hint="It may be an artifact, such as a chart or a signature, and no image.",
            )
    if len(manifest.layers) != len(config.rootfs.diff_ids):
        raise CorruptContent(
            f"{where}: {len(manifest.layers)} layers, but the configuration names {len(config.rootfs.diff_ids)}"
        )
    return [
        LayerBlob(digest=layer.digest, size=layer.size, diff_id=diff_id)
        for layer, diff_id in zip(manifest.layers, config.rootfs.diff_ids, strict=True)
    ]


def parse_platform(text: str) -> Platform:
    """`os/architecture[/variant]` or an architecture alone; "" is this host's. Raises InvalidRequest."""
    if not text:
        architecture, variant = _ARCHITECTURES.get(host_platform.machine(), (host_platform.machine(), ""))
        return Platform(architecture=architecture, os="linux", variant=variant)
    parts = text.lower().split("/")
    if len(parts) > 3 or not all(part.replace("_", "").replace("-", "").isalnum() for part in parts):
        raise InvalidRequest(f"invalid platform {text!r}", hint="Write it as linux/amd64 or linux/arm/v7.")
    if len(parts) == 1:
        parts = ["linux", *parts] if parts[0] != "linux" else ["linux", go_architecture(host_platform.machine())]
    architecture, variant = _ARCHITECTURES.get(parts[1], (parts[1], ""))
    return Platform(os=parts[0], architecture=architecture, variant=parts[2] if len(parts) > 2 else variant)


def choose(index: ManifestIndex, wanted: Platform, name: str) -> Descriptor:
    """The manifest for a platform: the exact variant, else the newest older one. Raises ImageNotFound."""
    candidates = [
        descriptor
        for descriptor in index.manifests
        if descriptor.platform is not None
        and descriptor.platform.os == wanted.os
        and descriptor.platform.architecture == wanted.architecture
    ]
    ranked = sorted(candidates, key=lambda descriptor: _rank(descriptor, wanted))
    if ranked and _rank(ranked[0], wanted) < _UNFIT:
        return ranked[0]
    without = [descriptor for descriptor in index.manifests if descriptor.platform is None]
    if len(index.manifests) == 1 and without:
        return without[0]
    offered = sorted(
        {
            str(descriptor.platform)
            for descriptor in index.manifests
            if descriptor.platform is not None and descriptor.platform.os not in ("", "unknown")
        }
    )
    raise ImageNotFound(
        f"no matching manifest for {wanted} in the manifest list entries of {name}",
        hint=f"It exists for {', '.join(offered)}." if offered else "",
    )


def go_architecture(machine: str) -> str:
    """The name that images use for what uname calls `machine`."""
    return _ARCHITECTURES.get(machine, (machine, ""))[0]


_UNFIT = 1000


def _rank(descriptor: Descriptor, wanted: Platform) -> int:
    variant = descriptor.platform.variant if descriptor.platform is not None else ""
    if wanted.architecture == "arm64":
        variant, exact = variant or "v8", wanted.variant or "v8"
    else:
        exact = wanted.variant
    if variant == exact:
        return 0
    if not variant:
        return 1
    if not exact:
        # No variant asked for: the plainest one that there is.
        return 2 + int(variant[1:]) if variant[1:].isdigit() else _UNFIT - 1
    if variant[1:].isdigit() and exact[1:].isdigit() and int(variant[1:]) < int(exact[1:]):
        return 2 + int(exact[1:]) - int(variant[1:])
    return _UNFIT


def _plain(descriptor: Descriptor) -> dict[str, object]:
    return {"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size}


def _oci_layer(media_type: str) -> str:
    prefix = "application/vnd.docker.image.rootfs."
    if not media_type.startswith(prefix):
        return media_type
    compression = media_type.rpartition(".tar")[2].removeprefix(".")
    return f"application/vnd.oci.image.layer.v1.tar{'+' if compression else ''}{compression}"


def _check(descriptor: Descriptor, where: str) -> None:
    if not is_digest(descriptor.digest):
        raise CorruptContent(f"{where}: {descriptor.digest[:80]!r} is not a digest")
    if descriptor.size < 0:
        raise CorruptContent(f"{where}: {descriptor.digest} has the impossible size {descriptor.size}")


def _decode(data: bytes, kind: type[Document], where: str) -> Document:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise CorruptContent(f"{where}: {error}") from error
