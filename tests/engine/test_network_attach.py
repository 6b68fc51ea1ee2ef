"""A container's network seen from inside, from the host, from its neighbours and from a machine outside.

Containers are bare network namespaces here: what is tested is the wiring. The machine outside is a namespace too,
joined to the host by a veth pair, with no route to the containers' subnet.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyroute2 import IPRoute, NetNS  # type: ignore[import-untyped]

from engine.errors import Conflict
from engine.models import CreateRequest, Endpoint, PortMapping
from engine.networks import attach as network
from engine.networks import links, rules
from engine.networks.networks import Networks
from engine.networks.nfnetlink import table_exists
from engine.networks.nftables import run
from engine.paths import Paths
from engine.store import Store
from runtime.kernel import calls, constants
from tests.support.engine import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.root

SERVER = """
import socket, sys, select
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
s = socket.socket(socket.AF_INET, kind)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", int(sys.argv[2])))
if kind == socket.SOCK_STREAM:
    s.listen()
print("ready", flush=True)
while True:
    if kind == socket.SOCK_STREAM:
        peer, address = s.accept()
        peer.sendall((sys.argv[3] + " " + address[0]).encode())
        peer.close()
    else:
        data, address = s.recvfrom(100)
        s.sendto((sys.argv[3] + " " + address[0]).encode(), address)
"""
CLIENT = """
import socket, sys
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
s = socket.socket(socket.AF_INET, kind)
s.settimeout(float(sys.argv[4]))
try:
    s.connect((sys.argv[2], int(sys.argv[3])))
    if kind == socket.SOCK_DGRAM:
        s.send(b"?")
    print(s.recv(100).decode())
except OSError as error:
    print(type(error).__name__)
"""


class Place:
    """A network namespace that lives as long as its process; "" stands for the host."""

    def __init__(self, name: str = "", *, host: bool = False) -> None:
        self.id = os.urandom(32).hex()
        self.name = name
        self._running: list[subprocess.Popen[str]] = []
        self.pid = 0
        if not host:
            self.pid = self._start(["unshare", "-n"], "print('ready', flush=True); import time; time.sleep(600)").pid

    def serve(self, port: int, protocol: str = "tcp") -> None:
        """Answer everyone with this place's name and the caller's address."""
        self._start(self._enter(), SERVER, protocol, str(port), self.name)

    def ask(self, address: str, port: int, protocol: str = "tcp", timeout_s: float = 2.0) -> str:
        """What a server there answers, or the name of the error."""
        words = [*self._enter(), sys.executable, "-SIc", CLIENT, protocol, address, str(port), str(timeout_s)]
        return subprocess.run(words, capture_output=True, text=True, timeout=30, check=True).stdout.strip()

    def end(self) -> None:
        for process in self._running:
            process.kill()
        for process in self._running:
            process.wait()
        self._running.clear()

    def _enter(self) -> list[str]:
        return ["nsenter", "-t", str(self.pid), "-n"] if self.pid else []

    def _start(self, before: list[str], *code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([*before, sys.executable, "-SIc", *code], stdout=subprocess.PIPE, text=True)
        self._running.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return process


class Net:
    """A data root's networks, with places attached to them."""

    def __init__(self, base: Path) -> None:
        self.paths = Paths(str(base / "root"), str(base / "run"))
        self.paths.create()
        self.store = Store(self.paths.database)
        self.networks = Networks(self.store, self.paths)
        self.attached: list[tuple[Place, Endpoint]] = []
        self.places: list[Place] = []

    def container(self, name: str, *ports: PortMapping) -> tuple[Place, Endpoint]:
        place = Place(name)
        self.places.append(place)
        request = CreateRequest(image="toolbox", ports=ports)
        (endpoint,) = self.networks.reserve(place.id, name, request)
        network.attach(place.pid, place.id, endpoint)
        self.attached.append((place, endpoint))
        return place, endpoint

    def close(self) -> None:
        for place in self.places:
            place.end()
        for place, endpoint in self.attached:
            network.detach(place.id, endpoint)
            self.networks.release(place.id)
        self.networks.teardown()
        self.store.close()


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    made = Net(tmp_path)
    yield made
    made.close()


@pytest.fixture
def host() -> Place:
    return Place(host=True)


@pytest.fixture
def outside() -> Iterator[Place]:
    """Another machine at 198.51.100.2; this host is 198.51.100.1 to it."""
    with machine_outside() as place:
        yield place


@contextlib.contextmanager
def machine_outside() -> Iterator[Place]:
    place = Place("outside")
    name = f"out{os.getpid()}"
    try:
        with IPRoute() as route:
            route.link("add", ifname=name, kind="veth", peer={"ifname": "eth0", "net_ns_pid": place.pid})
            (index,) = route.link_lookup(ifname=name)
            route.addr("add", index=index, address="198.51.100.1", prefixlen=24)
            route.link("set", index=index, state="up")
        with NetNS(f"/proc/{place.pid}/ns/net") as inside:
            (index,) = inside.link_lookup(ifname="eth0")
            inside.addr("add", index=index, address="198.51.100.2", prefixlen=24)
            inside.link("set", index=index, state="up")
        yield place
    finally:
        place.end()
        with IPRoute() as route, contextlib.suppress(Exception):
            route.link("del", ifname=name)


def free_port() -> int:
    with socket.create_server(("0.0.0.0", 0)) as probe:
        return int(probe.getsockname()[1])


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


def test_published_ports_from_the_host_by_every_address(net: Net, host: Place, outside: Place) -> None:
    number = free_port()
    one, endpoint = net.container("one", PortMapping(container_port=80, host_port=number))
    one.serve(80)
    assert host.ask("127.0.0.1", number) == f"one {endpoint.gateway}"
    assert host.ask("127.0.0.53", number) == f"one {endpoint.gateway}"
    assert host.ask("198.51.100.1", number).startswith("one ")
    assert host.ask(endpoint.gateway, number).startswith("one ")
    assert outside.ask("198.51.100.1", number) == "one 198.51.100.2"


def test_published_udp(net: Net, host: Place, outside: Place) -> None:
    number = free_port()
    one, _ = net.container("one", PortMapping(container_port=53, host_port=number, protocol="udp"))
    one.serve(53, "udp")
    assert host.ask("127.0.0.1", number, "udp").startswith("one ")
    assert outside.ask("198.51.100.1", number, "udp") == "one 198.51.100.2"


def test_a_port_on_one_address_only(net: Net, host: Place, outside: Place) -> None:
    number = free_port()
    port = PortMapping(container_port=80, host_port=number, host_ip="127.0.0.1")
    one, _ = net.container("one", port)
    one.serve(80)
    assert host.ask("127.0.0.1", number).startswith("one ")
    assert outside.ask("198.51.100.1", number) == "ConnectionRefusedError"


def test_hairpin_from_a_neighbour_and_from_itself(net: Net, outside: Place) -> None:
    number = free_port()
    one, endpoint = net.container("one", PortMapping(container_port=80, host_port=number))
    two, _ = net.container("two")
    one.serve(80)
    for address in ("198.51.100.1", endpoint.gateway):
        assert two.ask(address, number).startswith("one ")
        assert one.ask(address, number).startswith("one ")
    assert outside.pid


def test_the_way_out_is_masqueraded(net: Net, outside: Place) -> None:
    """The machine outside has no route to the containers: it answers because it sees the host's address."""
    one, _ = net.container("one")
    outside.serve(9000)
    assert one.ask("198.51.100.2", 9000) == "outside 198.51.100.1"


def test_unpublished_ports_are_closed_to_the_outside(net: Net, outside: Place) -> None:
    one, endpoint = net.container("one")
    one.serve(80)
    with NetNS(f"/proc/{outside.pid}/ns/net") as inside:
        inside.route("add", dst="default", gateway="198.51.100.1")
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


def on_a_host_of_its_own(story: Callable[[], None]) -> None:
    """Run the story in a new network namespace, as if on a machine without any of this one's firewall rules."""

    def run_there() -> None:
        calls.unshare(constants.CLONE_NEWNET)
        network.loopback(threading.get_native_id())
        # A namespace starts with what the host has set.
        shell("echo 0 > /proc/sys/net/ipv4/ip_forward")
        story()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run_there).result(timeout=100)


def reach_in_and_out(base: Path) -> None:
    """The whole story in short: out by masquerade, in by a published port."""
    net = Net(base)
    try:
        with machine_outside() as outside:
            number = 8080
            one, _ = net.container("one", PortMapping(container_port=80, host_port=number))
            one.serve(80)
            outside.serve(9000)
            assert one.ask("198.51.100.2", 9000) == "outside 198.51.100.1"
            assert outside.ask("198.51.100.1", number) == "one 198.51.100.2"
            # A second start on the same network adds nothing to the host's chains.
            before = shell("nft list ruleset")
            net.container("two")
            assert shell("nft list ruleset").count('comment "pydock"') == before.count('comment "pydock"')
    finally:
        net.close()


def shell(line: str) -> str:
    return subprocess.run(["sh", "-ec", line], capture_output=True, text=True, check=True).stdout


def test_a_bare_host_gets_forwarding_switched_on(tmp_path: Path) -> None:
    def story() -> None:
        assert shell("cat /proc/sys/net/ipv4/ip_forward") == "0\n"
        reach_in_and_out(tmp_path)
        assert shell("cat /proc/sys/net/ipv4/ip_forward") == "1\n"
        assert shell("nft list ruleset") == ""

    on_a_host_of_its_own(story)


@pytest.mark.parametrize("program", ["iptables-nft", "iptables-legacy"])
@pytest.mark.parametrize("docker_user", [True, False], ids=["docker", "plain"])
def test_packets_pass_beside_a_firewall_that_drops_forwarding(tmp_path: Path, program: str, docker_user: bool) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")

    def story() -> None:
        try:
            shell(f"{program} -P FORWARD DROP")
        except subprocess.CalledProcessError:
            pytest.skip(f"this kernel does not do {program}")
        if docker_user:
            shell(f"{program} -N DOCKER-USER; {program} -A DOCKER-USER -j RETURN; {program} -I FORWARD -j DOCKER-USER")
        before = shell(f"{program} -S")
        reach_in_and_out(tmp_path)
        assert shell(f"{program} -S") == before

    on_a_host_of_its_own(story)


def test_packets_pass_beside_a_running_dockerd(tmp_path: Path) -> None:
    if shutil.which("dockerd") is None:
        pytest.skip("dockerd is not installed")

    def story() -> None:
        base = tempfile.mkdtemp(prefix="dockerd-")
        options = f"--data-root {base}/lib --exec-root {base}/run --pidfile {base}/pid --host unix://{base}/sock"
        with open(f"{base}/log", "wb") as log:
            daemon = subprocess.Popen(["dockerd", *options.split()], stdout=log, stderr=log)
        try:
            wait_until("dockerd to set its rules up", lambda: "DOCKER-USER" in shell("iptables -S FORWARD"), 60)
            wait_until("dockerd to answer", lambda: os.path.exists(f"{base}/sock"), 60)
            assert "-P FORWARD DROP" in shell("iptables -S FORWARD")
            reach_in_and_out(tmp_path)
        finally:
            daemon.terminate()
            daemon.wait(timeout=30)
            shutil.rmtree(base, ignore_errors=True)

    on_a_host_of_its_own(story)
