"""Networks of one's own, with real containers: who reaches whom, by which name, and for how long."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from pyroute2 import IPRoute  # type: ignore[import-untyped]

from engine.engine import Engine
from engine.errors import Conflict, EngineError, InUse, InvalidRequest, NameInUse, NetworkNotFound
from engine.models import Container, CreateRequest, ExecRequest, Network, NetworkAttachment, PortMapping
from engine.networks import links, rules
from engine.networks.namespace import InNetwork
from engine.networks.nfnetlink import table_exists
from engine.networks.nftables import run
from engine.networks.reserve import reserve
from tests.support.engine import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.engine import EngineRoot

pytestmark = pytest.mark.root

Make = Callable[..., Network]
ECHO = """
import socket
s = socket.create_server(("", 80))
while True:
    peer, _ = s.accept()
    peer.sendall(b"here")
"""


@pytest.fixture
def make(engine: Engine, pydock: EngineRoot) -> Iterator[Make]:
    """Makes networks that are gone afterwards, their containers too, with all that the host had of them."""
    made: list[Network] = []

    def create(name: str, **options: Any) -> Network:
        made.append(engine.networks.create(name, **options))
        return made[-1]

    yield create
    pydock.remove_containers()
    for network in made:
        if network.name in {other.name for other in engine.networks.list()}:
            engine.networks.remove(network.name)
        assert not interface(network.bridge)
        table = rules.table_name(engine.paths.root)
        assert not table_exists(table) or network.bridge not in run(f"list table inet {table}")


def start(engine: Engine, image: str, name: str, *networks: str | NetworkAttachment, **options: Any) -> Container:
    attached = tuple(one if isinstance(one, NetworkAttachment) else NetworkAttachment(network=one) for one in networks)
    request = CreateRequest(
        image=image,
        name=name,
        command=("sleep", "1000"),
        network=attached[0].network if attached else "bridge",
        networks=attached or None,
        **options,
    )
    engine.containers.start(engine.containers.create(request).id)
    return engine.containers.get(name)


def inside(engine: Engine, name: str, *command: str) -> tuple[int, str]:
    """Exit code and output of a command in a container."""
    code, told = -1, b""
    session = engine.containers.exec(name, ExecRequest(command=command))
    for frame in session.frames():
        if frame.kind in ("stdout", "stderr"):
            told += frame.data
        elif frame.kind == "exit":
            code = frame.code
    session.close()
    return code, told.decode()


def address_of(engine: Engine, asker: str, name: str) -> str:
    """What the container's own resolver library says; "" for nothing."""
    code, told = inside(engine, asker, "getent", "ahostsv4", name)
    return told.split()[0] if code == 0 else ""


def reaches(container: Container, address: str, port: int = 80) -> bool:
    """Whether the server at that address answers somebody in the container's network within a second."""
    with InNetwork(container.pid):
        client = socket.socket()
    with client:
        client.settimeout(1)
        try:
            client.connect((address, port))
            return client.recv(10) == b"here"
        except OSError:
            return False


@pytest.fixture
def serve() -> Iterator[Callable[[Container], None]]:
    running: list[subprocess.Popen[bytes]] = []

    def begin(container: Container) -> None:
        words = ["nsenter", "-t", str(container.pid), "-n", sys.executable, "-SIc", ECHO]
        running.append(subprocess.Popen(words))
        path = f"/proc/{container.pid}/net/tcp"
        wait_until("the server to listen", lambda: ":0050" in open(path).read())  # noqa: SIM115

    yield begin
    for process in running:
        process.kill()
        process.wait()


def interface(name: str) -> bool:
    with IPRoute() as route:
        return bool(list(route.link_lookup(ifname=name)))


def shim_of(container: Container) -> int:
    with open(f"/proc/{container.pid}/status", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("PPid:")).split()[1])


def test_by_name_on_one_network_and_not_across(
    engine: Engine, image: str, make: Make, serve: Callable[[Container], None]
) -> None:
    make("one")
    make("two")
    start(engine, image, "web", NetworkAttachment(network="one", aliases=("www",)))
    db = start(engine, image, "db", "one")
    far = start(engine, image, "far", "two")
    plain = start(engine, image, "plain")
    web = engine.containers.get("web")
    serve(web)
    address = web.endpoints[0].address
    for name in ("web", "www", "web.one", web.id[:12]):
        assert address_of(engine, "db", name) == address
    assert inside(engine, "db", "getent", "hosts", address)[1].split() == [address, "web.one"]
    assert reaches(db, address)
    for stranger in (far, plain):
        assert address_of(engine, stranger.name, "web") == ""
        assert not reaches(stranger, address)
    assert inside(engine, "plain", "cat", "/etc/resolv.conf")[1].count("127.0.0.11") == 0


def test_a_name_follows_its_container(engine: Engine, image: str, make: Make) -> None:
    make("one")
    start(engine, image, "asker", "one")
    other = start(engine, image, "before", "one")
    assert address_of(engine, "asker", "before") == other.endpoints[0].address
    engine.containers.rename("before", "after")
    assert address_of(engine, "asker", "after") == other.endpoints[0].address
    assert address_of(engine, "asker", "before") == ""
    engine.containers.stop("after", timeout_s=0)
    assert address_of(engine, "asker", "after") == ""


def test_an_internal_network_reaches_nothing_outside(
    engine: Engine, image: str, make: Make, serve: Callable[[Container], None]
) -> None:
    make("inner", internal=True)
    make("outer")
    one = start(engine, image, "one", "inner")
    two = start(engine, image, "two", "inner")
    outside = start(engine, image, "outside", "outer", ports=(PortMapping(container_port=80),))
    serve(two)
    serve(outside)
    assert reaches(one, two.endpoints[0].address)
    assert not reaches(one, outside.endpoints[0].address)
    (port,) = outside.endpoints[0].ports
    assert not reaches(one, one.endpoints[0].gateway, port.host_port)
    assert "default" not in inside(engine, "one", "ip", "route")[1]
    assert address_of(engine, "one", "two") == two.endpoints[0].address
    assert address_of(engine, "one", "www.example.org") == ""


def test_a_disconnect_cuts_at_once_and_a_connect_joins(
    engine: Engine, image: str, make: Make, serve: Callable[[Container], None]
) -> None:
    make("one")
    make("two")
    web = start(engine, image, "web", "one", "two")
    asker = start(engine, image, "asker", "one")
    serve(web)
    address = web.endpoints[0].address
    with InNetwork(asker.pid):
        client = socket.socket()
    with client:
        client.settimeout(1)
        client.connect((address, 80))
        assert client.recv(10) == b"here"
        engine.containers.disconnect("web", "one")
        client.setblocking(True)
        client.settimeout(0.5)
        client.send(b"?")
        with pytest.raises(OSError):
            client.recv(10)
    assert address_of(engine, "asker", "web") == ""
    assert not interface(links.veth_name(web.id, "one"))
    assert "via" in inside(engine, "web", "ip", "route")[1]  # the default route is now the other network's
    engine.containers.connect("asker", NetworkAttachment(network="two", aliases=("a2",)))
    asker = engine.containers.get("asker")
    assert [endpoint.network for endpoint in asker.endpoints] == ["one", "two"]
    assert reaches(asker, engine.containers.get("web").endpoints[0].address)
    assert address_of(engine, "web", "a2") == asker.endpoints[1].address
    engine.containers.restart("asker", timeout_s=0)
    assert [endpoint.network for endpoint in engine.containers.get("asker").endpoints] == ["one", "two"]


def test_published_ports_go_to_the_next_network(
    engine: Engine, image: str, make: Make, serve: Callable[[Container], None]
) -> None:
    make("one")
    make("two")
    web = start(engine, image, "web", "one", "two", ports=(PortMapping(container_port=80),))
    serve(web)
    (port,) = web.endpoints[0].ports
    for gone in ("", "one"):
        if gone:
            engine.containers.disconnect("web", gone)
        with socket.create_connection(("127.0.0.1", port.host_port), 2) as connection:
            assert connection.recv(10) == b"here"


def test_the_first_network_of_ones_own_brings_the_names(engine: Engine, image: str, make: Make) -> None:
    make("one")
    other = start(engine, image, "other", "one")
    start(engine, image, "plain")
    inside(engine, "plain", "sh", "-c", "echo 192.0.2.9 mine >> /etc/hosts")
    engine.containers.connect("plain", NetworkAttachment(network="one"))
    assert address_of(engine, "plain", "other") == other.endpoints[0].address
    assert address_of(engine, "plain", "mine") == "192.0.2.9"
    for name in ("bridge", "one"):
        engine.containers.disconnect("plain", name)
    assert inside(engine, "plain", "ip", "route") == (0, "")
    assert engine.containers.get("plain").endpoints == ()


def test_fixed_address_mac_and_range(engine: Engine, image: str, make: Make) -> None:
    make("fixed", subnet="10.201.7.0/24", ip_range="10.201.7.64/29", gateway="10.201.7.254")
    asked = NetworkAttachment(network="fixed", address="10.201.7.65", mac="92:d0:c6:0a:29:33")
    one = start(engine, image, "one", asked)
    assert "92:d0:c6:0a:29:33" in inside(engine, "one", "ip", "link")[1]
    assert "10.201.7.65/24" in inside(engine, "one", "ip", "addr")[1]
    assert one.endpoints[0].gateway == "10.201.7.254"
    two = start(engine, image, "two", "fixed")
    assert re.fullmatch(r"10\.201\.7\.(6[46-9]|7[01])", two.endpoints[0].address)
    with pytest.raises(Conflict, match=r"address already in use: 10\.201\.7\.65"):
        start(engine, image, "three", asked)
    with pytest.raises(InvalidRequest, match="does not belong to"):
        start(engine, image, "four", NetworkAttachment(network="fixed", address="10.1.1.1"))


def test_neighbours_that_may_not_talk(
    engine: Engine, image: str, make: Make, serve: Callable[[Container], None]
) -> None:
    make("apart", options={"com.docker.network.bridge.enable_icc": "false", "com.docker.network.driver.mtu": "1400"})
    one, two = start(engine, image, "one", "apart"), start(engine, image, "two", "apart")
    serve(two)
    assert not reaches(one, two.endpoints[0].address)
    assert "mtu 1400" in inside(engine, "one", "ip", "link")[1]


def test_what_is_refused(engine: Engine, image: str, make: Make) -> None:
    one = make("one", subnet="10.202.0.0/24")
    with pytest.raises(NameInUse, match="network with name one already exists"):
        engine.networks.create("one")
    with pytest.raises(Conflict, match="pool overlaps with other one on this address space"):
        engine.networks.create("big", subnet="10.202.0.0/16")
    with pytest.raises(Conflict, match="bridge is a pre-defined network and cannot be removed"):
        engine.networks.remove("bridge")
    with pytest.raises(NetworkNotFound, match="network nosuch not found"):
        engine.networks.remove("nosuch")
    for wrong in ({"gateway": "10.0.0.1"}, {"subnet": "10.0.0.0/33"}, {"options": {"com.docker.x": "1"}}):
        with pytest.raises(EngineError):
            engine.networks.create("wrong", **wrong)
    web = start(engine, image, "web", "one")
    with pytest.raises(InUse, match=rf'network one id {one.id[:12]} has active endpoints \(name:"web"'):
        engine.networks.remove("one")
    with pytest.raises(Conflict, match="endpoint with name web already exists in network one"):
        engine.containers.connect("web", NetworkAttachment(network=one.id[:12]))
    with pytest.raises(Conflict, match="container web is not connected to network bridge"):
        engine.containers.disconnect("web", "bridge")
    with pytest.raises(InvalidRequest, match="host network"):
        engine.containers.connect("web", NetworkAttachment(network="host"))
    assert engine.containers.get("web").endpoints == web.endpoints
    assert [network.name for network in engine.networks.list()] == ["bridge", "host", "none", "one"]


def test_a_killed_shim_leaves_nothing_of_two_networks(engine: Engine, image: str, make: Make) -> None:
    made = [make("one"), make("two")]
    web = start(engine, image, "web", "one", "two")
    asker = start(engine, image, "asker", "one")
    os.kill(shim_of(web), signal.SIGKILL)
    wait_until("the end of the container", lambda: not os.path.exists(f"/proc/{web.pid}"))
    with Engine(engine.paths.root, engine.paths.run_root) as other:
        assert other.containers.get("web").state == "exited"
        assert address_of(other, "asker", "web") == ""
        ends = [links.veth_name(web.id, network.name) for network in made]
        wait_until("the interfaces to go", lambda: sum(map(interface, ends)) == 0)
        other.networks.remove("two")
    assert asker.endpoints == engine.containers.get("asker").endpoints


def test_an_address_whose_taker_was_killed_is_given_back(engine: Engine, image: str, make: Make) -> None:
    make("one")
    make("two")
    web = start(engine, image, "web", "one")
    reserve(engine.store, engine.paths.root, web.id, (NetworkAttachment(network="two"),), beside=web.endpoints)
    with pytest.raises(InUse):
        engine.networks.remove("two")
    with Engine(engine.paths.root, engine.paths.run_root) as other:
        other.networks.remove("two")
        assert other.containers.get("web").endpoints == web.endpoints


def test_twenty_creates_at_once(engine: Engine, make: Make) -> None:
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda number: make(f"many{number}"), range(20)))
    assert len({network.subnet for network in made}) == 20
    assert all(interface(network.bridge) for network in made)

    def contend(_number: int) -> bool:
        try:
            make("same")
        except NameInUse:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(contend, range(20))) == 1


def test_connects_and_disconnects_at_once_agree(engine: Engine, image: str, make: Make) -> None:
    for number in range(4):
        make(f"net{number}")
    names = [f"c{number}x" for number in range(4)]
    for name in names:
        start(engine, image, name)

    def churn(number: int) -> None:
        for turn in range(3):
            for name in names:
                place = f"net{(number + turn) % 4}"
                try:
                    engine.containers.connect(name, NetworkAttachment(network=place))
                    engine.containers.disconnect(name, place)
                except Conflict:
                    pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(churn, range(4)))
    for name in names:
        assert [endpoint.network for endpoint in engine.containers.get(name).endpoints] == ["bridge"]
        assert set(re.findall(r"eth[0-9]+", inside(engine, name, "ip", "-o", "link")[1])) == {"eth0"}
    assert engine.store.query("SELECT count(*) FROM endpoints WHERE network LIKE 'net%'") == [(0,)]


def test_the_commands(pydock: EngineRoot, make: Make, image: str) -> None:
    created = pydock.ok("network", "create", "--label", "a=b", "--subnet", "10.203.5.9/24", "cli").strip()
    assert re.fullmatch(r"[0-9a-f]{64}", created)
    (document,) = json.loads(pydock.ok("network", "inspect", "cli"))
    assert document["IPAM"]["Config"] == [{"Subnet": "10.203.5.0/24", "Gateway": "10.203.5.1"}]
    assert document["Labels"] == {"a": "b"}
    pydock.ok(
        "run",
        "-d",
        "--name",
        "web",
        "--network",
        "cli",
        "--ip",
        "10.203.5.7",
        "--network-alias",
        "www",
        image,
        "sleep",
        "99",
    )
    assert "10.203.5.7" in pydock.ok("run", "--rm", "--network", "name=cli,alias=x", image, "getent", "hosts", "www")
    pydock.ok("network", "disconnect", "cli", "web")
    pydock.ok("network", "connect", "--ip", "10.203.5.8", "--alias", "w3", "cli", "web")
    (document,) = json.loads(pydock.ok("network", "inspect", "cli"))
    assert [member["IPv4Address"] for member in document["Containers"].values()] == ["10.203.5.8/24"]
    refused = pydock.pydock("network", "rm", "cli")
    assert (refused.returncode, "has active endpoints" in refused.stderr) == (1, True)
    pydock.ok("stop", "-t", "0", "web")
    assert pydock.ok("network", "prune", "-f") == ""  # a stopped container will want it again
    pydock.ok("rm", "web")
    assert pydock.ok("network", "prune", "-f", "--filter", "label=a=b").split() == ["Deleted", "Networks:", "cli"]
    assert pydock.ok("network", "rm", "-f", "cli") == ""
