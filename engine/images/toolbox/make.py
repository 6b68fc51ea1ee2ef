"""Makes the toolbox image: this machine's shell and tools as an ordinary OCI image, without a network.

The archive holds no time but that of the newest program in it, so that the same machine makes the same image.
"""

from __future__ import annotations

import json
import os
import platform
import time

from ...errors import HostUnfit
from ..manifest import go_architecture
from ..pack import LAYER_TYPE, packing
from .recipe import PATH, Toolbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..assemble import LayerBlob
    from ..content import ContentStore

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
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
    with packing(content) as (packer, stored):
        toolbox.tree.write(packer, time_s)  # type: ignore[arg-type]
    return stored[0], stored[0].diff_id


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
