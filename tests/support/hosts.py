"""Hosts and containers for tests of networks: network namespaces, each the life of a process, with nothing else of a
container; and a machine outside, joined to the host by a veth pair, without a route to the containers' subnets."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyroute2 import IPRoute, NetNS  # type: ignore[import-untyped]

from engine.engine import Engine
from engine.models import Container, CreateRequest, Endpoint, ExecRequest, NetworkAttachment, PortMapping
from engine.networks import attach as network
from engine.networks import links, rules
from engine.networks.networks import Networks
from engine.networks.nfnetlink import table_exists
from engine.paths import Paths
from engine.store import Store
from runtime.kernel import calls, constants
from tests.support.engine import EngineRoot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NODAD = 2

SERVER = """
import socket, sys, select
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
family = socket.AF_INET6 if len(sys.argv) > 4 else socket.AF_INET
s = socket.socket(family, kind)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if family == socket.AF_INET6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
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
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET, kind)
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
    """A network namespace that lives as long as its process, or that of `pid`; "" stands for the host."""

    def __init__(self, name: str = "", *, host: bool = False, pid: int = 0) -> None:
        self.id = os.urandom(32).hex()
        self.name = name
        self._running: list[subprocess.Popen[str]] = []
        self.pid = pid
        if not host and not pid:
            self.pid = self._start(["unshare", "-n"], "print('ready', flush=True); import time; time.sleep(600)").pid

    def serve(self, port: int, protocol: str = "tcp", *, ipv6: bool = False) -> None:
        """Answer everyone with this place's name and the caller's address."""
        self._start(self._enter(), SERVER, protocol, str(port), self.name, *(["6"] if ipv6 else []))

    def ask(self, address: str, port: int, protocol: str = "tcp", timeout_s: float = 10.0) -> str:
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

    def container(self, name: str, *ports: PortMapping, on: str = "bridge") -> tuple[Place, Endpoint]:
        place = Place(name)
        self.places.append(place)
        request = CreateRequest(image="toolbox", network=on, ports=ports)
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


class Outside(Place):
    """Another machine. `address`, `address6`: its own; `host`, `host6`: this host's towards it."""

    def __init__(self) -> None:
        super().__init__("outside")
        # 198.18.0.0/15 is kept for such; each process that tests has a part of it.
        first = (198 << 24) + (18 << 16) + os.getpid() % (1 << 14) * 8
        self.host, self.address = (socket.inet_ntoa((first + number).to_bytes(4, "big")) for number in (1, 2))
        self.host6, self.address6 = (f"fd5d:{os.getpid() & 0xFFFF:x}::{number}" for number in (1, 2))


@contextlib.contextmanager
def machine_outside() -> Iterator[Outside]:
    place = Outside()
    name = f"out{os.getpid()}"
    try:
        with IPRoute() as route:
            route.link("add", ifname=name, kind="veth", peer={"ifname": "eth0", "net_ns_pid": place.pid})
            _set_up(route, name, place.host, place.host6)
        with NetNS(f"/proc/{place.pid}/ns/net") as inside:
            _set_up(inside, "eth0", place.address, place.address6)
        yield place
    finally:
        place.end()
        with IPRoute() as route, contextlib.suppress(Exception):
            route.link("del", ifname=name)


def free_port() -> int:
    with socket.create_server(("0.0.0.0", 0)) as probe:
        return int(probe.getsockname()[1])


class LoneHost:
    """A host of its own: a thread in a new network namespace, as on a machine without any of this one's networks and
    firewall rules, with an engine whose containers, shims and zygote are born there."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self.root = EngineRoot()
        self.opened: list[Engine] = []
        self.run(self._settle)

    def run(self, story: Callable[[], object], timeout_s: float = 280) -> None:
        """Do it there."""
        self._thread.submit(story).result(timeout=timeout_s)

    @property
    def engine(self) -> Engine:
        return self.opened[0]

    def close(self) -> None:
        try:
            self.run(self._end)
        finally:
            self._thread.shutdown(wait=False)

    def start(self, name: str, *networks: str | NetworkAttachment, **options: Any) -> Container:
        """Start a container that sleeps; ask it with `Place(pid=…)`."""
        places = tuple(
            one if isinstance(one, NetworkAttachment) else NetworkAttachment(network=one) for one in networks
        )
        request = CreateRequest(
            image="toolbox:latest",
            name=name,
            command=("sleep", "1000"),
            network=places[0].network if places else "bridge",
            networks=places or None,
            **options,
        )
        self.engine.containers.start(self.engine.containers.create(request).id)
        return self.engine.containers.get(name)

    def inside(self, name: str, *command: str) -> tuple[int, str]:
        """Exit code and output of a command in a container."""
        code, told = -1, b""
        with self.engine.containers.exec(name, ExecRequest(command=command)) as session:
            for frame in session.frames():
                if frame.kind in ("stdout", "stderr"):
                    told += frame.data
                elif frame.kind == "exit":
                    code = frame.code
        return code, told.decode()

    def clear(self) -> None:
        """Remove all containers, and the networks that were made."""
        for container in self.engine.containers.list(all=True):
            self.engine.containers.remove(container.id, force=True)
        for made in self.engine.networks.list():
            if made.name not in ("bridge", "host", "none"):
                self.engine.networks.remove(made.name)

    def settled(self, what: str) -> None:
        """The kernel takes the interfaces of the dead down in its own time."""
        end = time.monotonic() + 20
        while left := self.leftovers():
            assert time.monotonic() < end, (what, left)
            time.sleep(0.02)

    def leftovers(self) -> list[str]:
        """What the host has beyond what the rows and the living containers say."""
        engine = self.engine
        found = []
        running = {container.id: container for container in engine.containers.list()}
        held = engine.store.query("SELECT container_id, network, document FROM endpoints")
        places = [(row[0], json.loads(row[2])) for row in held]
        told = {(container.id, endpoint.network) for container in running.values() for endpoint in container.endpoints}
        found += [f"address of {row[0][:12]} in {row[1]}" for row in held if (row[0], row[1]) not in told]
        for field in ("address", "address6"):
            given = [place[field] for _, place in places if place[field]]
            found += [f"twice {address}" for address in given if given.count(address) > 1]
        names = {line.split(":")[1].split("@")[0].strip() for line in shell("ip -o link").splitlines()}
        wanted = {links.veth_name(container, network) for container, network in told}
        found += [f"interface {name}" for name in names if name.startswith("veth") and name not in wanted]
        known = {network.bridge for network in engine.networks.list()}
        found += [f"bridge {name}" for name in names if re.match("br-|pydock[0-9]", name) and name not in known]
        table = rules.table_name(str(self.root.root))
        if not told and table_exists(table):
            found.append("rules without containers")
        if told and table_exists(table):
            text = shell(f"nft list table inet {table}")
            ports = {port["host_port"] for _, place in places for port in place["ports"]}
            mapped = {int(number) for number in re.findall(r"(?:tcp|udp) \. (\d+) : ", text)}
            found += [f"port {port}" for port in mapped - ports]
            found += [f"rules of {name}" for name in set(re.findall(r'"(br-[0-9a-f]{12})"', text)) - known]
        return found

    def _settle(self) -> None:
        calls.unshare(constants.CLONE_NEWNET)
        network.loopback(threading.get_native_id())
        # A namespace starts with what the host has set.
        shell("echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding")
        self.root.ok("image", "toolbox", "-q", timeout_s=120)
        self.opened.append(Engine(str(self.root.root), str(self.root.run_root)))

    def _end(self) -> None:
        try:
            self.clear()
        finally:
            self.engine.close()
            self.root.close()


def _set_up(route: IPRoute, name: str, address: str, address6: str) -> None:
    (index,) = route.link_lookup(ifname=name)
    route.addr("add", index=index, address=address, prefixlen=29)
    route.addr("add", index=index, address=address6, prefixlen=64, flags=NODAD)
    route.link("set", index=index, state="up")


def on_a_host_of_its_own(story: Callable[[], None]) -> None:
    """Run the story in a new network namespace, as if on a machine without any of this one's firewall rules."""

    def run_there() -> None:
        calls.unshare(constants.CLONE_NEWNET)
        network.loopback(threading.get_native_id())
        # A namespace starts with what the host has set.
        shell("echo 0 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv6/conf/all/forwarding")
        story()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(run_there).result(timeout=100)


def shell(line: str) -> str:
    return subprocess.run(["sh", "-ec", line], capture_output=True, text=True, check=True).stdout
