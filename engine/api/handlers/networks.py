"""Networks: list and inspect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...cli.filters import matches_labels
from ..call import Answer, Call, json_answer
from ..errors import ApiError
from ..filters import read_filters, truth

if TYPE_CHECKING:
    from ...cli.filters import Filters
    from ...engine import Engine

PREDEFINED = ("bridge", "host", "none")
_FILTERS = ("dangling", "driver", "id", "label", "name", "scope", "type")


async def list_all(call: Call) -> Answer:
    filters = read_filters(call, _FILTERS)
    for kind in filters.get("type", ()):
        if kind not in ("builtin", "custom"):
            raise ApiError(400, f"invalid filter: 'type'='{kind}'")
    dangling = truth("dangling", filters.get("dangling", ()))
    found = await call.threads.call(_list, call.engine, filters)
    if dangling is not None:
        found = [
            network
            for network in found
            if (not network["Containers"] and network["Name"] not in PREDEFINED) == dangling
        ]
    for network in found:
        network["Containers"] = {}  # only `inspect` tells them
    return json_answer(found)


async def inspect(call: Call) -> Answer:
    return json_answer(await call.threads.call(call.engine.networks.inspect, call.words["id"]))


def _list(engine: Engine, filters: Filters) -> list[dict[str, Any]]:
    documents = [engine.networks.inspect(network.id) for network in engine.networks.list()]
    return [document for document in documents if _matches(document, filters)]


def _matches(document: dict[str, Any], filters: Filters) -> bool:
    kind = "builtin" if document["Name"] in PREDEFINED else "custom"
    return (
        any(value in document["Name"] for value in filters.get("name", [""]))
        and any(document["Id"].startswith(value) for value in filters.get("id", [""]))
        and document["Driver"] in filters.get("driver", [document["Driver"]])
        and document["Scope"] in filters.get("scope", [document["Scope"]])
        and kind in filters.get("type", [kind])
        and matches_labels(filters.get("label", ()), document["Labels"] or {})
    )
