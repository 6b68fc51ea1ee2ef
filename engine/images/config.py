"""What an image says about how to run it: its configuration document, and the chain-ids of its layers.

Read here with plain `json` on the path of a cold `run`; documents from a registry pass `manifest.check_config`
first. The chain-id of a layer stands for it and all below it. Source: OCI image-spec, config.md.
"""

from __future__ import annotations

import json

from ..errors import CorruptContent
from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ImageConfig(Record):
    """`id` is the digest of the document, `chain_ids` name the unpacked layers, bottom first."""

    id: str
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_dir: str = ""
    user: str = ""
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    stop_signal: str = ""
    healthcheck: dict[str, Any] | None = None
    shell: tuple[str, ...] = ()
    chain_ids: tuple[str, ...] = ()
    architecture: str = ""
    os: str = ""


def load_config(path: str, image_id: str) -> ImageConfig:
    """Read the configuration blob at `path`. Raises FileNotFoundError, and CorruptContent for bad content."""
    return parse_config(load_document(path, image_id), image_id)


def load_document(path: str, image_id: str) -> dict[str, Any]:
    """The configuration as it is, for those who show it."""
    with open(path, "rb") as file:
        text = file.read()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptContent(f"configuration {image_id} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise CorruptContent(f"configuration {image_id} is not a JSON object")
    return document


def parse_config(document: dict[str, Any], image_id: str) -> ImageConfig:
    """Build the value. Raises CorruptContent naming what is not as the specification has it."""
    try:
        run = document.get("config") or {}
        return ImageConfig(
            id=image_id,
            env=tuple(run.get("Env") or ()),
            entrypoint=tuple(run.get("Entrypoint") or ()),
            command=tuple(run.get("Cmd") or ()),
            working_dir=run.get("WorkingDir") or "",
            user=run.get("User") or "",
            exposed_ports=tuple(sorted(run.get("ExposedPorts") or ())),
            volumes=tuple(sorted(run.get("Volumes") or ())),
            labels=run.get("Labels") or {},
            stop_signal=run.get("StopSignal") or "",
            healthcheck=run.get("Healthcheck"),
            shell=tuple(run.get("Shell") or ()),
            chain_ids=chain_ids(document["rootfs"]["diff_ids"]),
            architecture=document.get("architecture") or "",
            os=document.get("os") or "",
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CorruptContent(f"configuration {image_id} is not an image configuration: {error!r}") from error


def chain_ids(diff_ids: list[str]) -> tuple[str, ...]:
    """The chain-id of each layer, bottom first."""
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(_sha256(f"{chain[-1]} {diff_id}") if chain else diff_id)
    return tuple(chain)


def _sha256(text: str) -> str:
    # hashlib costs 8 ms to import, which every cold `run` would pay for one line of text.
    try:
        from _sha2 import sha256  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]
    return f"sha256:{sha256(text.encode()).hexdigest()}"
