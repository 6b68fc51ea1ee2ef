"""An OCI bundle of busybox for the runtimes."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING

from .images import busybox_layer
from .peers import run

if TYPE_CHECKING:
    from pathlib import Path


def make_bundle(folder: Path) -> Path:
    """A rootfs and runc's own default config, with `true` as its program."""
    rootfs = folder / "rootfs"
    rootfs.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(busybox_layer())) as tar:
        tar.extractall(rootfs, filter="tar")
    run(["runc", "spec"], cwd=folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["process"]["terminal"] = False
    config["process"]["args"] = ["/bin/true"]
    # the machine may lack CAP_SYS_RESOURCE, without which a limit cannot be raised
    config["process"].pop("rlimits", None)
    path.write_text(json.dumps(config))
    return folder
