"""Makes the toolbox image: this machine's shell and tools as an ordinary OCI image, without a network.

The archive holds no time but that of the newest program in it, so that the same machine makes the same image.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
import zlib

from ...errors import HostUnfit
from ..assemble import LayerBlob
from ..manifest import go_architecture
from .recipe import PATH, Toolbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO, Any

    from ..content import ContentStore

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
MISSING_LABEL = "io.pydock.toolbox.missing"


class Made:
    """The image in the content store, not yet in the index."""

    def __init__(self, manifest: str, size: int, config: str, layer: LayerBlob, architecture: str) -> None:
        self.manifest = manifest
        self.manifest_size = size
        self.config = config
        self.layer = layer
        self.architecture = architecture
        self.left_out: list[str] = []


def make_toolbox(content: ContentStore, tell: Callable[[str], None]) -> Made:
    """Collect, pack and store. Raises HostUnfit when this host has no shell to take along."""
    tell("looking for tools")
    try:
        toolbox = Toolbox()
    except (OSError, ValueError) as error:
        raise HostUnfit(f"cannot make a toolbox of this host: {error}", hint="Install busybox-static.") from error
    tell(f"packing {len(toolbox.tree.nodes)} files")
    time_s = toolbox.tree.newest_ns // 1_000_000_000
    layer, diff_id = _pack(content, toolbox, time_s)
    architecture = go_architecture(platform.machine())
    config = _config(toolbox, diff_id, time_s, architecture)
    config_data = _encode(config)
    config_digest = content.add(config_data)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": config_digest, "size": len(config_data)},
        "layers": [{"mediaType": LAYER_TYPE, "digest": layer.digest, "size": layer.size}],
    }
    manifest_data = _encode(manifest)
    made = Made(content.add(manifest_data), len(manifest_data), config_digest, layer, architecture)
    made.left_out = toolbox.left_out
    return made


def _pack(content: ContentStore, toolbox: Toolbox, time_s: int) -> tuple[LayerBlob, str]:
    os.makedirs(content.paths.ingest, mode=0o700, exist_ok=True)
    path = f"{content.paths.ingest}/toolbox-{os.getpid()}-{time.monotonic_ns()}"
    try:
        with open(path, "wb") as file:
            output = _Packer(file)
            toolbox.tree.write(output, time_s)  # type: ignore[arg-type]
            output.finish()
        layer = LayerBlob(digest=output.digest, size=output.size, diff_id=output.diff_id)
        content.take(path, layer.digest)
    except BaseException:
        if os.path.exists(path):
            os.unlink(path)
        raise
    return layer, layer.diff_id


class _Packer:
    """A file to write an archive to: compresses, and hashes both sides."""

    def __init__(self, file: IO[bytes]) -> None:
        self.size = 0
        self._file = file
        self._plain = hashlib.sha256()
        self._packed = hashlib.sha256()
        self._position = 0
        try:
            from isal import isal_zlib

            self._compressor: Any = isal_zlib.compressobj(3, isal_zlib.DEFLATED, 31)
        except ImportError:
            self._compressor = zlib.compressobj(6, zlib.DEFLATED, 31)

    @property
    def digest(self) -> str:
        return f"sha256:{self._packed.hexdigest()}"

    @property
    def diff_id(self) -> str:
        return f"sha256:{self._plain.hexdigest()}"

    def write(self, data: bytes) -> int:
        self._plain.update(data)
        self._position += len(data)
        self._put(self._compressor.compress(data))
        return len(data)

    def tell(self) -> int:
        return self._position

    def finish(self) -> None:
        self._put(self._compressor.flush())

    def _put(self, data: bytes) -> None:
        self._packed.update(data)
        self._file.write(data)
        self.size += len(data)


def _config(toolbox: Toolbox, diff_id: str, time_s: int, architecture: str) -> dict[str, Any]:
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s))
    return {
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "Env": [f"PATH={PATH}", "LANG=C.UTF-8", "ENV=/etc/shrc"],
            "Cmd": [os.path.basename(toolbox.shell)],
            "Labels": {
                "org.opencontainers.image.title": "toolbox",
                "org.opencontainers.image.description": "shell and tools of the machine it was made on",
                MISSING_LABEL: " ".join(toolbox.left_out),
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": created, "created_by": "pydock image toolbox"}],
    }


def _encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
