"""The bridge driver's options, and addresses from a part of a subnet."""

from __future__ import annotations

import pytest

from engine.errors import EngineError, InvalidRequest
from engine.models import Network
from engine.networks import driver_options as options
from engine.networks import ipam


def network(**values: str) -> Network:
    return Network(id="1", name="one", driver="bridge", options=values)


def test_what_is_left_out_is_as_docker_has_it() -> None:
    plain = network()
    assert (options.isolated(plain), options.masquerade(plain), options.mtu(plain)) == (False, True, 0)


def test_values() -> None:
    given = {options.ICC: "false", options.MASQUERADE: "0", options.MTU: "1400", options.HOST_BINDING: "127.0.0.1"}
    options.check("bridge", given)
    one = network(**given)
    assert (options.isolated(one), options.masquerade(one), options.mtu(one)) == (True, False, 1400)
    assert options.host_binding(one) == "127.0.0.1"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (options.ICC, "perhaps"),
        (options.MTU, "12"),
        (options.MTU, "١٤٠٠"),
        (options.NAME, "sixteen-chars-xx"),
        (options.NAME, "../x"),
        (options.HOST_BINDING, "localhost"),
        ("com.docker.network.bridge.nosuch", "1"),
    ],
)
def test_what_does_not_fit_is_refused(key: str, value: str) -> None:
    with pytest.raises(InvalidRequest):
        options.check("bridge", {key: value})


def test_a_range_is_used_up_and_begins_again() -> None:
    given: list[str] = []
    for _ in range(8):
        last = given[-1] if given else ""
        given.append(ipam.next_address("10.0.0.0/24", "10.0.0.1", set(given), last, "10.0.0.8/29"))
    assert given == [f"10.0.0.{number}" for number in range(8, 16)]
    with pytest.raises(EngineError, match="no free address left in"):
        ipam.next_address("10.0.0.0/24", "10.0.0.1", set(given), given[-1], "10.0.0.8/29")
    assert ipam.next_address("10.0.0.0/24", "10.0.0.1", {given[1]}, given[-1], "10.0.0.8/29") == "10.0.0.8"
