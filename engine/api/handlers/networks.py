"""Networks: list, create, inspect, remove, connect, disconnect, prune."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ...cli.errors import UsageError
from ...cli.filters import matches_labels
from ...cli.units import parse_time
from ...errors import ContainerNotFound, InUse, WrongState
from ..call import NO_CONTENT, Answer, Call, json_answer
from ..create_networks import read_attachment
from ..errors import ApiError
from ..fields import Fields
from ..filters import read_filters, truth

if TYPE_CHECKING:
    from ...cli.filters import Filters
    from ...engine import Engine
    from ...models import Network

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


async def create(call: Call) -> Answer:
    fields = Fields(call.json(), "NetworkCreate")
    if not fields.text("Name"):
        raise ApiError(400, "network name is missing")
    for name in ("Ingress", "ConfigOnly"):
        if fields.flag(name):
            raise ApiError(400, f"{name} is not supported")
    ipam = fields.fields("IPAM")
    if ipam.text("Driver") not in ("", "default"):
        raise ApiError(404, f"could not find an IPAM driver {ipam.text('Driver')!r}")
    config4, config6 = _configs(ipam.objects("Config"))
    network = await call.threads.call_long(
        call.engine.networks.create,
        fields.text("Name"),
        driver=fields.text("Driver") or "bridge",
        subnet=config4.text("Subnet"),
        gateway=config4.text("Gateway"),
        ip_range=config4.text("IPRange"),
        internal=fields.flag("Internal"),
        labels=fields.pairs("Labels"),
        options=fields.pairs("Options"),
        ipv4=fields.flag("EnableIPv4") or fields.value("EnableIPv4") is None,
        ipv6=fields.flag("EnableIPv6"),
        subnet6=config6.text("Subnet"),
        gateway6=config6.text("Gateway"),
        ip_range6=config6.text("IPRange"),
        reserved={**config4.pairs("AuxiliaryAddresses"), **config6.pairs("AuxiliaryAddresses")},
        attachable=fields.flag("Attachable"),
    )
    return json_answer({"Id": network.id, "Warning": ""}, 201)


def _configs(configs: list[Fields]) -> tuple[Fields, Fields]:
    """The entries of `IPAM.Config` for IPv4 and for IPv6."""
    found = [Fields({}, "Config"), Fields({}, "Config")]
    seen = set()
    for config in configs:
        index = 1 if any(":" in config.text(name) for name in ("Subnet", "Gateway", "IPRange")) else 0
        if index in seen:
            raise ApiError(400, "one subnet of each family is supported")
        seen.add(index)
        found[index] = config
    return found[0], found[1]


async def remove(call: Call) -> Answer:
    network = await call.threads.call(call.engine.networks.get, call.words["id"])
    if network.name in PREDEFINED:
        raise ApiError(403, f"{network.name} is a pre-defined network and cannot be removed")
    try:
        await call.threads.call_long(call.engine.networks.remove, network.id)
    except InUse as error:  # Docker's status for active endpoints
        raise ApiError(403, error.message) from None
    return NO_CONTENT


async def connect(call: Call) -> Answer:
    fields = Fields(call.json(), "NetworkConnect")
    network = await call.threads.call(call.engine.networks.get, call.words["id"])
    attachment = read_attachment(network.name, fields.fields("EndpointConfig"))
    await call.threads.call_long(call.engine.containers.connect, fields.text("Container"), attachment)
    return Answer(200)


async def disconnect(call: Call) -> Answer:
    """`Force` also takes one off that is gone."""
    fields = Fields(call.json(), "NetworkDisconnect")
    network = await call.threads.call(call.engine.networks.get, call.words["id"])
    try:
        await call.threads.call_long(call.engine.containers.disconnect, fields.text("Container"), network.name)
    except (ContainerNotFound, WrongState):
        if not fields.flag("Force"):
            raise
    return Answer(200)


async def prune(call: Call) -> Answer:
    filters = read_filters(call, ("label", "label!", "until"))
    try:
        until_ns = min((parse_time(value, "until") for value in filters.get("until", ())), default=time.time_ns())
    except UsageError as error:
        raise ApiError(400, error.message) from None

    def chosen(network: Network) -> bool:
        return (
            network.created_ns < until_ns
            and matches_labels(filters.get("label", ()), network.labels)
            and not any(matches_labels([unwanted], network.labels) for unwanted in filters.get("label!", ()))
        )

    return json_answer({"NetworksDeleted": await call.threads.call_long(call.engine.networks.prune, chosen) or None})


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
