"""Volumes of another engine, with the face of `volumes.volumes.Volumes`."""

from __future__ import annotations

from ..errors import EngineError
from ..models import VolumeUsage
from .api import only_here, quoted
from .models import volume as read_volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable
    from typing import Any

    from ..models import Volume
    from .api import Api


class RemoteVolumes:
    def __init__(self, api: Api) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Any:
        raise only_here(name)

    def list(self) -> list[Volume]:
        reply = self._api.json("GET", "/volumes") or {}
        return sorted((read_volume(row) for row in reply.get("Volumes") or ()), key=_by_name)

    def get(self, name: str) -> Volume:
        return read_volume(self.inspect(name))

    def inspect(self, name: str) -> dict[str, Any]:
        document: dict[str, Any] = self._api.json("GET", f"/volumes/{quoted(name)}")
        return document

    def create(
        self,
        name: str = "",
        labels: dict[str, str] | None = None,
        *,
        anonymous: bool = False,
        options: dict[str, str] | None = None,
    ) -> Volume:
        body = {"Name": name, "Labels": labels or {}, "DriverOpts": options or {}}
        return read_volume(self._api.json("POST", "/volumes/create", None, body))

    def remove(self, name: str) -> None:
        self._api.open("DELETE", f"/volumes/{quoted(name)}").read()

    def users(self, name: str) -> tuple[str, ...]:
        """Names of the containers, running or not, that mount it."""
        rows = self._api.json("GET", "/containers/json", {"all": True, "filters": {"volume": [name]}})
        return tuple(self._names(rows or []))

    def usage(self) -> dict[str, VolumeUsage]:
        """What every volume takes and who mounts it, by name."""
        found = {}
        for row in (self._api.json("GET", "/system/df") or {}).get("Volumes") or ():
            data = row.get("UsageData") or {}
            size = data.get("Size")
            users = self.users(row["Name"]) if int(data.get("RefCount") or 0) > 0 else ()
            found[row["Name"]] = VolumeUsage(size=-1 if size is None else int(size), users=users)
        return found

    def prune(
        self, *, all: bool = False, wanted: Callable[[Volume], bool] = lambda volume: True
    ) -> tuple[builtins.list[str], int]:
        """Delete what no container mounts: anonymous ones, with `all` the named as well."""
        gone, freed, usage = [], 0, self.usage()
        for volume in self.list():
            used = usage.get(volume.name)
            if used is None or used.users or not (all or volume.anonymous) or not wanted(volume):
                continue
            try:
                self.remove(volume.name)
            except EngineError:  # taken into use, or removed by somebody else
                continue
            gone.append(volume.name)
            freed += max(0, used.size)
        return gone, freed

    @staticmethod
    def _names(rows: builtins.list[dict[str, Any]]) -> builtins.list[str]:
        return [str((row.get("Names") or [row["Id"][:12]])[0]).lstrip("/") for row in rows]


def _by_name(volume: Volume) -> str:
    return volume.name
