"""The bridge driver's options, and addresses from a part of a subnet."""

from __future__ import annotations

import sys

import pytest

from engine.errors import EngineError, InvalidRequest
from engine.models import Endpoint, Network, NetworkAttachment
from engine.networks import driver_options as options
from engine.networks import ipam, links, netlink
from engine.networks.reserve import check


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


def test_ipvlan_has_its_parents_mac() -> None:
    lan = Network(id="1", name="lan", driver="ipvlan", subnet="10.0.0.0/24", gateway="10.0.0.1")
    check(lan, NetworkAttachment(network="lan", address="10.0.0.9"))
    with pytest.raises(InvalidRequest, match="gives no mac address of one's own"):
        check(lan, NetworkAttachment(network="lan", mac="02:42:00:00:00:09"))


@pytest.mark.parametrize(
    ("driver", "given", "data"),
    [
        ("ipvlan", {"ipvlan_mode": "l3", "ipvlan_flag": "vepa"}, {1: b"\1\0", 2: b"\2\0"}),
        ("ipvlan", {}, {1: b"\0\0", 2: b"\0\0"}),
        ("macvlan", {"macvlan_mode": "private"}, {1: b"\1\0\0\0"}),
        ("macvlan", {}, {1: b"\4\0\0\0"}),
    ],
)
def test_what_is_asked_of_the_kernel_upon_a_parent(driver: str, given: dict[str, str], data: dict[int, bytes]) -> None:
    """Not every kernel has both: the request is read back, attribute by attribute, in the kernel's own numbers."""
    lan = Network(id="1", name="lan", driver=driver, options=given)
    options.check(driver, given)
    host = Recorder()
    place = Endpoint(network="lan", driver=driver, parent="eth9", mode=options.mode(lan), mac="02:42:00:00:00:09")
    links.add_upon(host, 4711, place)  # type: ignore[arg-type]
    found = dict(netlink.attributes(host.payload[16:]))
    info = dict(netlink.attributes(found[netlink.IFLA_LINKINFO]))
    assert info[netlink.IFLA_INFO_KIND] == driver.encode() + b"\0"
    assert dict(netlink.attributes(info[netlink.IFLA_INFO_DATA])) == data
    assert int.from_bytes(found[netlink.IFLA_LINK], sys.byteorder) == 7
    assert int.from_bytes(found[netlink.IFLA_NET_NS_PID], sys.byteorder) == 4711
    assert (netlink.IFLA_ADDRESS in found) == (driver == "macvlan")


class Recorder:
    """Stands for the door to the kernel; has one interface."""

    def link(self, name: str) -> netlink.Link:
        return netlink.Link(index=7, name=name)

    def queue(self, message_type: int, flags: int, payload: bytes, what: str) -> None:
        self.payload = payload

    def commit(self) -> None:
        assert self.payload
