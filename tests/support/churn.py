"""Many containers connected and disconnected at once by several processes, and what is true while and after."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter

from tests.support.engine import REPOSITORY
from tests.support.hosts import LoneHost

PROCESSES = 4
NETWORKS = ("one", "two", "six")

# Joins and leaves in an order of its own; the refusals that two who want the same get are the only ones allowed.
WORKER = """
import random, sys
from engine.engine import Engine
from engine.errors import Conflict, WrongState
from engine.models import NetworkAttachment

root, run_root, seed, rounds, count = sys.argv[1:]
random.seed(int(seed))
networks = ("one", "two", "six")
done = 0
with Engine(root, run_root) as engine:
    for _ in range(int(rounds)):
        names = [f"c{number}-of-many" for number in range(int(count))]
        random.shuffle(names)
        for name in names:
            network = random.choice(networks)
            try:
                if random.random() < 0.6:
                    engine.containers.connect(name, NetworkAttachment(network=network))
                else:
                    engine.containers.disconnect(name, network)
                done += 1
            except Conflict:
                continue
print(done)
"""


def churn(lone: LoneHost, count: int, rounds: int) -> None:
    """`count` containers, each taken on and off three networks by four processes; at the end no address is given twice,
    and nothing is left that the rows do not tell of."""
    for network in NETWORKS:
        lone.engine.networks.create(network, ipv6=network != "one", ipv4=network != "six")
    names = [f"c{number}-of-many" for number in range(count)]
    for name in names:
        lone.start(name)
    words = [str(lone.root.root), str(lone.root.run_root)]
    environment = {**lone.root.environment, "PYTHONPATH": str(REPOSITORY)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, *words, str(seed), str(rounds), str(count)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(PROCESSES)
    ]
    for worker in workers:
        told, failed = worker.communicate()
        assert worker.returncode == 0, failed
        assert int(told) > count // 2
    lone.settled("after the churn")
    given: Counter[tuple[str, str]] = Counter()
    # What the rows say is what the containers have: interfaces and addresses, each once in its network.
    for container in lone.engine.containers.list():
        told = subprocess.run(
            ["nsenter", "-t", str(container.pid), "-n", "ip", "-o", "addr", "show"], capture_output=True, text=True
        ).stdout
        actual = set(re.findall(r": (eth\d+)\s+inet6? (\S+)/\d+ (?:brd \S+ )?scope global", told))
        row = {
            (endpoint.interface, address)
            for endpoint in container.endpoints
            for address in (endpoint.address, endpoint.address6)
            if address
        }
        assert actual == row, container.name
        given.update((one.network, address) for one in container.endpoints for address in (one.address, one.address6))
    assert [place for place, times in given.items() if times > 1 and place[1]] == []
    for name in names:
        lone.engine.containers.remove(name, force=True)
    lone.settled("after the removals")
    assert lone.engine.store.query("SELECT count(*) FROM endpoints") == [(0,)]
    for network in NETWORKS:
        lone.engine.networks.remove(network)
