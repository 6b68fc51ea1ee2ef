"""Records: values that are built by keyword, compared by value and carried as JSON."""

from __future__ import annotations

import json

import pytest

from engine.models import Container, CreateRequest, Endpoint, Phase, PortMapping, Resources


def _request() -> CreateRequest:
    return CreateRequest(
        image="alpine",
        command=("sh", "-c", "true"),
        labels={"a": "b"},
        ports=(PortMapping(container_port=80, host_port=8080),),
        resources=Resources(memory=64 << 20),
    )


def test_a_request_survives_its_json_form() -> None:
    request = _request()
    assert CreateRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_nested_records_come_back_as_records() -> None:
    container = Container(
        id="1" * 64,
        name="web",
        image="alpine",
        image_id="sha256:0",
        command=("sh",),
        created_ns=1,
        endpoints=(Endpoint(network="bridge", ports=(PortMapping(container_port=53, protocol="udp"),)),),
        phases=(Phase(name="bundle", start_ns=1, duration_ns=2),),
    )
    again = Container.from_json(json.loads(json.dumps(container.to_json())))
    assert again.endpoints[0].ports[0].protocol == "udp"
    assert again.phases[0].duration_ns == 2
    assert again == container


def test_unknown_fields_of_a_newer_version_are_ignored() -> None:
    assert CreateRequest.from_json({"image": "x", "from_the_future": 1}) == CreateRequest(image="x")


def test_fields_cannot_be_changed_but_copied_with_changes() -> None:
    request = _request()
    with pytest.raises(AttributeError):
        request.image = "other"  # type: ignore[misc]
    assert request.replace(image="other").image == "other"
    assert request.image == "alpine"


def test_missing_and_misspelt_fields_are_refused() -> None:
    with pytest.raises(TypeError, match="needs image"):
        CreateRequest()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no field imgae"):
        CreateRequest(image="x", imgae="y")  # type: ignore[call-arg]
