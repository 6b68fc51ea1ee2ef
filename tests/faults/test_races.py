"""Many at once on the same things: one winner, everybody else told so in a typed error, and the kernel agrees after."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable

import pytest

from engine.engine import Engine
from engine.errors import Conflict, EngineError, NotFound, StartFailed
from engine.models import CreateRequest, NetworkAttachment, PortMapping
from tests.faults.machine import Leaks, settled

pytestmark = pytest.mark.root


def _at_once(number: int, action: Callable[[Engine, int], object], engine: Engine) -> list[object]:
    """What each of `number` hosts got, its exception included."""
    results: list[object] = [None] * number
    ready = threading.Barrier(number)

    def work(index: int) -> None:
        with Engine(engine.paths.root, engine.paths.run_root) as mine:
            ready.wait(60)
            try:
                results[index] = action(mine, index)
            except Exception as error:
                results[index] = error

    threads = [threading.Thread(target=work, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive(), "somebody waits for ever"
    return results


def _request(image: str, **more: object) -> CreateRequest:
    return CreateRequest(image=image, command=("sleep", "1000"), **more)  # type: ignore[arg-type]


def test_one_name_for_twenty(engine: Engine, image: str, leaks: Leaks) -> None:
    results = _at_once(20, lambda mine, _index: mine.containers.create(_request(image, name="wanted")), engine)
    losers = [result for result in results if isinstance(result, Exception)]
    assert len(losers) == 19
    assert all(isinstance(error, Conflict) and "already in use" in error.message for error in losers), losers
    assert [row.name for row in engine.containers.list(all=True)] == ["wanted"]


def test_one_port_for_twelve(engine: Engine, image: str, leaks: Leaks) -> None:
    with socket.socket() as free:
        free.bind(("0.0.0.0", 0))
        port = free.getsockname()[1]

    def run(mine: Engine, index: int) -> str:
        ports = (PortMapping(container_port=80, host_port=port),)
        made = mine.containers.create(_request(image, name=f"port{index}", ports=ports))
        mine.containers.start(made.id)
        return made.name

    results = _at_once(12, run, engine)
    winners = [result for result in results if isinstance(result, str)]
    assert len(winners) == 1, results
    for result in results:
        assert isinstance(result, str) or (isinstance(result, EngineError) and "port" in result.message), result
    assert [row.name for row in engine.containers.list()] == winners


def test_one_address_for_eight_and_none_twice_for_twenty(engine: Engine, image: str, leaks: Leaks) -> None:
    network = engine.networks.create("raced")
    address = network.gateway.rpartition(".")[0] + ".77"
    try:

        def fixed(mine: Engine, index: int) -> str:
            places = (NetworkAttachment(network="raced", address=address),)
            made = mine.containers.create(_request(image, name=f"fixed{index}", network="raced", networks=places))
            mine.containers.start(made.id)
            return made.name

        results = _at_once(8, fixed, engine)
        assert sum(isinstance(result, str) for result in results) == 1, results
        assert all(isinstance(result, (str, EngineError)) for result in results), results

        def free(mine: Engine, index: int) -> str:
            made = mine.containers.create(_request(image, name=f"free{index}", network="raced"))
            mine.containers.start(made.id)
            return mine.containers.get(made.id).endpoints[0].address

        addresses = _at_once(14, free, engine)
        assert len(set(addresses)) == 14, addresses
        assert address not in addresses
    finally:
        for row in engine.containers.list(all=True):
            engine.containers.remove(row.id, force=True)
        engine.networks.remove("raced")


def test_mixed_requests_on_one_container_are_answered_or_refused_in_words(
    engine: Engine, image: str, leaks: Leaks
) -> None:
    made = engine.containers.create(_request(image, name="torn", network="none"))
    actions: list[Callable[[Engine], object]] = [
        lambda mine: mine.containers.start(made.id),
        lambda mine: mine.containers.stop(made.id, 0),
        lambda mine: mine.containers.kill(made.id),
        lambda mine: mine.containers.pause(made.id),
        lambda mine: mine.containers.unpause(made.id),
        lambda mine: mine.containers.restart(made.id, 0),
        lambda mine: mine.containers.inspect(made.id),
        lambda mine: mine.containers.list(all=True),
    ]

    def work(mine: Engine, index: int) -> list[Exception]:
        dice = random.Random(index)
        failures: list[Exception] = []
        for _ in range(12):
            try:
                dice.choice(actions)(mine)
            except Exception as error:
                failures.append(error)
        return failures

    results = _at_once(10, work, engine)
    failures = [error for result in results for error in (result if isinstance(result, list) else [result])]
    unexpected = [error for error in failures if not isinstance(error, (Conflict, NotFound, StartFailed))]
    assert unexpected == []
    row = settled(engine)[0]
    assert row.name == "torn"


def test_starts_stops_and_removals_of_the_same_names_race(engine: Engine, image: str, leaks: Leaks) -> None:
    def work(mine: Engine, index: int) -> list[Exception]:
        dice = random.Random(index)
        failures: list[Exception] = []
        for _ in range(8):
            name = f"race{dice.randrange(3)}"
            for action in (
                lambda name=name: mine.containers.create(_request(image, name=name, auto_remove=bool(index % 2))),
                lambda name=name: mine.containers.start(name),
                lambda name=name: mine.containers.remove(name, force=True),
            ):
                try:
                    action()
                except Exception as error:
                    failures.append(error)
        return failures

    results = _at_once(6, work, engine)
    failures = [error for result in results for error in (result if isinstance(result, list) else [result])]
    unexpected = [error for error in failures if not isinstance(error, (Conflict, NotFound))]
    assert unexpected == []
    settled(engine)
