"""What a client asked for at `create` and the engine has no use for: kept beside the container for `inspect`.

Docker tells it all back, and some programs make a container anew from what they are told. The file is the API's alone
and goes with the container; without it `inspect` tells what the engine knows.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..paths import Paths

_FILE = "api.json"
_OF_CONFIG = ("AttachStdin", "AttachStdout", "AttachStderr")
_OF_HOST = ("Binds", "Mounts", "ConsoleSize", "NetworkMode", "Init", "VolumeDriver", "Isolation", "Cgroup")


def keep(paths: Paths, container_id: str, body: dict[str, Any]) -> None:
    host = body.get("HostConfig") or {}
    kept = {
        "Config": {key: body[key] for key in _OF_CONFIG if body.get(key) is not None},
        "HostConfig": {key: host[key] for key in _OF_HOST if host.get(key) is not None},
    }
    path = _path(paths, container_id)
    try:
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump(kept, file)
        os.replace(f"{path}.new", path)
    except FileNotFoundError:  # removed by somebody else already
        pass


def kept(paths: Paths, container_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(of Config, of HostConfig); empty for what another program made."""
    try:
        with open(_path(paths, container_id), encoding="utf-8") as file:
            data = json.load(file)
        return data["Config"], data["HostConfig"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}, {}


def _path(paths: Paths, container_id: str) -> str:
    return f"{paths.container(container_id)}/{_FILE}"
