"""Volumes: list, create, inspect, remove, prune."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...cli.filters import matches_labels
from ...disk import tree_size
from ...errors import EngineError
from ..call import NO_CONTENT, Answer, Call, json_answer
from ..errors import ApiError
from ..fields import Fields
from ..filters import read_filters, truth

if TYPE_CHECKING:
    from ...cli.filters import Filters
    from ...engine import Engine

_FILTERS = ("dangling", "driver", "label", "name")


async def list_all(call: Call) -> Answer:
    filters = read_filters(call, _FILTERS)
    dangling = truth("dangling", filters.get("dangling", ()))
    volumes = await call.threads.call(_list, call.engine, filters, dangling)
    return json_answer({"Volumes": volumes, "Warnings": None})


async def create(call: Call) -> Answer:
    """Of an existing name it is the same volume again."""
    fields = Fields(call.json(), "VolumeConfig")
    if fields.text("Driver") not in ("", "local"):
        raise ApiError(
            404,
            f"create {fields.text('Name')}: error looking up volume plugin {fields.text('Driver')}: "
            f'plugin "{fields.text("Driver")}" not found',
        )
    volume = await call.threads.call(
        call.engine.volumes.create,
        fields.text("Name"),
        fields.pairs("Labels"),
        options=fields.pairs("DriverOpts"),
    )
    return json_answer(await call.threads.call(call.engine.volumes.inspect, volume.name), 201)


async def inspect(call: Call) -> Answer:
    return json_answer(await call.threads.call(call.engine.volumes.inspect, call.words["name"]))


async def remove(call: Call) -> Answer:
    try:
        await call.threads.call_long(call.engine.volumes.remove, call.words["name"])
    except EngineError as error:
        from ...errors import VolumeNotFound

        if not (call.flag("force") and isinstance(error, VolumeNotFound)):
            raise
    return NO_CONTENT


async def prune(call: Call) -> Answer:
    """Only anonymous ones, unless the filter `all` says otherwise or the client is older than 1.42."""
    filters = read_filters(call, ("all", "label", "label!"))
    everything = bool(truth("all", filters.get("all", ()))) or call.version < (1, 42)
    return json_answer(await call.threads.call_long(_prune, call.engine, filters, everything))


def _list(engine: Engine, filters: Filters, dangling: bool | None) -> list[dict[str, Any]]:
    used = _used(engine) if dangling is not None else set()
    return [
        engine.volumes.inspect(volume.name)
        for volume in engine.volumes.list()
        if matches_labels(filters.get("label", ()), volume.labels)
        and any(name in volume.name for name in filters.get("name", [""]))
        and "local" in filters.get("driver", ["local"])
        and (dangling is None or (volume.name not in used) == dangling)
    ]


def _used(engine: Engine) -> set[str]:
    containers = engine.containers.list(all=True)
    return {mount.source for item in containers for mount in item.mounts if mount.type == "volume"}


def _prune(engine: Engine, filters: Filters, everything: bool) -> dict[str, Any]:
    used = _used(engine)
    deleted, freed = [], 0
    for volume in engine.volumes.list():
        if volume.name in used or not (everything or volume.anonymous):
            continue
        if not matches_labels(filters.get("label", ()), volume.labels):
            continue
        if any(matches_labels([unwanted], volume.labels) for unwanted in filters.get("label!", ())):
            continue
        size = tree_size(volume.path)
        try:
            engine.volumes.remove(volume.name)
        except EngineError:  # taken into use, or removed by somebody else
            continue
        deleted.append(volume.name)
        freed += size
    return {"VolumesDeleted": deleted or None, "SpaceReclaimed": freed}
