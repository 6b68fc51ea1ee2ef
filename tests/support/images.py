"""Images made here, from nothing but bytes: for registries, and to be taken apart by hostile hands."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def member(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """One entry of an archive; `fields` are TarInfo's (mode, uid, linkname, pax_headers, …)."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = len(data)
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    info.mtime = 1_700_000_000
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def archive(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=format) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return output.getvalue()


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Layout:
    """An OCI layout being filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self._entries: list[dict[str, Any]] = []

    def blob(self, data: bytes) -> str:
        name = digest(data)
        (self.folder / "blobs" / name.replace(":", "/")).write_bytes(data)
        return name

    def image(
        self,
        name: str,
        *archives: bytes,
        run: dict[str, Any] | None = None,
        architecture: str = "amd64",
        variant: str = "",
        os: str = "linux",
        diff_ids: list[str] | None = None,
        list_it: bool = True,
    ) -> dict[str, Any]:
        """Add an image of these (uncompressed) layers; returns its descriptor. `diff_ids` may lie."""
        layers = []
        for tar in archives:
            packed = gzip.compress(tar, 1, mtime=0)
            layers.append({"mediaType": OCI_LAYER, "digest": self.blob(packed), "size": len(packed)})
        config = json.dumps(
            {
                "created": "2024-05-06T07:08:09.5Z",
                "architecture": architecture,
                **({"variant": variant} if variant else {}),
                "os": os,
                "config": run or {"Cmd": ["sh"]},
                "rootfs": {"type": "layers", "diff_ids": diff_ids or [digest(tar) for tar in archives]},
                "history": [{"created_by": f"step {number}"} for number, _ in enumerate(archives)],
            }
        ).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": {"mediaType": OCI_CONFIG, "digest": self.blob(config), "size": len(config)},
                "layers": layers,
            }
        ).encode()
        platform = {"architecture": architecture, "os": os, **({"variant": variant} if variant else {})}
        descriptor = {
            "mediaType": OCI_MANIFEST,
            "digest": self.blob(manifest),
            "size": len(manifest),
            "platform": platform,
        }
        if list_it:
            self._list(name, descriptor)
        return descriptor

    def index(self, name: str, *descriptors: dict[str, Any]) -> None:
        """Add an index of images."""
        document = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(descriptors)}).encode()
        self._list(name, {"mediaType": OCI_INDEX, "digest": self.blob(document), "size": len(document)})

    def _list(self, name: str, descriptor: dict[str, Any]) -> None:
        annotated = {**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}}
        self._entries.append(annotated)
        index = {"schemaVersion": 2, "manifests": self._entries}
        (self.folder / "index.json").write_text(json.dumps(index))
