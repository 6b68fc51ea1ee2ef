"""`--network` and what belongs to it, as typed."""

from __future__ import annotations

import pytest

from engine.cli.commands import PLAIN
from engine.cli.create_request import build_request
from engine.cli.errors import UsageError
from engine.cli.main import load
from engine.cli.options import parse
from engine.models import CreateRequest, NetworkAttachment


def request(*words: str) -> CreateRequest:
    return build_request(parse(load(PLAIN["run"], "run"), [*words, "toolbox"]), open_stdin=False)


def test_a_plain_network_is_no_more_than_its_name() -> None:
    assert (request().network, request().networks) == ("bridge", None)
    for words in (("--network", "one"), ("--net=one",), ("--network", "name=one")):
        assert (request(*words).network, request(*words).networks) == ("one", None)
    assert request("--network", "host").networks is None


def test_what_is_asked_of_the_first_network() -> None:
    asked = request(
        "--network", "one", "--ip", "10.0.0.9", "--mac-address", "02:00:00:00:00:09", "--network-alias", "a"
    )
    assert asked.network == "one"
    assert asked.networks == (
        NetworkAttachment(network="one", address="10.0.0.9", mac="02:00:00:00:00:09", aliases=("a",)),
    )


def test_several_networks_in_the_order_given() -> None:
    asked = request("--network", "one", "--network", "name=two,ip=10.0.0.9,alias=a,alias=b")
    assert asked.network == "one"
    assert asked.networks == (
        NetworkAttachment(network="one"),
        NetworkAttachment(network="two", address="10.0.0.9", aliases=("a", "b")),
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--network", "host", "--ip", "10.0.0.9"), "the network mode host"),
        (("--network", "one", "--network", "none"), "the network mode none"),
        (("--network", "name=one,ip=10.0.0.8", "--ip", "10.0.0.9"), "cannot specify both --ip"),
        (("--network", "name=one,color=red"), 'invalid argument "name=one,color=red"'),
        (("--network", "alias=a"), "no name"),
    ],
)
def test_what_cannot_be_meant(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        request(*words)
