"""Containers: create, list, inspect, remove, rename, prune."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...cli import ps
from ...cli.errors import UsageError
from ...cli.filters import matches_labels
from ...cli.units import parse_time
from ...disk import tree_size
from ...errors import EngineError, ImageNotFound
from .. import asked
from ..call import NO_CONTENT, Answer, Call, json_answer
from ..create_limits import read_resources, read_restart
from ..create_request import read_create
from ..errors import ApiError
from ..fields import Fields
from ..filters import read_filters
from ..render import container as render

if TYPE_CHECKING:
    from ...cli.filters import Filters
    from ...engine import Engine
    from ...models import Container

_FILTERS = (*ps.FILTERS, "is-task")


async def create(call: Call) -> Answer:
    """201 with the id; 404 when the image is not here, which makes clients pull it."""
    body = call.json()
    made = read_create(body, name=call.text("name"), platform=call.text("platform"))
    container = await call.threads.call_long(call.engine.containers.create, made.request)
    await call.threads.call(asked.keep, call.engine.paths, container.id, body)
    if made.size:
        call.service.held.sizes[container.id] = made.size
    warnings = [*made.warnings, *call.engine.containers.warnings(made.request)]
    return json_answer({"Id": container.id, "Warnings": warnings}, 201)


async def list_all(call: Call) -> Answer:
    filters = read_filters(call, _FILTERS)
    for state in filters.get("status", ()):
        if state not in ps.STATES:
            raise ApiError(400, f"invalid filter 'status={state}'")
    limit = call.number("limit", 0) or 0
    return json_answer(await call.threads.call(_list, call.engine, filters, call.flag("all"), limit, call.flag("size")))


async def inspect(call: Call) -> Answer:
    return json_answer(await call.threads.call(_inspect, call, call.words["id"], call.flag("size")))


async def remove(call: Call) -> Answer:
    if call.flag("link"):
        raise ApiError(400, "links are not supported")
    await call.threads.call_long(
        call.engine.containers.remove, call.words["id"], force=call.flag("force"), volumes=call.flag("v")
    )
    return NO_CONTENT


async def rename(call: Call) -> Answer:
    name = call.text("name").removeprefix("/")
    if not name:
        raise ApiError(400, "Neither old nor new names may be empty")
    container = await call.threads.call(call.engine.containers.get, call.words["id"])
    if container.name == name:
        raise ApiError(400, "Renaming a container with the same name as its current name")
    await call.threads.call(call.engine.containers.rename, container.id, name)
    return NO_CONTENT


async def update(call: Call) -> Answer:
    """Limits that are given, and a restart policy that is; the rest stays."""
    fields = Fields(call.json(), "UpdateConfig")
    restart = read_restart(fields) if fields.fields("RestartPolicy").text("Name") else None
    warnings = await call.threads.call_long(
        call.engine.containers.update, call.words["id"], read_resources(fields), restart
    )
    return json_answer({"Warnings": list(warnings) or None})


async def prune(call: Call) -> Answer:
    filters = read_filters(call, ("label", "label!", "until"))
    return json_answer(await call.threads.call_long(_prune, call.engine, filters))


def _list(engine: Engine, filters: Filters, everything: bool, limit: int, with_size: bool) -> list[dict[str, Any]]:
    if filters.pop("is-task", ["false"]) in (["true"], ["1"]):
        return []
    everything = everything or limit > 0 or bool(filters.keys() & {"status", "exited"})
    containers = ps.filtered(engine, engine.containers.list(all=everything), filters)
    if limit > 0:
        containers = containers[:limit]
    lines = []
    for container in containers:
        sizes = _sizes(engine, container) if with_size else None
        lines.append(render.summary(container, engine, container.image, sizes))
    return lines


def _inspect(call: Call, reference: str, with_size: bool) -> dict[str, Any]:
    container = call.engine.containers.get(reference)
    sizes = _sizes(call.engine, container) if with_size else None
    return render.document(container, call.engine, call.service.execs.of(container.id), sizes, call.version)


def _sizes(engine: Engine, container: Container) -> tuple[int, int]:
    written = tree_size(f"{engine.paths.container(container.id)}/upper")
    try:
        return written, written + engine.images.get(container.image_id).size
    except ImageNotFound:
        return written, written


def _prune(engine: Engine, filters: Filters) -> dict[str, Any]:
    try:
        until_ns = max((parse_time(value, "until") for value in filters.get("until", ())), default=0)
    except UsageError as error:
        raise ApiError(400, error.message) from None
    deleted, freed = [], 0
    for container in engine.containers.list(all=True):
        if container.state not in ("created", "exited", "dead"):
            continue
        if not matches_labels(filters.get("label", ()), container.labels):
            continue
        if any(matches_labels([unwanted], container.labels) for unwanted in filters.get("label!", ())):
            continue
        if until_ns and container.created_ns >= until_ns:
            continue
        size = tree_size(f"{engine.paths.container(container.id)}/upper")
        try:
            engine.containers.remove(container.id)
        except EngineError:  # started or removed by somebody else meanwhile
            continue
        deleted.append(container.id)
        freed += size
    return {"ContainersDeleted": deleted or None, "SpaceReclaimed": freed}
