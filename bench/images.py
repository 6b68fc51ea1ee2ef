"""The images that all sides run: a small one of busybox, and a large one of nine layers of this machine's files."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYERS = 9
LAYER_BYTES = 38 << 20
SOURCES = ("/usr/lib", "/usr/share", "/usr/bin")


class Layout:
    """Writes an OCI image layout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self._manifests: list[dict[str, object]] = []

    def add(self, tag: str, layers: list[bytes], command: list[str]) -> None:
        """Add an image of these tars."""
        descriptors = [
            self._blob(gzip.compress(layer, 6, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")
            for layer in layers
        ]
        config = {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
            "os": "linux",
            "config": {"Cmd": command, "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers],
            },
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self._blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
            "layers": descriptors,
        }
        described = self._blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
        self._manifests.append({**described, "annotations": {"org.opencontainers.image.ref.name": tag}})
        index = {"schemaVersion": 2, "manifests": self._manifests}
        (self.folder / "index.json").write_text(json.dumps(index))

    def _blob(self, data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


def busybox_layer() -> bytes:
    """A root file system of one static busybox and links to it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("bin", "etc", "proc", "sys", "dev", "tmp"):
            _folder(tar, name)
        tar.add("/usr/bin/busybox" if Path("/usr/bin/busybox").exists() else "/bin/busybox", "bin/busybox")
        for applet in ("sh", "true", "sleep", "echo", "cat", "seq", "top", "ls"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


def large_layers() -> list[bytes]:
    """Nine tars of this machine's own files, some 40 MB each, no file twice."""
    paths = _files()
    layers = []
    for number in range(LAYERS):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for path in paths:
                tar.add(path, f"layer{number}{path}")
                if buffer.tell() >= LAYER_BYTES:
                    break
        layers.append(buffer.getvalue())
    return layers


def _files() -> Iterator[str]:
    for source in SOURCES:
        for folder, _, names in os.walk(source):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    yield path


def _folder(tar: tarfile.TarFile, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(entry)
