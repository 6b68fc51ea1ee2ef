"""The least that a bundle can be built of; tests change two fields and look."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from engine.bundle import spec
from engine.images.config import ImageConfig
from engine.models import Container, CreateRequest
from engine.paths import Paths

CONTAINER_ID = "0123456789abcdef" * 4


class Bench:
    """One layer, one container folder, and `spec.build` over them."""

    def __init__(self, base: Path) -> None:
        self.paths = Paths(str(base / "root"), str(base / "run"))
        self.paths.create()
        self.layer = base / "layer"
        (self.layer / "etc").mkdir(parents=True)
        self.folder = Path(self.paths.container(CONTAINER_ID))
        self.folder.mkdir()
        self.image = ImageConfig(id="sha256:" + "a" * 64, command=("sh",))

    def write(self, path: str, text: str) -> None:
        target = self.layer / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def build(self, *, container: dict[str, Any] | None = None, **request: Any) -> dict[str, Any]:
        asked = CreateRequest(**{"image": "toolbox", **request})
        values: dict[str, Any] = {
            "id": CONTAINER_ID,
            "name": "one",
            "image": "toolbox",
            "image_id": self.image.id,
            "command": (),
            "created_ns": 1,
            "mounts": asked.mounts,
            **(container or {}),
        }
        return spec.build(asked, self.image, Container(**values), self.paths, (str(self.layer),))


def mount_at(config: dict[str, Any], target: str) -> dict[str, Any]:
    """The one mount with this destination."""
    (found,) = [mount for mount in config["mounts"] if mount["destination"] == target]
    return dict(found)


def environment(config: dict[str, Any]) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in config["process"]["env"])


def whiteout(path: Path) -> None:
    os.mknod(path, 0o020000, 0)
