"""kill -9 at every step of what changes networks: what comes next finds a network that is whole, or none; and no
address, interface, bridge or rule of it is left. On a host of its own, so that whatever is found there is ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from engine.engine import Engine
from engine.models import CreateRequest, NetworkAttachment, PortMapping
from tests.support.engine import REPOSITORY, wait_until
from tests.support.hosts import LoneHost, shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

MOST_STEPS = 120

# Forks a child for each line "N OPERATION ARGUMENTS", which dies at the Nth door that it passes: every message to the
# kernel and the shim, every transaction, every file. Answers with its wait status.
DRIVER = """
import json, os, signal, sys
from engine.containers import connect, files as bundles, session
from engine.bundle import files
from engine.engine import Engine
from engine.models import CreateRequest, NetworkAttachment, PortMapping
from engine.networks import netlink, nfnetlink, nftables
from engine.networks import rules, forwarding
from engine.store import Transaction

left = 0

def step():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def doored(inner):
    def door(*words, **options):
        step()
        result = inner(*words, **options)
        step()
        return result
    return door

for owner, name in (
    (netlink.Netlink, "commit"), (nfnetlink, "_transact"), (Transaction, "__enter__"), (Transaction, "__exit__"),
    (nftables, "run"), (rules, "run"), (forwarding, "run"), (connect, "ask"), (files, "_write"), (bundles, "remove"),
):
    setattr(owner, name, doored(getattr(owner, name)))

def run(root, run_root, operation, *words):
    with Engine(root, run_root) as engine:
        arm()
        if operation == "create":
            engine.networks.create(words[0], ipv6=True)
        elif operation == "rm":
            engine.networks.remove(words[0])
        elif operation == "connect":
            engine.containers.connect(words[1], NetworkAttachment(network=words[0]))
        elif operation == "disconnect":
            engine.containers.disconnect(words[1], words[0])
        elif operation == "start":
            engine.containers.start(words[0])
        elif operation == "remove":
            engine.containers.remove(words[0], force=True)

for line in sys.stdin:
    number, *words = line.split()
    def arm():
        global left
        left = int(number)
    child = os.fork()
    if child == 0:
        left = 0
        try:
            run(*words)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Killer:
    """The driver, and what is looked at after each of its children."""

    def __init__(self, lone: LoneHost) -> None:
        self.lone = lone
        words = [sys.executable, "-c", DRIVER]
        environment = {**lone.root.environment, "PYTHONPATH": str(REPOSITORY)}
        self._driver = subprocess.Popen(
            words, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def close(self) -> None:
        self._driver.kill()
        self._driver.wait()

    def kill_at(self, step: int, *operation: str) -> bool:
        """Do it, and die at that step; False when it was through before."""
        assert self._driver.stdin
        assert self._driver.stdout
        roots = (str(self.lone.root.root), str(self.lone.root.run_root))
        self._driver.stdin.write(" ".join((str(step), *roots, *operation)) + "\n")
        code = int(self._driver.stdout.readline())
        assert code in (0, -signal.SIGKILL), (step, operation, code)
        return code != 0

    def every_step(self, *operation: str, before: Callable[[], object], after: Callable[[], object]) -> int:
        """Kill it at each step in turn, from the same beginning; how many there were."""
        for step in range(1, MOST_STEPS):
            before()
            killed = self.kill_at(step, *operation)
            with Engine(str(self.lone.root.root), str(self.lone.root.run_root)):  # what comes next
                pass
            self.lone.settled(f"{operation} killed at {step}")
            after()
            if not killed:
                return step
        pytest.fail(f"{operation} has more than {MOST_STEPS} steps")


@pytest.fixture(scope="module")
def lone() -> Iterator[LoneHost]:
    made = LoneHost()
    yield made
    made.close()


@pytest.fixture
def on(lone: LoneHost) -> Iterator[Callable[[Callable[[Killer], None]], None]]:
    def told(story: Callable[[Killer], None]) -> None:
        def begin() -> None:
            killer = Killer(lone)
            try:
                story(killer)
            finally:
                killer.close()

        lone.run(begin)

    yield told
    lone.run(lone.clear)


def test_create_and_remove_of_a_network(lone: LoneHost, on: Callable[[Callable[[Killer], None]], None]) -> None:
    def story(killer: Killer) -> None:
        networks = lone.engine.networks

        def absent() -> None:
            """It is whole or it is not: what is there can be used and removed."""
            if "one" in [network.name for network in networks.list()]:
                lone.start("user", "one")
                lone.engine.containers.remove("user", force=True)
                networks.remove("one")
            wait_until("all to be gone", lambda: not lone.leftovers() and "br-" not in shell("ip -o link"))

        def present() -> None:
            if "one" not in [network.name for network in networks.list()]:
                networks.create("one", ipv6=True)

        assert killer.every_step("create", "one", before=absent, after=lambda: None) > 8
        assert killer.every_step("rm", "one", before=present, after=lambda: None) > 4

    on(story)


def test_connect_and_disconnect(lone: LoneHost, on: Callable[[Callable[[Killer], None]], None]) -> None:
    def story(killer: Killer) -> None:
        lone.engine.networks.create("one", ipv6=True)
        lone.start("web", ports=(PortMapping(container_port=80),))

        def connected() -> bool:
            """As the row says, and as the container has it, and as its next start would."""
            web = lone.engine.containers.get("web")
            there = "one" in [endpoint.network for endpoint in web.endpoints]
            assert ("eth1" in lone.inside("web", "ip", "-o", "link")[1]) == there
            return there

        def apart() -> None:
            if connected():
                lone.engine.containers.disconnect("web", "one")

        def together() -> None:
            if not connected():
                asked = lone.engine.containers.request("web").networks or ()
                if "one" in [place.network for place in asked]:  # killed after the shim had let it go
                    lone.engine.containers.disconnect("web", "one")
                lone.engine.containers.connect("web", NetworkAttachment(network="one"))

        assert killer.every_step("connect", "one", "web", before=apart, after=connected) > 8
        assert killer.every_step("disconnect", "one", "web", before=together, after=connected) > 4

    on(story)


def test_start_and_removal_of_a_container(lone: LoneHost, on: Callable[[Callable[[Killer], None]], None]) -> None:
    def story(killer: Killer) -> None:
        lone.engine.networks.create("one", ipv6=True)
        ports = (PortMapping(container_port=80, host_port=8080),)

        def stopped() -> None:
            names = [container.name for container in lone.engine.containers.list(all=True)]
            if "web" in names:
                lone.engine.containers.remove("web", force=True)
            lone.engine.containers.create(
                CreateRequest(
                    image="toolbox:latest",
                    name="web",
                    command=("sleep", "1000"),
                    network="one",
                    networks=(NetworkAttachment(network="one"), NetworkAttachment(network="bridge")),
                    ports=ports,
                )
            )

        def running() -> None:
            stopped()
            lone.engine.containers.start("web")

        assert killer.every_step("start", "web", before=stopped, after=lambda: None) > 8
        assert killer.every_step("remove", "web", before=running, after=lambda: None) > 2

    on(story)


def test_a_shim_killed_while_it_joins_and_leaves(
    lone: LoneHost, on: Callable[[Callable[[Killer], None]], None]
) -> None:
    """The shim is killed at some moment of a connect or disconnect, the container with it."""

    def story(killer: Killer) -> None:
        def ended() -> bool:
            with Engine(str(lone.root.root), str(lone.root.run_root)) as other:
                return other.containers.get("web").state == "exited"

        lone.engine.networks.create("one", ipv6=True)
        for turn in range(8):
            web = lone.start("web", ports=(PortMapping(container_port=80, host_port=8080),))
            with open(f"/proc/{web.pid}/status", encoding="ascii") as file:
                shim = int(next(line for line in file if line.startswith("PPid:")).split()[1])
            worker = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    "from engine.cli.main import main; main(['network', 'connect', 'one', 'web']);"
                    "main(['network', 'disconnect', 'bridge', 'web'])",
                ],
                env=lone.root.environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(0.15 + 0.02 * turn)  # somewhere in it: each outcome is right
            os.kill(shim, signal.SIGKILL)
            worker.wait(timeout=60)
            wait_until("its end to be told", ended)
            lone.settled(f"turn {turn}")
            lone.engine.containers.remove("web")

    on(story)
