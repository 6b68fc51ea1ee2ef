"""Addresses and ports as arithmetic: nothing of the host is touched here."""

from __future__ import annotations

import ipaddress
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Conflict, EngineError, InvalidRequest
from engine.models import PortMapping
from engine.networks import address, ipam, ports


def test_addresses_go_round_and_reuse_last() -> None:
    taken: set[str] = set()
    last = ""
    given_out = []
    for _ in range(5):
        last = ipam.next_address("10.0.0.0/29", "10.0.0.1", taken, last)
        taken.add(last)
        given_out.append(last)
    assert given_out == [f"10.0.0.{number}" for number in range(2, 7)]
    with pytest.raises(EngineError, match=r"no free address left in 10\.0\.0\.0/29"):
        ipam.next_address("10.0.0.0/29", "10.0.0.1", taken, last)
    assert ipam.next_address("10.0.0.0/29", "10.0.0.1", taken - {"10.0.0.3"}, last) == "10.0.0.3"


def test_a_returned_address_is_not_given_next() -> None:
    assert ipam.next_address("10.0.0.0/24", "10.0.0.1", set(), "10.0.0.9") == "10.0.0.10"
    assert ipam.next_address("10.0.0.0/24", "10.0.0.1", set(), "10.0.0.254") == "10.0.0.2"
    assert ipam.next_address("10.0.0.0/24", "10.0.0.1", set(), "192.168.0.1") == "10.0.0.2"


def test_fixed_addresses_are_checked() -> None:
    assert ipam.check_fixed("10.0.0.9", "10.0.0.0/24", "10.0.0.1", set()) == "10.0.0.9"
    with pytest.raises(InvalidRequest, match="does not belong"):
        ipam.check_fixed("10.0.1.9", "10.0.0.0/24", "10.0.0.1", set())
    for wrong in ("10.0.0.1", "10.0.0.7"):
        with pytest.raises(EngineError, match="already in use"):
            ipam.check_fixed(wrong, "10.0.0.0/24", "10.0.0.1", {"10.0.0.7"})


def test_candidates_are_private_and_distinct() -> None:
    nets = [ipaddress.ip_network(text) for text in ipam.candidates()]
    assert str(nets[0]) == "172.29.0.0/16"
    assert all(net.is_private for net in nets)
    for index, net in enumerate(islice(nets, 40)):
        assert not any(net.overlaps(other) for other in nets[index + 1 :])


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_subnets_agree_with_ipaddress(number: int, length: int) -> None:
    text = str(ipaddress.IPv4Address(number))
    net = ipaddress.ip_network(f"{text}/{length}", strict=False)
    assert address.subnet_of(text, length) == str(net)
    assert address.broadcast(text, length) == str(net.broadcast_address)
    assert address.parse_subnet(str(net)) == (32, int(net.network_address), length)


@given(st.integers(0, 2**32 - 1), st.integers(1, 32), st.integers(0, 2**32 - 1), st.integers(1, 32))
def test_overlap_agrees_with_ipaddress(one: int, one_length: int, other: int, other_length: int) -> None:
    nets = [
        ipaddress.ip_network((one, one_length), strict=False),
        ipaddress.ip_network((other, other_length), strict=False),
    ]
    pairs = [address.parse_subnet(str(net)) for net in nets]
    assert address.overlap(*pairs) == nets[0].overlaps(nets[1])


@pytest.mark.parametrize("text", ["", "1.2.3.4", "1.2.3/8", "10.0.0.0/33", "10.0.0.1/24", "a/8", "1.2.3.4.5/8"])
def test_bad_subnets_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        address.parse_subnet(text)


def free(_port: PortMapping) -> bool:
    return True


def test_given_ports_stay_and_free_ones_are_found() -> None:
    asked = [PortMapping(container_port=80), PortMapping(container_port=81, host_port=50000)]
    decided = ports.decide(asked, {}, free)
    assert decided[1].host_port == 50000
    assert ports.FIRST <= decided[0].host_port <= ports.LAST
    assert decided[0].host_port != 50000


def test_a_port_of_another_container_names_it() -> None:
    taken: ports.Taken = {("tcp", "", 8080): "web"}
    for host_ip in ("", "127.0.0.1"):
        port = PortMapping(container_port=80, host_port=8080, host_ip=host_ip)
        with pytest.raises(Conflict, match="8080 failed: port is already allocated by container web"):
            ports.decide([port], dict(taken), free)
    for other in (
        PortMapping(container_port=80, host_port=8080, protocol="udp"),
        PortMapping(container_port=80, host_port=8081),
    ):
        assert ports.decide([other], dict(taken), free) == (other,)


def test_two_addresses_may_have_the_same_port() -> None:
    taken: ports.Taken = {("tcp", "10.0.0.1", 8080): "web"}
    port = PortMapping(container_port=80, host_port=8080, host_ip="10.0.0.2")
    assert ports.decide([port], taken, free) == (port,)


def test_publish_all_adds_the_exposed_ports() -> None:
    published = (PortMapping(container_port=80, host_port=8080),)
    found = ports.wanted(published, ("80/tcp", "53/udp", "x/tcp", "9"), publish_all=True)
    assert [(port.container_port, port.protocol, port.host_port) for port in found] == [
        (80, "tcp", 8080),
        (53, "udp", 0),
        (9, "tcp", 0),
    ]
    assert ports.wanted(published, ("53/udp",), publish_all=False) == list(published)
