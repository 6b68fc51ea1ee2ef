"""`docker image inspect` and `docker history`, from the documents that the image consists of."""

from __future__ import annotations

from .catalogue import time_ns
from .config import chain_ids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..models import Image
    from .layers import LayerStore


def inspect_image(image: Image, document: dict[str, Any], layers: LayerStore) -> dict[str, Any]:
    """The document that `docker image inspect` shows."""
    diff_ids = document["rootfs"]["diff_ids"]
    chain = chain_ids(diff_ids)
    return {
        "Id": image.id,
        "RepoTags": list(image.references),
        "RepoDigests": list(image.repo_digests),
        "Parent": "",
        "Comment": document.get("comment") or _last_comment(document),
        "Created": document.get("created") or "",
        "DockerVersion": document.get("docker_version") or "",
        "Author": document.get("author") or "",
        "Config": document.get("config") or {},
        "Architecture": image.architecture,
        **({"Variant": document["variant"]} if document.get("variant") else {}),
        "Os": image.os,
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": {
            "Name": "overlay",
            "Data": {"LowerDir": ":".join(layers.path(chain_id) for chain_id in reversed(chain))},
        },
        "RootFS": {"Type": "layers", "Layers": list(diff_ids)},
        "Metadata": {"LastTagTime": ""},
        "Descriptor": {"digest": image.digest},
    }


def history_of(image: Image, document: dict[str, Any], layers: LayerStore) -> list[dict[str, Any]]:
    """The steps that made the image, newest first, with the unpacked size of the layer each one added."""
    chain = list(chain_ids(document["rootfs"]["diff_ids"]))
    steps = document.get("history") or [{} for _ in chain]
    rows: list[dict[str, Any]] = []
    for step in steps:
        empty = bool(step.get("empty_layer"))
        chain_id = "" if empty or not chain else chain.pop(0)
        rows.append(
            {
                "Id": "<missing>",
                "Created": time_ns(step.get("created")) // 1_000_000_000,
                "CreatedBy": step.get("created_by") or "",
                "Tags": None,
                "Size": layers.size(chain_id) if chain_id else 0,
                "Comment": step.get("comment") or "",
            }
        )
    for chain_id in chain:  # layers that the history does not tell about
        rows.append(
            {
                "Id": "<missing>",
                "Created": 0,
                "CreatedBy": "",
                "Tags": None,
                "Size": layers.size(chain_id),
                "Comment": "",
            }
        )
    rows.reverse()
    if rows:
        rows[0]["Id"] = image.id
        rows[0]["Tags"] = list(image.references) or None
    return rows


def _last_comment(document: dict[str, Any]) -> str:
    history = document.get("history") or [{}]
    return history[-1].get("comment") or ""
