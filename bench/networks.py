"""Rows about networks: what one adds to a start, what it lets through, how many names a second it answers.

They run in a network namespace of their own, where dockerd may set its firewall up as it does on any host, and where
nothing is left of it. `python -m bench.networks` is the half that runs there; it prints its rows as JSON.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from .measure import RUNS, Result, Side, alternate, summary
from .peers import find
from .rows import Row
from .stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS = 3
ROUNDS = 5
PORT = 5201
OUTSIDE, HOST = "198.51.100.2", "198.51.100.1"
NAMES_ASKED = 20_000

# Asks for one name with 32 questions under way, and prints how many answers came in a second.
ASKER = """
import socket, sys, time
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.connect(("127.0.0.11", 53))
asker.settimeout(2)
question = b"\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4peer\\0\\0\\1\\0\\1"
count = int(sys.argv[1])
began = time.perf_counter()
sent = got = lost = 0
while got + lost < count:
    while sent < min(count, got + lost + 32):
        asker.send((sent & 0xFFFF).to_bytes(2, "big") + question)
        sent += 1
    try:
        asker.recv(512)
        got += 1
    except TimeoutError:
        lost = sent - got
print(got / (time.perf_counter() - began))
"""


def measured() -> list[Row]:
    """All rows, from the half in the namespace."""
    words = ["unshare", "-n", sys.executable, "-m", "bench.networks"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    rows = []
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            told = json.loads(line)
            rows.append(Row(**{**told, "sides": [Result(*side) for side in told["sides"]]}))
        else:
            print(line, flush=True)
    return rows


class Party:
    """One side's container, with its network. `published`: the host's port of its port 5201."""

    def __init__(self, name: str, pid: int, address: str, published: int, asker_pid: int) -> None:
        self.name = name
        self.pid = pid
        self.address = address
        self.published = published
        self.asker_pid = asker_pid


def set_up(stage: Stage) -> Row:
    """What the network adds to a start: our step as the timeline has it; dockerd's start with a bridge and without."""
    from engine.models import CreateRequest

    engine = stage.engine
    kept = engine.containers.create(CreateRequest(image=stage.small, command=("sleep", "1000")))
    engine.containers.start(kept.id)
    made: list[str] = []

    def ours() -> float:
        made.append(engine.containers.create(CreateRequest(image=stage.small, command=("sleep", "100"))).id)
        engine.containers.start(made[-1])
        return next(one for one in engine.containers.timeline(made[-1]) if one.name == "network").duration_ns / 1e9

    sides = [Side("pydock", ours, lambda: engine.containers.remove(made.pop(), force=True))]
    if stage.docker:
        docker = stage.docker
        theirs: list[str] = []

        def start(mode: str) -> float:
            body = {"Image": stage.small, "Cmd": ["sleep", "100"], "HostConfig": {"NetworkMode": mode}}
            theirs.append(docker.api("POST", "/containers/create", body)["Id"])
            began = time.perf_counter()
            docker.api("POST", f"/containers/{theirs[-1]}/start")
            return time.perf_counter() - began

        def peer() -> float:
            plain = start("none")
            return max(0.0, start("bridge") - plain)

        def clear() -> None:
            while theirs:
                docker.api("DELETE", f"/containers/{theirs.pop()}?force=1")

        sides.append(Side("dockerd", peer, clear))
    row = Row("N1", "network's share of a start", "≤ 5 ms", alternate(sides, runs=RUNS))
    engine.containers.remove(kept.id, force=True)
    return row


def throughput(parties: list[Party]) -> Iterator[Row]:
    """iperf3, in turns."""
    if find("iperf3") is None:
        print("iperf3 is missing: apt-get install -y iperf3", flush=True)
        return
    outside = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
    try:
        time.sleep(0.3)
        for line in (
            f"ip link add out0 type veth peer name eth0 netns {outside.pid}",
            f"ip addr add {HOST}/24 dev out0",
            "ip link set out0 up",
            f"nsenter -t {outside.pid} -n ip addr add {OUTSIDE}/24 dev eth0",
            f"nsenter -t {outside.pid} -n ip link set eth0 up",
        ):
            subprocess.run(line.split(), check=True)
        works: list[tuple[str, str, Callable[[Party], float]]] = [
            ("N2", "iperf3 host to container", lambda party: _iperf(party.pid, 0, party.address, PORT)),
            ("N2", "iperf3 container to host", lambda party: _iperf(party.pid, 0, party.address, PORT, "-R")),
            (
                "N3",
                "iperf3 outside to published port",
                lambda party: _iperf(party.pid, outside.pid, HOST, party.published),
            ),
            (
                "N3",
                "iperf3 published port to outside",
                lambda party: _iperf(party.pid, outside.pid, HOST, party.published, "-R"),
            ),
        ]
        for key, work, measure in works:
            yield _in_turns(key, work, "≥ dockerd", parties, measure, "Gb")
    finally:
        outside.kill()
        outside.wait()


def names(parties: list[Party]) -> Row:
    def ask(party: Party) -> float:
        words = ["nsenter", "-t", str(party.asker_pid), "-n", sys.executable, "-SIc", ASKER, str(NAMES_ASKED)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return float(done.stdout) / 1000

    return _in_turns("N4", "names answered, thousands a second", "≥ 10, ≥ dockerd", parties, ask, "k")


def _in_turns(
    key: str, work: str, goal: str, parties: list[Party], measure: Callable[[Party], float], unit: str
) -> Row:
    taken: dict[str, list[float]] = {party.name: [] for party in parties}
    for _ in range(ROUNDS):
        for party in parties:
            taken[party.name].append(measure(party))
    return Row(key, work, goal, [summary(name, values) for name, values in taken.items()], unit)


def _iperf(server_pid: int, client_pid: int, address: str, port: int, *options: str) -> float:
    """Gigabits a second."""
    server = subprocess.Popen(
        [*_enter(server_pid), "iperf3", "-s", "-1", "-p", str(PORT)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.4)
        words = [*_enter(client_pid), "iperf3", "-c", address, "-p", str(port), "-t", str(SECONDS), "-J", *options]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        told: dict[str, Any] = json.loads(done.stdout)
        return float(told["end"]["sum_received"]["bits_per_second"]) / 1e9
    finally:
        server.kill()
        server.wait()


def _enter(pid: int) -> list[str]:
    return ["nsenter", "-t", str(pid), "-n"] if pid else []


@contextlib.contextmanager
def _parties(stage: Stage) -> Iterator[list[Party]]:
    from engine.models import CreateRequest, PortMapping

    engine = stage.engine
    engine.networks.create("bench")
    made = []
    for name, ports in (("peer", (PortMapping(container_port=PORT),)), ("asker", ())):
        request = CreateRequest(image=stage.small, name=name, command=("sleep", "10000"), network="bench", ports=ports)
        engine.containers.start(engine.containers.create(request).id)
        made.append(engine.containers.get(name))
    (place,) = made[0].endpoints
    found = [Party("pydock", made[0].pid, place.address, place.ports[0].host_port, made[1].pid)]
    if stage.docker:
        found.append(_docker_party(stage))
    try:
        yield found
    finally:
        for name in ("peer", "asker"):
            engine.containers.remove(name, force=True)
        engine.networks.remove("bench")
        if stage.docker:
            for name in ("peer", "asker"):
                stage.docker.api("DELETE", f"/containers/{name}?force=1")


def _docker_party(stage: Stage) -> Party:
    docker = stage.docker
    assert docker
    docker.api("POST", "/networks/create", {"Name": "bench"})
    shown = []
    for name, ports in (("peer", {f"{PORT}/tcp": [{"HostPort": ""}]}), ("asker", {})):
        body = {
            "Image": stage.small,
            "Cmd": ["sleep", "10000"],
            "ExposedPorts": {port: {} for port in ports},
            "HostConfig": {"NetworkMode": "bench", "PortBindings": ports},
        }
        docker.api("POST", f"/containers/create?name={name}", body)
        docker.api("POST", f"/containers/{name}/start")
        shown.append(docker.api("GET", f"/containers/{name}/json"))
    settings = shown[0]["NetworkSettings"]
    return Party(
        "dockerd",
        shown[0]["State"]["Pid"],
        settings["Networks"]["bench"]["IPAddress"],
        int(settings["Ports"][f"{PORT}/tcp"][0]["HostPort"]),
        shown[1]["State"]["Pid"],
    )


def main() -> int:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with Stage(large=False, firewall=True) as stage:
        if stage.missing:
            print(f"missing peers: {', '.join(stage.missing)}", flush=True)
        _tell(set_up(stage))
        with _parties(stage) as parties:
            for row in throughput(parties):
                _tell(row)
            _tell(names(parties))
    return 0


def _tell(row: Row) -> None:
    sides = [(side.name, side.median, side.low, side.high) for side in row.sides]
    told = {"key": row.key, "work": row.work, "goal": row.goal, "unit": row.unit, "sides": sides}
    print(json.dumps(told, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())
