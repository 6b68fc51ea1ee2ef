"""Images: list, inspect, history, tag, delete, prune. Pulling is in `pull.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...cli import images as command
from ...cli.errors import UsageError
from ...cli.filters import matches_labels
from ...cli.units import parse_time
from ..call import Answer, Call, json_answer
from ..errors import ApiError
from ..filters import read_filters, truth
from ..layer_sizes import LayerSizes
from ..render import image as render

if TYPE_CHECKING:
    from ...cli.filters import Filters
    from ...engine import Engine
    from ...models import Image

_FILTERS = (*command.FILTERS, "until")


async def list_all(call: Call) -> Answer:
    filters = read_filters(call, _FILTERS)
    if call.text("filter"):  # the parameter of old clients
        filters.setdefault("reference", []).append(call.text("filter"))
    truth("dangling", filters.get("dangling", ()))
    found = await call.threads.call(_list, call.engine, filters)
    shared = {}
    if call.flag("shared-size"):
        shared = await call.threads.call(lambda: LayerSizes(call.engine, call.engine.images.list()).shared)
    return json_answer(
        [
            render.summary(image, containers=-1, shared_size=shared.get(image.id, -1), version=call.version)
            for image in found
        ]
    )


async def inspect(call: Call) -> Answer:
    document = await call.threads.call(call.engine.images.inspect, call.words["name"])
    return json_answer(render.document(document, call.version))


async def history(call: Call) -> Answer:
    return json_answer(await call.threads.call(call.engine.images.history, call.words["name"]))


async def tag(call: Call) -> Answer:
    repository = call.text("repo")
    if not repository:
        raise ApiError(400, "invalid reference format: repository name is missing")
    target = f"{repository}:{call.text('tag')}" if call.text("tag") else repository
    await call.threads.call_long(call.engine.images.tag, call.words["name"], target)
    return Answer(201)


async def remove(call: Call) -> Answer:
    removed = await call.threads.call_long(
        call.engine.images.remove,
        call.words["name"],
        force=call.flag("force"),
        in_use=call.engine.containers.in_use,
    )
    return json_answer(
        [{"Untagged": step.untagged} if step.untagged else {"Deleted": step.deleted} for step in removed]
    )


async def prune(call: Call) -> Answer:
    filters = read_filters(call, ("dangling", "label", "label!", "until"))
    dangling = truth("dangling", filters.get("dangling", ()))
    return json_answer(await call.threads.call_long(_prune, call.engine, filters, dangling is not False))


def _list(engine: Engine, filters: Filters) -> list[Image]:
    patterns = filters.pop("reference", [])
    until = filters.pop("until", [])
    found = command.filtered(engine, engine.images.list(), filters)
    if patterns:
        found = [named for image in found if (named := _only(image, patterns)).references]
    if until:
        limit = _time(until)
        found = [image for image in found if image.created_ns < limit]
    return found


def _only(image: Image, patterns: list[str]) -> Image:
    """The image with those of its names that fit a pattern."""
    fitting = [
        reference
        for reference in image.references
        if any(command.reference_matches(*command.split_reference(reference), pattern) for pattern in patterns)
    ]
    return image.replace(references=tuple(fitting))


def _prune(engine: Engine, filters: Filters, dangling: bool) -> dict[str, Any]:
    def wanted(image: Image) -> bool:
        return matches_labels(filters.get("label", ()), image.labels) and not any(
            matches_labels([unwanted], image.labels) for unwanted in filters.get("label!", ())
        )

    until_ns = _time(filters["until"]) if "until" in filters else 0
    pruned = engine.images.prune(all=not dangling, in_use=engine.containers.in_use, wanted=wanted, until_ns=until_ns)
    deleted = [{"Untagged": step.untagged} if step.untagged else {"Deleted": step.deleted} for step in pruned.removed]
    return {"ImagesDeleted": deleted or None, "SpaceReclaimed": pruned.freed}


def _time(values: list[str]) -> int:
    try:
        return min(parse_time(value, "until") for value in values)
    except UsageError as error:
        raise ApiError(400, error.message) from None
