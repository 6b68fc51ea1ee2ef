"""A container's network seen from inside, from the host, from its neighbours and from a machine outside.

Containers are bare network namespaces here: what is tested is the wiring.
"""

from __future__ import annotations

import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyroute2 import IPRoute, NetNS  # type: ignore[import-untyped]

from engine.errors import Conflict
from engine.models import CreateRequest, PortMapping
from engine.networks import attach as network
from engine.networks import links, rules
from engine.networks.nfnetlink import table_exists
from engine.networks.nftables import run
from tests.support.engine import wait_until
from tests.support.hosts import Net, Outside, Place, free_port, machine_outside

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    made = Net(tmp_path)
    yield made
    made.close()


@pytest.fixture
def host() -> Place:
    return Place(host=True)


@pytest.fixture
def outside() -> Iterator[Outside]:
    with machine_outside() as place:
        yield place


def test_interface_address_route_and_loopback(net: Net) -> None:
    place, endpoint = net.container("one")
    with NetNS(f"/proc/{place.pid}/ns/net") as inside:
        found = {link.get_attr("IFLA_IFNAME"): link for link in inside.get_links()}
        assert set(found) >= {"lo", "eth0"}
        assert found["lo"]["state"] == found["eth0"]["state"] == "up"
        assert found["eth0"].get_attr("IFLA_ADDRESS") == endpoint.mac
        (address,) = inside.get_addr(index=found["eth0"]["index"])
        assert (address.get_attr("IFA_ADDRESS"), address["prefixlen"]) == (endpoint.address, endpoint.prefix_length)
        routes = {route.get_attr("RTA_GATEWAY") for route in inside.get_default_routes()}
        assert routes == {endpoint.gateway}


def test_neighbours_reach_each_other(net: Net) -> None:
    one, endpoint = net.container("one")
    two, _ = net.container("two")
    one.serve(80)
    assert two.ask(endpoint.address, 80) == f"one {net.attached[1][1].address}"


def test_published_ports_from_the_host_by_every_address(net: Net, host: Place, outside: Outside) -> None:
    number = free_port()
    one, endpoint = net.container("one", PortMapping(container_port=80, host_port=number))
    one.serve(80)
    assert host.ask("127.0.0.1", number) == f"one {endpoint.gateway}"
    assert host.ask("127.0.0.53", number) == f"one {endpoint.gateway}"
    assert host.ask(outside.host, number).startswith("one ")
    assert host.ask(endpoint.gateway, number).startswith("one ")
    assert outside.ask(outside.host, number) == f"one {outside.address}"


def test_published_udp(net: Net, host: Place, outside: Outside) -> None:
    number = free_port()
    one, _ = net.container("one", PortMapping(container_port=53, host_port=number, protocol="udp"))
    one.serve(53, "udp")
    assert host.ask("127.0.0.1", number, "udp").startswith("one ")
    assert outside.ask(outside.host, number, "udp") == f"one {outside.address}"


def test_a_port_on_one_address_only(net: Net, host: Place, outside: Outside) -> None:
    number = free_port()
    port = PortMapping(container_port=80, host_port=number, host_ip="127.0.0.1")
    one, _ = net.container("one", port)
    one.serve(80)
    assert host.ask("127.0.0.1", number).startswith("one ")
    assert outside.ask(outside.host, number) == "ConnectionRefusedError"


def test_hairpin_from_a_neighbour_and_from_itself(net: Net, outside: Outside) -> None:
    number = free_port()
    one, endpoint = net.container("one", PortMapping(container_port=80, host_port=number))
    two, _ = net.container("two")
    one.serve(80)
    for address in (outside.host, endpoint.gateway):
        assert two.ask(address, number).startswith("one ")
        assert one.ask(address, number).startswith("one ")
    assert outside.pid


def test_the_way_out_is_masqueraded(net: Net, outside: Outside) -> None:
    """The machine outside has no route to the containers: it answers because it sees the host's address."""
    one, _ = net.container("one")
    outside.serve(9000)
    assert one.ask(outside.address, 9000) == f"outside {outside.host}"


def test_unpublished_ports_are_closed_to_the_outside(net: Net, outside: Outside) -> None:
    one, endpoint = net.container("one")
    one.serve(80)
    with NetNS(f"/proc/{outside.pid}/ns/net") as inside:
        inside.route("add", dst="default", gateway=outside.host)
    assert outside.ask(endpoint.address, 80, timeout_s=0.7) == "TimeoutError"


def test_the_hosts_loopback_is_closed_to_containers(net: Net, host: Place) -> None:
    """CVE-2020-8558: route_localnet, which published ports need on 127.0.0.1, must not let containers in."""
    number = free_port()
    one, endpoint = net.container("one", PortMapping(container_port=80, host_port=number))
    with socket.create_server(("127.0.0.1", 0)) as secret:
        secret_port = secret.getsockname()[1]
        attack = (
            f"ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.0/8 via {endpoint.gateway};"
            "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet"
        )
        subprocess.run(["nsenter", "-t", str(one.pid), "-n", "sh", "-ec", attack], check=True)
        assert one.ask("127.0.0.1", secret_port, timeout_s=0.7) == "TimeoutError"
        # The packets came as far as the guard, and no further.
        dropped = run(f"list chain inet {endpoint.table} guard")
        assert "counter packets 0 " not in dropped
        secret.settimeout(0.1)
        with pytest.raises(TimeoutError):
            secret.accept()


def test_networks_of_different_engines_are_apart(net: Net, tmp_path: Path) -> None:
    other = Net(tmp_path / "other")
    try:
        one, endpoint = net.container("one")
        stranger, _ = other.container("stranger")
        one.serve(80)
        assert stranger.ask(endpoint.address, 80, timeout_s=0.7) == "TimeoutError"
    finally:
        other.close()


def test_detaching_cuts_at_once_and_leaves_nothing(net: Net, host: Place) -> None:
    number = free_port()
    one, endpoint = net.container("one", PortMapping(container_port=80, host_port=number))
    one.serve(80)
    assert host.ask("127.0.0.1", number).startswith("one ")
    network.detach(one.id, endpoint, interface=False)
    assert host.ask("127.0.0.1", number) == "ConnectionRefusedError"
    network.detach(one.id, endpoint)
    with IPRoute() as route:
        assert not list(route.link_lookup(ifname=links.veth_name(one.id, "bridge")))
    assert str(number) not in run(f"list table inet {endpoint.table}")
    network.detach(one.id, endpoint)


def test_a_container_that_ended_leaves_nothing(net: Net) -> None:
    one, endpoint = net.container("one", PortMapping(container_port=80))
    one.end()
    network.detach(one.id, endpoint)
    net.networks.release(one.id)
    net.networks.teardown()
    assert not table_exists(endpoint.table)
    with IPRoute() as route:
        assert not list(route.link_lookup(ifname=endpoint.bridge))


def test_a_quick_restart_takes_the_same_place(net: Net, host: Place) -> None:
    """The kernel may not have taken the old interface down when the next start comes."""
    number = free_port()
    one, endpoint = net.container("one", PortMapping(container_port=80, host_port=number))
    one.end()
    again = Place("again")
    net.places.append(again)
    network.attach(again.pid, one.id, endpoint)
    again.serve(80)
    assert host.ask("127.0.0.1", number).startswith("again ")


def test_what_was_deleted_by_hand_is_made_again(net: Net, host: Place) -> None:
    number = free_port()
    one, endpoint = net.container("one")
    rules.remove(endpoint.table)
    with IPRoute() as route:
        route.link("del", ifname=endpoint.bridge)
    two, _ = net.container("two", PortMapping(container_port=80, host_port=number))
    two.serve(80)
    assert host.ask("127.0.0.1", number).startswith("two ")
    assert one.pid


def test_a_published_port_is_held_against_others(net: Net) -> None:
    number = free_port()
    net.container("one", PortMapping(container_port=80, host_port=number))
    with pytest.raises(OSError, match="Address already in use"):
        socket.create_server(("127.0.0.1", number))


def test_a_port_can_be_had_right_after_a_server_gave_it_up(net: Net, host: Place) -> None:
    """Its last connections are in TIME_WAIT for a minute."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        number = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", number)) as client:
            server.accept()[0].close()
            assert client.recv(1) == b""
    one, _ = net.container("one", PortMapping(container_port=80, host_port=number))
    one.serve(80)
    assert host.ask("127.0.0.1", number).startswith("one ")


def test_a_port_taken_since_is_found_at_the_last_moment(net: Net) -> None:
    number = free_port()
    place = Place("late")
    net.places.append(place)
    (endpoint,) = net.networks.reserve(
        place.id, "late", CreateRequest(image="x", ports=(PortMapping(container_port=80, host_port=number),))
    )
    with socket.create_server(("0.0.0.0", number)), pytest.raises(Conflict, match="port is already allocated"):
        network.attach(place.pid, place.id, endpoint)
    with IPRoute() as route:
        assert not list(route.link_lookup(ifname=links.veth_name(place.id, "bridge")))
    net.networks.release(place.id)


def test_forty_containers_by_four_hands_leave_nothing(net: Net) -> None:
    def life(number: int) -> str:
        place = Place(f"c{number}")
        try:
            request = CreateRequest(image="toolbox", ports=(PortMapping(container_port=80),))
            (endpoint,) = net.networks.reserve(place.id, place.name, request)
            network.attach(place.pid, place.id, endpoint)
            assert place.ask(endpoint.gateway, 1) == "ConnectionRefusedError"
        finally:
            place.end()
        network.detach(place.id, endpoint)
        net.networks.release(place.id)
        return endpoint.address

    with ThreadPoolExecutor(4) as pool:
        addresses = list(pool.map(life, range(40)))
    assert len(set(addresses)) == 40
    assert net.store.query("SELECT count(*) FROM endpoints") == [(0,)]
    bridge = net.networks.get("bridge").bridge
    for name in ("anywhere4", "anywhere6", "addressed4"):
        assert "elements" not in run(f"list map inet {rules.table_name(net.paths.root)} {name}")

    def ports() -> list[str]:
        with IPRoute() as route:
            (index,) = route.link_lookup(ifname=bridge)
            return [link.get_attr("IFLA_IFNAME") for link in route.get_links() if link.get_attr("IFLA_MASTER") == index]

    wait_until("the kernel to take the last interface down", lambda: not ports())


def test_loopback_alone(net: Net) -> None:
    place = Place("none")
    net.places.append(place)
    assert place.ask("127.0.0.1", 1) == "OSError"
    network.loopback(place.pid)
    assert place.ask("127.0.0.1", 1) == "ConnectionRefusedError"
