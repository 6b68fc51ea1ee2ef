"""Real containers on a host of its own, and another machine beside it: who reaches whom, in both families, both
protocols, by every address, and what is left when nobody runs any more."""

from __future__ import annotations

import json
import re
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from engine.errors import Conflict, EngineError, HostUnfit, InvalidRequest, WrongState
from engine.models import Container, NetworkAttachment, PortMapping
from engine.networks import rules
from engine.networks.namespace import InNetwork
from engine.networks.nfnetlink import table_exists
from engine.networks.nftables import run
from tests.support.engine import wait_until
from tests.support.hosts import LoneHost, Outside, Place, machine_outside, shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

HOST = Place(host=True)


@pytest.fixture(scope="module")
def lone() -> Iterator[LoneHost]:
    made = LoneHost()
    yield made
    made.close()


@pytest.fixture
def there(lone: LoneHost) -> Iterator[Callable[[Callable[[Outside], None]], None]]:
    """Runs a story on the lone host, with a machine outside; everything is gone afterwards."""
    places.clear()

    def told(story: Callable[[Outside], None]) -> None:
        def begin() -> None:
            with machine_outside() as outside:
                story(outside)

        lone.run(begin)

    yield told
    for place in places:
        place.end()
    lone.run(lone.clear)


places: list[Place] = []


def place(container: Container) -> Place:
    """The container's network, to serve and ask from."""
    made = Place(container.name, pid=container.pid)
    places.append(made)
    return made


def serving(container: Container, *ports: tuple[int, str]) -> Place:
    """Answers on these ports in every family that the container has an address of."""
    made = place(container)
    (endpoint, *_) = container.endpoints
    for port, protocol in ports:
        if endpoint.address:
            made.serve(port, protocol)
        if endpoint.address6:
            made.serve(port, protocol, ipv6=True)
    return made


def published(container: Container, port: int, protocol: str = "tcp") -> int:
    return next(
        mapping.host_port
        for endpoint in container.endpoints
        for mapping in endpoint.ports
        if (mapping.container_port, mapping.protocol) == (port, protocol)
    )


WEB = (PortMapping(container_port=80), PortMapping(container_port=53, protocol="udp"))
SERVED = ((80, "tcp"), (53, "udp"))


@pytest.mark.parametrize("network", ["bridge", "dual", "six"])
def test_a_published_port_answers_by_every_address(
    lone: LoneHost, there: Callable[[Callable[[Outside], None]], None], network: str
) -> None:
    """From outside, from the host itself and from containers, whichever family the container has addresses of."""

    def story(outside: Outside) -> None:
        if network != "bridge":
            lone.engine.networks.create(network, ipv6=True, ipv4=network == "dual")
        web = lone.start("web", network, ports=WEB)
        serving(web, *SERVED)
        neighbour = place(lone.start("neighbour", network))
        for port, protocol in SERVED:
            number = published(web, port, protocol)
            for address in (outside.host, outside.host6):
                assert outside.ask(address, number, protocol).startswith("web "), (address, protocol)
            for address in ("127.0.0.1", "::1", outside.host, outside.host6):
                assert HOST.ask(address, number, protocol).startswith("web "), (address, protocol)
            (endpoint,) = web.endpoints
            for own, address in ((endpoint.address, outside.host), (endpoint.address6, outside.host6)):
                if own:
                    assert neighbour.ask(address, number, protocol).startswith("web "), (address, protocol)
                    assert place(web).ask(address, number, protocol).startswith("web "), (address, protocol)

    there(story)


@pytest.mark.parametrize("network", ["bridge", "six"])
def test_datagrams_are_answered_by_the_address_that_was_asked(
    lone: LoneHost, there: Callable[[Callable[[Outside], None]], None], network: str
) -> None:
    """What the shim passes on: the host has several addresses, and each client takes answers of the one he asked."""

    def story(outside: Outside) -> None:
        if network == "six":
            lone.engine.networks.create("six", ipv6=True, ipv4=False)
        web = lone.start("web", network, ports=WEB)
        serving(web, *SERVED)
        number = published(web, 53, "udp")
        for address, via, family in (("203.0.113.7", outside.host, "-4"), ("fd5e::7", outside.host6, "-6")):
            shell(f"ip {family} addr add {address} dev lo")
            shell(f"nsenter -t {outside.pid} -n ip {family} route add {address} via {via}")
            assert outside.ask(address, number, "udp").startswith("web ")
            assert outside.ask(via, number, "udp").startswith("web ")
            shell(f"ip {family} addr del {address} dev lo")

    there(story)


def test_the_way_out_of_both_families(lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]) -> None:
    """The machine outside has no route to the containers: it answers because it sees the host's address."""

    def story(outside: Outside) -> None:
        shell("echo 0 > /proc/sys/net/ipv6/conf/all/forwarding; echo 0 > /proc/sys/net/ipv4/ip_forward")
        mark = max((event.id for event in lone.engine.events.since(0)), default=0)
        lone.engine.networks.create("dual", ipv6=True)
        one = place(lone.start("one", "dual"))
        outside.serve(9000)
        outside.serve(9000, ipv6=True)
        assert one.ask(outside.address, 9000) == f"outside {outside.host}"
        assert one.ask(outside.address6, 9000) == f"outside {outside.host6}"
        told = [event for event in lone.engine.events.since(mark) if event.action == "sysctl"]
        assert [event.attributes["set"] for event in told] == ["net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"]
        lone.start("two", "dual")
        assert len([event for event in lone.engine.events.since(mark) if event.action == "sysctl"]) == 1

    there(story)


def test_names_and_reverse_names_of_both_families(
    lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]
) -> None:
    def story(_outside: Outside) -> None:
        lone.engine.networks.create("dual", ipv6=True, subnet6="fd00:77::/64", gateway6="fd00:77::ff")
        lone.engine.networks.create("other", ipv6=True)
        web = lone.start("web", NetworkAttachment(network="dual", aliases=("www",), address6="fd00:77::abcd"))
        lone.start("asker", "dual")
        lone.start("far", "other")
        (endpoint,) = web.endpoints
        assert (endpoint.address6, endpoint.gateway6, endpoint.prefix_length6) == ("fd00:77::abcd", "fd00:77::ff", 64)
        for name in ("web", "www", "web.dual"):
            assert lone.inside("asker", "getent", "ahostsv6", name)[1].split()[0] == "fd00:77::abcd"
            assert lone.inside("asker", "getent", "ahostsv4", name)[1].split()[0] == endpoint.address
            assert lone.inside("far", "getent", "ahosts", name)[0] != 0
        assert lone.inside("asker", "getent", "hosts", "fd00:77::abcd")[1].split() == ["fd00:77::abcd", "web.dual"]
        assert f"fd00:77::abcd\t{web.id[:12]}" in lone.inside("web", "cat", "/etc/hosts")[1]
        assert "via fd00:77::ff" in lone.inside("web", "ip", "-6", "route")[1]
        assert not re.search(
            "tentative|dadfailed", lone.inside("web", "ip", "-6", "addr")[1].split("fd00:77")[1].split("\n")[0]
        )
        shown = lone.engine.containers.inspect("web")["NetworkSettings"]["Networks"]["dual"]
        assert (shown["GlobalIPv6Address"], shown["IPv6Gateway"]) == ("fd00:77::abcd", "fd00:77::ff")

    there(story)


def test_an_internal_network_of_both_families_leads_nowhere(
    lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]
) -> None:
    def story(outside: Outside) -> None:
        lone.engine.networks.create("inner", ipv6=True, internal=True)
        lone.engine.networks.create("dual", ipv6=True)
        one, two = lone.start("one", "inner"), lone.start("two", "inner")
        web = lone.start("web", "dual", ports=WEB)
        serving(two, (80, "tcp"))
        serving(web, (80, "tcp"))
        outside.serve(9000)
        outside.serve(9000, ipv6=True)
        asker = place(one)
        (near,), (far,) = two.endpoints, web.endpoints
        for address in (near.address, near.address6):
            assert asker.ask(address, 80).startswith("two ")
        # A route of the container's own making helps it nothing.
        own = one.endpoints[0]
        shell(
            f"nsenter -t {one.pid} -n ip route add default via {own.gateway};"
            f"nsenter -t {one.pid} -n ip -6 route add default via {own.gateway6}"
        )
        for address, port in (
            (outside.address, 9000),
            (outside.address6, 9000),
            (far.address, 80),
            (far.address6, 80),
            (outside.host, published(web, 80)),
        ):
            assert asker.ask(address, port, timeout_s=0.5) in ("TimeoutError", "OSError"), address

    there(story)


def test_networks_do_not_reach_each_other(lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]) -> None:
    def story(outside: Outside) -> None:
        lone.engine.networks.create("one", ipv6=True)
        lone.engine.networks.create("two", ipv6=True)
        web = lone.start("web", "one", ports=WEB)
        far = place(lone.start("far", "two"))
        serving(web, *SERVED)
        (endpoint,) = web.endpoints
        for address in (endpoint.address, endpoint.address6):
            assert far.ask(address, 80, timeout_s=0.5) == "TimeoutError"
        # Published, it is there for everyone, as for the world.
        for address in (outside.host, outside.host6):
            assert far.ask(address, published(web, 80)).startswith("web ")
        # And nobody outside reaches what is not published, though he knows the way.
        shell(
            f"nsenter -t {outside.pid} -n ip route add {endpoint.address}/32 via {outside.host};"
            f"nsenter -t {outside.pid} -n ip -6 route add {endpoint.address6}/128 via {outside.host6}"
        )
        for address in (endpoint.address, endpoint.address6):
            assert outside.ask(address, 80, timeout_s=0.5) == "TimeoutError"

    there(story)


def test_a_disconnect_cuts_open_connections_of_both_families(
    lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]
) -> None:
    def story(_outside: Outside) -> None:
        lone.engine.networks.create("dual", ipv6=True)
        web = lone.start("web", "dual", ports=(PortMapping(container_port=80),))
        asker = lone.start("asker", "dual")
        (endpoint,) = web.endpoints
        connections = []
        for family, address in ((socket.AF_INET, endpoint.address), (socket.AF_INET6, endpoint.address6)):
            with InNetwork(web.pid):
                server = socket.create_server((address, 80), family=family)
            with InNetwork(asker.pid):
                client = socket.socket(family, socket.SOCK_STREAM)
            client.settimeout(10)
            client.connect((address, 80))
            peer, _ = server.accept()
            peer.sendall(b"one")
            assert client.recv(10) == b"one"
            connections.append((server, client, peer))
        number = published(web, 80)
        lone.engine.containers.disconnect("web", "dual")
        for server, client, peer in connections:
            try:
                peer.send(b"two")
            except OSError:  # there is not even a route left
                pass
            client.settimeout(0.5)
            with pytest.raises(OSError):
                client.recv(10)
            for one in (server, client, peer):
                one.close()
        for address in ("127.0.0.1", "::1"):
            assert HOST.ask(address, number) == "ConnectionRefusedError"

    there(story)


def test_ports_of_one_address_ranges_and_takers(
    lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]
) -> None:
    def story(outside: Outside) -> None:
        lone.engine.networks.create("dual", ipv6=True)
        ports = (
            PortMapping(container_port=80, host_ip="::1", host_port=8001),
            PortMapping(container_port=80, host_ip=outside.host6, host_port=8002),
            PortMapping(container_port=80, host_ip="127.0.0.1", host_port=8003),
            PortMapping(container_port=80, host_ip="::", host_port=8004),
            PortMapping(container_port=80, host_ip="0.0.0.0", host_port=8005),
            PortMapping(container_port=80, host_port=8006, host_port_last=8009),
            PortMapping(container_port=9, host_port=8009, protocol="sctp"),
        )
        with socket.create_server(("127.0.0.1", 8006)):
            web = lone.start("web", "dual", ports=ports)
        serving(web, (80, "tcp"))
        assert [port.host_port for port in web.endpoints[0].ports] == [8001, 8002, 8003, 8004, 8005, 8007, 8009]
        answers = {
            8001: ("::1",),
            8002: (outside.host6,),
            8003: ("127.0.0.1",),
            8004: ("::1", outside.host6),
            8005: ("127.0.0.1", outside.host),
            8007: ("127.0.0.1", "::1", outside.host, outside.host6),
        }
        for number, addresses in answers.items():
            for address in answers[8007]:
                expected = "web" if address in addresses else "ConnectionRefusedError"
                assert HOST.ask(address, number).split()[0] == expected, (address, number)
        assert outside.ask(outside.host, 8005).startswith("web ")
        assert outside.ask(outside.host6, 8002).startswith("web ")
        assert outside.ask(outside.host6, 8001) == "ConnectionRefusedError"
        assert re.search(r"sctp \. 8009 : \S+ \. 9", run(f"list table inet {web.endpoints[0].table}"))
        for number, host_ip in ((8004, "::1"), (8005, "127.0.0.1"), (8001, ""), (8007, "::")):
            asked = PortMapping(container_port=1, host_ip=host_ip, host_port=number)
            with pytest.raises(Conflict, match=f"{number} failed: port is already allocated by container web"):
                lone.start(f"late{number}", "dual", ports=(asked,))
        with socket.socket(socket.AF_INET6) as foreign:
            foreign.bind(("::1", 8050))
            foreign.listen()
            with pytest.raises(Conflict, match=r"8050 failed: port is already allocated by .*\(pid [0-9]+\)"):
                lone.start("late", "dual", ports=(PortMapping(container_port=1, host_port=8050),))

    there(story)


def test_a_relayed_port_carries_much_and_half_closed(
    lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]
) -> None:
    """What the shim passes on: a client that ends its side and waits for the answer, ten of them at once, megabytes."""

    def story(_outside: Outside) -> None:
        web = lone.start("web", ports=(PortMapping(container_port=80),))
        number = published(web, 80)
        sent = bytes(range(256)) * 8192
        got: list[bytes] = []
        with InNetwork(web.pid):
            server = socket.create_server(("0.0.0.0", 80))

        def echo() -> None:
            for _ in range(10):
                peer, _address = server.accept()
                threading.Thread(target=answer, args=(peer,)).start()

        def answer(peer: socket.socket) -> None:
            with peer:
                arrived = b""
                while data := peer.recv(1 << 16):
                    arrived += data
                peer.sendall(arrived[::-1])

        clients = []
        thread = threading.Thread(target=echo)
        thread.start()
        for _ in range(10):
            client = socket.create_connection(("::1", number), 20)
            clients.append(client)

        def talk(client: socket.socket) -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            back = b""
            while data := client.recv(1 << 16):
                back += data
            got.append(back)

        talkers = [threading.Thread(target=talk, args=(client,)) for client in clients]
        for talker in talkers:
            talker.start()
        assert lone.inside("web", "echo", "works meanwhile") == (0, "works meanwhile\n")
        for talker in talkers:
            talker.join(60)
        thread.join(20)
        for one in (*clients, server):
            one.close()
        assert got == [sent[::-1]] * 10
        # Nobody listens in the container any more: the client is told.
        refused = HOST.ask("::1", number)
        assert refused in ("", "ConnectionResetError")

    there(story)


def test_rules_go_with_the_last_container(lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]) -> None:
    def story(_outside: Outside) -> None:
        table = rules.table_name(str(lone.root.root))
        shell("nft 'add table inet filter; add chain inet filter forward { type filter hook forward priority 0; }'")
        shell("nft 'add rule inet filter forward reject'")
        before = shell("nft list table inet filter")
        lone.engine.networks.create("dual", ipv6=True)
        lone.start("one", "dual", ports=WEB)
        lone.start("two")
        assert shell("nft list ruleset").count('comment "pydock"') == 4
        lone.engine.containers.stop("one", timeout_s=0)
        assert table_exists(table)
        lone.engine.containers.stop("two", timeout_s=0)
        wait_until("the rules to go", lambda: not table_exists(table))
        wait_until("the accepts to go", lambda: shell("nft list table inet filter") == before)
        shell("nft delete table inet filter")
        assert shell("nft list ruleset") == ""

    there(story)


def test_reload_makes_all_that_was_deleted_again(
    lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]
) -> None:
    def story(outside: Outside) -> None:
        made = lone.engine.networks.create("dual", ipv6=True)
        web = lone.start("web", "dual", ports=WEB)
        neighbour = place(lone.start("neighbour", "dual"))
        serving(web, *SERVED)
        number = published(web, 80)
        shell(f"nft flush ruleset; ip link del {made.bridge}; echo 0 > /proc/sys/net/ipv4/ip_forward")
        assert outside.ask(outside.host, number, timeout_s=0.5) != "web"
        assert neighbour.ask(web.endpoints[0].address, 80, timeout_s=0.5) in ("TimeoutError", "OSError")
        assert lone.root.ok("network", "reload").split() == ["dual"]
        for address in (outside.host, outside.host6):
            assert outside.ask(address, number).startswith("web ")
        for address in (web.endpoints[0].address, web.endpoints[0].address6):
            assert neighbour.ask(address, 80).startswith("web ")
        outside.serve(9000)
        assert neighbour.ask(outside.address, 9000) == f"outside {outside.host}"
        before = shell("nft list ruleset")
        lone.root.ok("network", "reload", "dual")
        assert re.sub(r"packets \d+ bytes \d+", "", shell("nft list ruleset")) == re.sub(
            r"packets \d+ bytes \d+", "", before
        )

    there(story)


def test_the_default_route_follows_the_priority(
    lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]
) -> None:
    def story(outside: Outside) -> None:
        one = lone.engine.networks.create("one")
        two = lone.engine.networks.create("two", ipv6=True)
        three = lone.engine.networks.create("three", ipv6=True)
        lone.start("web", "one", NetworkAttachment(network="two", priority=1), ports=(PortMapping(container_port=80),))

        def ways() -> tuple[str, ...]:
            told = (lone.inside("web", "ip", *family, "route", "show", "default")[1] for family in ((), ("-6",)))
            return tuple(match[1] if (match := re.search(r"via (\S+)", text)) else "" for text in told)

        assert ways() == (two.gateway, two.gateway6)
        lone.engine.containers.connect("web", NetworkAttachment(network="three", priority=2))
        assert ways() == (three.gateway, three.gateway6)
        lone.engine.containers.disconnect("web", "three")
        assert ways() == (two.gateway, two.gateway6)
        lone.engine.containers.disconnect("web", "two")
        assert ways() == (one.gateway, "")
        web = lone.engine.containers.get("web")
        serving(web, (80, "tcp"))
        assert outside.ask(outside.host, published(web, 80)).startswith("web ")
        lone.engine.containers.restart("web", timeout_s=0)
        assert ways() == (one.gateway, "")

    there(story)


@pytest.mark.parametrize("driver", ["macvlan", "ipvlan"])
def test_a_network_upon_an_interface_of_the_host(
    lone: LoneHost, there: Callable[[Callable[[Outside], None]], None], driver: str
) -> None:
    """Its containers are machines beside the one outside, with addresses of its network."""

    def story(outside: Outside) -> None:
        parent = shell(f"ip -o addr show to {outside.host}").split()[1]
        subnet = f"{outside.host}/29"

        def create() -> None:
            lone.engine.networks.create(
                "lan", driver=driver, subnet=subnet, gateway=outside.address, options={"parent": parent}
            )

        try:
            shell(f"ip link add link {parent} name probe type {driver} && ip link del probe")
        except Exception:
            with pytest.raises(HostUnfit, match=f"this kernel has no {driver}"):
                create()
            assert "lan" not in [network.name for network in lone.engine.networks.list()]
            return
        with pytest.raises(Conflict, match="the parent interface nosuch of network wrong is not there"):
            lone.engine.networks.create("wrong", driver=driver, options={"parent": "nosuch"})
        create()
        one = lone.start("one", "lan", ports=WEB)
        (endpoint,) = one.endpoints
        assert endpoint.ports == ()
        outside.serve(9000)
        assert place(one).ask(outside.address, 9000) == f"outside {endpoint.address}"
        serving(one, (80, "tcp"))
        assert outside.ask(endpoint.address, 80) == f"one {outside.address}"
        two = lone.start("two")
        assert lone.inside("two", "getent", "ahosts", "one")[0] != 0
        lone.engine.containers.connect("two", NetworkAttachment(network="lan"))
        assert lone.inside("two", "getent", "ahostsv4", "one")[1].split()[0] == endpoint.address
        assert two.endpoints[0].gateway in lone.inside("two", "ip", "route")[1]
        lone.engine.containers.disconnect("two", "lan")
        assert "eth1" not in lone.inside("two", "ip", "-o", "link")[1]
        lone.engine.containers.remove("one", force=True)
        lone.engine.networks.remove("lan")
        assert parent in shell("ip -o link")

    there(story)


def test_a_network_upon_nothing_is_internal(lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]) -> None:
    def story(_outside: Outside) -> None:
        made = lone.engine.networks.create("apart", driver="macvlan", ipv6=True)
        assert made.internal
        one, two = lone.start("one", "apart"), lone.start("two", "apart")
        serving(one, (80, "tcp"))
        for address in (one.endpoints[0].address, one.endpoints[0].address6):
            assert place(two).ask(address, 80).startswith("one ")
        for name in ("one", "two"):
            lone.engine.containers.remove(name, force=True)
        lone.engine.networks.remove("apart")
        assert made.bridge not in shell("ip -o link")

    there(story)


def test_links_know_others_by_names_of_their_own(
    lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]
) -> None:
    def story(_outside: Outside) -> None:
        lone.engine.networks.create("own")
        db = lone.start("db", env=("MOOD=fair", "HOME=/x"), expose=("5432/tcp", "53/udp"))
        lone.start("app", links=("db:my-db",))
        address = db.endpoints[0].address
        config = lone.root.root / "containers" / lone.engine.containers.get("app").id / "config.json"
        given = dict(entry.split("=", 1) for entry in json.loads(config.read_text())["process"]["env"])
        env = {key: value for key, value in given.items() if key.startswith("MY_DB")}
        assert env == {
            "MY_DB_PORT": f"tcp://{address}:5432",
            "MY_DB_PORT_5432_TCP": f"tcp://{address}:5432",
            "MY_DB_PORT_5432_TCP_ADDR": address,
            "MY_DB_PORT_5432_TCP_PORT": "5432",
            "MY_DB_PORT_5432_TCP_PROTO": "tcp",
            "MY_DB_PORT_53_UDP": f"udp://{address}:53",
            "MY_DB_PORT_53_UDP_ADDR": address,
            "MY_DB_PORT_53_UDP_PORT": "53",
            "MY_DB_PORT_53_UDP_PROTO": "udp",
            "MY_DB_NAME": "/app/my-db",
            "MY_DB_ENV_MOOD": "fair",
        }
        assert lone.inside("app", "getent", "hosts", "my-db")[1].split()[0] == address
        assert lone.engine.containers.inspect("app")["HostConfig"]["Links"] == ["/db:/app/my-db"]
        own = lone.start("server", "own")
        lone.start("knows", NetworkAttachment(network="own", links=("server:boss",)))
        lone.start("knows-not", "own")
        assert lone.inside("knows", "getent", "ahostsv4", "boss")[1].split()[0] == own.endpoints[0].address
        assert lone.inside("knows-not", "getent", "ahostsv4", "boss")[0] != 0
        lone.engine.containers.stop("db", timeout_s=0)
        with pytest.raises(WrongState, match="cannot link to a non running container: /db AS /late/db"):
            lone.start("late", links=("db",))

    there(story)


def test_what_cannot_be_had_is_refused(lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]) -> None:
    def story(_outside: Outside) -> None:
        networks = lone.engine.networks
        networks.create("dual", subnet6="fd00:5::/64", subnet="10.5.0.0/24", reserved={"router": "10.5.0.2"})
        networks.create("four")
        assert lone.start("one", "dual").endpoints[0].address == "10.5.0.3"
        for wrong, words in (
            (NetworkAttachment(network="dual", address6="fd00:6::9"), "does not belong to fd00:5::/64"),
            (NetworkAttachment(network="dual", address6="fd00:5::1"), "address already in use: fd00:5::1"),
            (NetworkAttachment(network="dual", address6="fd00:5:0::2"), "address already in use: fd00:5::2"),
            (NetworkAttachment(network="dual", address="10.5.0.2"), "address already in use"),
            (NetworkAttachment(network="four", address6="fd00:5::9"), "network four has no IPv6"),
            (NetworkAttachment(network="dual", address6="10.5.0.9"), "invalid IPv6 address"),
        ):
            with pytest.raises(EngineError, match=words):
                lone.start("two", wrong)
            if "two" in [container.name for container in lone.engine.containers.list(all=True)]:
                lone.engine.containers.remove("two")
        for options, words in (
            ({"ipv4": False}, "IPv4 or IPv6 must be enabled"),
            ({"subnet6": "fd00:5::/96"}, "overlaps with other one"),
            ({"subnet6": "fd00:7::/127"}, "no room for containers"),
            ({"subnet6": "fd00:7::/64", "gateway6": "fd00:8::1"}, "no matching subnet for gateway"),
            ({"driver": "overlay"}, "plugin not found"),
            ({"driver": "host"}, 'only one instance of "host" network is allowed'),
            ({"options": {"com.docker.network.bridge.gateway_mode_ipv4": "isolated"}}, "for internal networks"),
            ({"reserved": {"x": "10.9.9.9"}, "subnet": "10.6.0.0/24"}, "no matching subnet for aux-address"),
        ):
            with pytest.raises((InvalidRequest, Conflict), match=words):
                networks.create("wrong", **options)

    there(story)


def test_ways_in_without_translation(lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]) -> None:
    """`routed`: published ports at the container's own address; `nat-unprotected`: all of them; by those who know the
    way."""

    def story(outside: Outside) -> None:
        key = "com.docker.network.bridge.gateway_mode_ipv4"
        lone.engine.networks.create("routed", options={key: "routed"})
        lone.engine.networks.create("open", options={key: "nat-unprotected"})
        routed = lone.start("routed", "routed", ports=(PortMapping(container_port=80, host_port=8080),))
        opened = lone.start("opened", "open")
        for container in (routed, opened):
            serving(container, (80, "tcp"), (81, "tcp"))
            address = container.endpoints[0].address
            shell(f"nsenter -t {outside.pid} -n ip route add {address}/32 via {outside.host}")
        assert outside.ask(routed.endpoints[0].address, 80) == f"routed {outside.address}"
        assert outside.ask(routed.endpoints[0].address, 81, timeout_s=0.5) == "TimeoutError"
        assert outside.ask(outside.host, 8080) == "ConnectionRefusedError"
        assert outside.ask(opened.endpoints[0].address, 81) == f"opened {outside.address}"
        outside.serve(9000)
        # Whoever is routed keeps his own address.
        assert place(routed).ask(outside.address, 9000) == f"outside {routed.endpoints[0].address}"

    there(story)


def test_the_commands_of_both_families(lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]) -> None:
    def story(outside: Outside) -> None:
        ok = lone.root.ok
        subnets = ("--subnet", "10.8.0.0/24", "--subnet", "fd00:8::/64", "--gateway", "fd00:8::fe")
        ok("network", "create", "--ipv6", "--attachable", *subnets, "--aux-address", "nas=10.8.0.2", "dual")
        ok("network", "create", "--ipv4=false", "--ipv6", "six")
        (shown,) = json.loads(ok("network", "inspect", "dual"))
        assert shown["IPAM"]["Config"] == [
            {"Subnet": "10.8.0.0/24", "Gateway": "10.8.0.1", "AuxiliaryAddresses": {"nas": "10.8.0.2"}},
            {"Subnet": "fd00:8::/64", "Gateway": "fd00:8::fe"},
        ]
        (alone,) = json.loads(ok("network", "inspect", "six"))
        assert re.fullmatch(r"fd[0-9a-f:]+::/64", alone["IPAM"]["Config"][0]["Subnet"])
        assert (alone["EnableIPv4"], alone["EnableIPv6"], len(alone["IPAM"]["Config"])) == (False, True, 1)
        listed = ok("network", "ls", "--filter", "type=custom", "--format", "{{.Name}} {{.IPv4}} {{.IPv6}}")
        assert listed.splitlines() == ["dual true true", "six false true"]
        wanted = (
            "--ip6",
            "fd00:8::9",
            "--add-host",
            "boss:host-gateway",
            "-P",
            "--expose",
            "80",
            "--expose",
            "90-91/udp",
        )
        ok("run", "-d", "--name", "web", "--network", "dual", *wanted, "toolbox", "sleep", "1000")
        (web,) = json.loads(ok("inspect", "web"))
        place = web["NetworkSettings"]["Networks"]["dual"]
        assert (place["IPAddress"], place["GlobalIPv6Address"]) == ("10.8.0.3", "fd00:8::9")
        published = ok("port", "web").splitlines()
        assert [line.split(" -> ")[0] for line in published] == ["80/tcp", "90/udp", "91/udp"]
        hosts = ok("exec", "web", "cat", "/etc/hosts").splitlines()
        assert {"10.8.0.1\tboss", "fd00:8::fe\tboss"} <= set(hosts)
        serving(lone.engine.containers.get("web"), (80, "tcp"))
        number = int(published[0].rpartition(":")[2])
        assert outside.ask(outside.host6, number).startswith("web ")
        ok(
            "network",
            "connect",
            "--gw-priority",
            "5",
            "--ip6",
            alone["IPAM"]["Config"][0]["Gateway"] + "99",
            "six",
            "web",
        )
        assert "via " + alone["IPAM"]["Config"][0]["Gateway"] in ok("exec", "web", "ip", "-6", "route")
        dangling = ok("network", "ls", "-q", "--no-trunc", "--filter", "dangling=true", "--filter", "name=dual")
        assert dangling == ""
        ok("network", "disconnect", "six", "web")
        assert "via fd00:8::fe" in ok("exec", "web", "ip", "-6", "route")
        refused = lone.root.pydock("network", "create", "--subnet", "10.1.0.0/24", "--subnet", "10.2.0.0/24", "wrong")
        assert "one of each family is supported" in refused.stderr

    there(story)


def test_one_who_goes_on_asking_reaches_who_is_there_now(
    lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]
) -> None:
    """The same socket of a client outside: it asked before there was anybody, and goes on when there is another."""

    def story(outside: Outside) -> None:
        lone.engine.networks.create("dual", ipv6=True)
        port = PortMapping(container_port=53, host_port=5353, protocol="udp")
        clients = []
        for family, address in ((socket.AF_INET, outside.host), (socket.AF_INET6, outside.host6)):
            with InNetwork(outside.pid):
                client = socket.socket(family, socket.SOCK_DGRAM)
            client.settimeout(0.3)
            client.connect((address, 5353))
            clients.append(client)

        def answered(client: socket.socket) -> str:
            try:
                client.send(b"?")
                return client.recv(100).decode().split()[0]
            except OSError:
                return ""

        assert [answered(client) for client in clients] == ["", ""]
        for name in ("first", "second"):
            container = lone.start(name, "dual", ports=(port,))
            serving(container, (53, "udp"))
            for client in clients:
                wait_until(f"an answer of {name}", lambda client=client, name=name: answered(client) == name)  # type: ignore[misc]
            lone.engine.containers.remove(name, force=True)
        for client in clients:
            client.close()

    there(story)


def test_what_the_drivers_options_say(lone: LoneHost, there: Callable[[Callable[[Outside], None]], None]) -> None:
    def story(outside: Outside) -> None:
        create = lone.engine.networks.create
        bridge = "com.docker.network.bridge."
        shell("ip addr add 203.0.113.9/32 dev lo")
        shell(f"nsenter -t {outside.pid} -n ip route add 203.0.113.9 via {outside.host}")
        create("named", options={f"{bridge}name": "mybridge", "com.docker.network.container_iface_prefix": "net"})
        create("sourced", options={"com.docker.network.host_ipv4": "203.0.113.9"})
        create("plain", options={f"{bridge}enable_ip_masquerade": "false"})
        create("bound", options={f"{bridge}host_binding_ipv4": "127.0.0.1"})
        create("alone", internal=True, options={f"{bridge}gateway_mode_ipv4": "isolated"})
        create("without", options={f"{bridge}inhibit_ipv4": "true"})
        parent = shell(f"ip -o addr show to {outside.host}").split()[1]
        create("trusting", options={f"{bridge}trusted_host_interfaces": f"nosuch0:{parent}"})
        outside.serve(9000)
        lone.start("named-one", "named")
        assert "mybridge" in shell("ip -o link")
        assert "net0" in lone.inside("named-one", "ip", "-o", "link")[1]
        assert place(lone.start("sourced-one", "sourced")).ask(outside.address, 9000) == "outside 203.0.113.9"
        plain = lone.start("plain-one", "plain")
        shell(f"nsenter -t {outside.pid} -n ip route add {plain.endpoints[0].address} via {outside.host}")
        assert place(plain).ask(outside.address, 9000) == f"outside {plain.endpoints[0].address}"
        bound = lone.start("bound-one", "bound", ports=(PortMapping(container_port=80),))
        serving(bound, (80, "tcp"))
        assert HOST.ask("127.0.0.1", published(bound, 80)).startswith("bound-one ")
        assert HOST.ask(outside.host, published(bound, 80)) == "ConnectionRefusedError"
        for network in ("alone", "without"):
            there_is = lone.engine.networks.get(network)
            one, two = lone.start(f"{network}-one", network), lone.start(f"{network}-two", network)
            serving(one, (80, "tcp"))
            assert place(two).ask(one.endpoints[0].address, 80).startswith(f"{network}-one ")
            assert there_is.gateway not in shell(f"ip -o addr show dev {there_is.bridge}")
            assert lone.inside(two.name, "ip", "route", "show", "default") == (0, "")
        trusting = lone.start("trusting-one", "trusting")
        serving(trusting, (80, "tcp"))
        shell(f"nsenter -t {outside.pid} -n ip route add {trusting.endpoints[0].address} via {outside.host}")
        assert outside.ask(trusting.endpoints[0].address, 80) == f"trusting-one {outside.address}"
        shell("ip addr del 203.0.113.9/32 dev lo")

    there(story)
