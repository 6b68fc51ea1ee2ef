"""The table of networks and the reservations in it, on real interfaces, with pyroute2 as the second opinion."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyroute2 import IPRoute  # type: ignore[import-untyped]

from engine.errors import Conflict, NetworkNotFound
from engine.models import CreateRequest, PortMapping
from engine.networks.networks import Networks
from engine.paths import Paths
from engine.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root


class Host:
    """The networks of one data root."""

    def __init__(self, base: Path) -> None:
        self.paths = Paths(str(base / "root"), str(base / "run"))
        self.paths.create()
        self.store = Store(self.paths.database)
        self.networks = Networks(self.store, self.paths)

    def close(self) -> None:
        self.store.query("DELETE FROM endpoints")
        self.networks.teardown()
        self.store.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(tmp_path)
    yield made
    made.close()


def new_id() -> str:
    return os.urandom(32).hex()


def request(*ports: PortMapping, network: str = "bridge") -> CreateRequest:
    return CreateRequest(image="toolbox", network=network, ports=ports)


def bridge(name: str) -> tuple[str, list[str]]:
    """Alias and addresses of an interface as pyroute2 reads them."""
    with IPRoute() as route:
        (index,) = route.link_lookup(ifname=name)
        alias = route.link("get", index=index)[0].get_attr("IFLA_IFALIAS")
        found = route.get_addr(index=index, family=socket.AF_INET)
        return alias, [f"{entry.get_attr('IFA_ADDRESS')}/{entry['prefixlen']}" for entry in found]


def test_three_networks_are_always_there(host: Host) -> None:
    assert [(network.name, network.driver) for network in host.networks.list()] == [
        ("bridge", "bridge"),
        ("host", "host"),
        ("none", "none"),
    ]
    known = host.networks.get("host")
    assert host.networks.get(known.id[:8]) == known
    with pytest.raises(NetworkNotFound, match="network nosuch not found"):
        host.networks.get("nosuch")
    assert host.networks.inspect("none")["Driver"] == "null"


def test_reserving_makes_the_bridge(host: Host) -> None:
    (endpoint,) = host.networks.reserve(new_id(), "one", request())
    alias, addresses = bridge(endpoint.bridge)
    assert alias == f"pydock {endpoint.network_id[:12]} {host.paths.root}"
    assert addresses == [f"{endpoint.gateway}/{endpoint.prefix_length}"]
    assert endpoint.address != endpoint.gateway
    assert endpoint.mac == "02:42:" + bytes(int(part) for part in endpoint.address.split(".")).hex(":")


def test_no_interface_for_host_none_and_joined(host: Host) -> None:
    for mode in ("host", "none", "container:abc"):
        assert host.networks.reserve(new_id(), "one", request(network=mode)) == ()
    with pytest.raises(NetworkNotFound):
        host.networks.reserve(new_id(), "one", request(network="nosuch"))


def test_no_address_is_given_twice(host: Host) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: host.networks.reserve(new_id(), "x", request())[0].address, range(40)))
    assert len(set(found)) == 40


def test_a_released_address_is_free_and_reused_last(host: Host) -> None:
    first, second, third = new_id(), new_id(), new_id()
    (one,) = host.networks.reserve(first, "one", request())
    host.networks.release(first)
    host.networks.release(first)
    (two,) = host.networks.reserve(second, "two", request())
    assert two.address != one.address
    (again,) = host.networks.reserve(second, "two", request())
    assert again.address not in (one.address, two.address)
    (other,) = host.networks.reserve(third, "three", request())
    assert other.address != again.address


def test_a_port_race_has_one_winner(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        number = probe.getsockname()[1]

    def reserve(_index: int) -> str:
        try:
            host.networks.reserve(new_id(), "x", request(PortMapping(container_port=80, host_port=number)))
        except Conflict as error:
            return error.message
        return "won"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(reserve, range(8)))
    assert results.count("won") == 1
    assert all("port is already allocated by container" in text for text in results if text != "won")


def test_a_port_of_a_program_names_it(host: Host) -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = PortMapping(container_port=80, host_port=other.getsockname()[1])
        with pytest.raises(Conflict, match=rf"port is already allocated by \S+.* \(pid {os.getpid()}\)"):
            host.networks.reserve(new_id(), "one", request(port))
    assert host.store.query("SELECT count(*) FROM endpoints") == [(0,)]


def test_two_engines_get_different_bridges_and_subnets(tmp_path: Path) -> None:
    hosts = [Host(tmp_path / name) for name in ("a", "b", "c")]
    try:
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda host: host.networks.reserve(new_id(), "x", request())[0], hosts))
        assert len({endpoint.bridge for endpoint in found}) == 3
        assert len({endpoint.gateway for endpoint in found}) == 3
    finally:
        for host in hosts:
            host.close()


def test_an_engine_keeps_its_bridge_while_another_comes(tmp_path: Path) -> None:
    one, other = Host(tmp_path / "one"), Host(tmp_path / "other")
    try:
        first = new_id()
        (before,) = one.networks.reserve(first, "x", request())
        one.networks.release(first)
        (theirs,) = other.networks.reserve(new_id(), "x", request())
        (after,) = one.networks.reserve(new_id(), "x", request())
        assert after.bridge == before.bridge != theirs.bridge
        assert after.gateway == before.gateway != theirs.gateway
    finally:
        one.close()
        other.close()


def test_the_network_moves_when_another_took_its_place(tmp_path: Path) -> None:
    """The interface went with a reboot; another engine was first afterwards."""
    one, other = Host(tmp_path / "one"), Host(tmp_path / "other")
    try:
        first = new_id()
        (before,) = one.networks.reserve(first, "x", request())
        one.networks.release(first)
        one.networks.teardown()
        (theirs,) = other.networks.reserve(new_id(), "x", request())
        (after,) = one.networks.reserve(first, "x", request())
        assert after.bridge != theirs.bridge
        assert after.gateway != theirs.gateway
        assert bridge(theirs.bridge)[1] == [f"{theirs.gateway}/{theirs.prefix_length}"]
        assert before.network_id == after.network_id
    finally:
        one.close()
        other.close()


def test_bridges_of_engines_that_are_gone_are_taken_away(tmp_path: Path, host: Host) -> None:
    gone = Host(tmp_path / "gone")
    (endpoint,) = gone.networks.reserve(new_id(), "x", request())
    gone.store.close()
    os.rename(gone.paths.root, tmp_path / "elsewhere")
    (ours,) = host.networks.reserve(new_id(), "x", request())
    with IPRoute() as route:
        names = {link.get_attr("IFLA_IFNAME"): link.get_attr("IFLA_IFALIAS") for link in route.get_links()}
    assert gone.paths.root not in {(alias or "").split(" ", 2)[-1] for alias in names.values()}
    assert ours.bridge in names
    assert endpoint.network_id != ours.network_id


def test_teardown_leaves_networks_in_use(host: Host) -> None:
    container = new_id()
    (endpoint,) = host.networks.reserve(container, "x", request())
    host.networks.teardown()
    assert bridge(endpoint.bridge)[1]
    host.networks.release(container)
    host.networks.teardown()
    with IPRoute() as route:
        assert not list(route.link_lookup(ifname=endpoint.bridge))


def test_connects_and_disconnects_are_told(host: Host) -> None:
    container = new_id()
    host.networks.reserve(container, "x", request())
    host.networks.release(container)
    told = host.store.query("SELECT action, attributes FROM events WHERE type = 'network' ORDER BY id")
    assert [action for action, _ in told] == ["connect", "disconnect"]
    assert container in told[0][1]
