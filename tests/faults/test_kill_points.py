"""kill -9 of a host, of a shim, of an init at steps all through what they do: the next host finds the truth, everything
can be removed, nothing is left. And each step of a start that fails is told, and undone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from engine.engine import Engine
from engine.errors import EngineError
from engine.models import Container, CreateRequest, Mount, PortMapping
from tests.faults.machine import Leaks, settled
from tests.faults.points import Zygote, calls_of, host, spread

pytestmark = pytest.mark.root

MADE = (
    "made = containers.create(CreateRequest(image=image, name='made', command=('sleep', '1000'),"
    " ports=(PortMapping(container_port=80),), mounts=(Mount(type='volume', target='/kept', source='kept'),)))\n"
)
LIFE = {
    "create": MADE,
    "start": MADE + "containers.start('made')\n",
    "stop": MADE + "containers.start('made'); containers.stop('made', 0)\n",
    "remove": MADE + "containers.start('made'); containers.remove('made', force=True)\n",
}
STEPS = """
made = containers.create(CreateRequest(image=image, name='made', command=('sleep', '1000'),
    ports=(PortMapping(container_port=80),), mounts=(Mount(type='volume', target='/kept', source='kept'),)))
containers.start('made')
with containers.exec('made', ExecRequest(command=('true',))) as session:
    list(session.frames())
containers.pause('made')
containers.unpause('made')
containers.rename('made', 'named')
containers.restart('named', 0)
containers.stop('named', 0)
containers.remove('named')
"""


def _clear(engine: Engine, leaks: Leaks) -> None:
    """What is left of these containers is looked for when the test ends."""
    for container in settled(engine):
        engine.containers.remove(container.id, force=True)
    leaks.note()


def test_a_host_killed_at_any_step_of_a_whole_life(engine: Engine, image: str, leaks: Leaks) -> None:
    total = calls_of(engine.paths, image, STEPS)
    assert total > 500, "the count goes through the engine's own code"
    states: set[str] = set()
    killed = 0
    numbers = spread(total, 16)
    for number in numbers:
        done = host(engine.paths, image, STEPS, "kill", number)
        assert done.returncode in (-9, 0), f"at call {number}: {done.stdout}{done.stderr}"
        killed += done.returncode == -9
        states.update(row.state for row in settled(engine))
        _clear(engine, leaks)
    assert killed > len(numbers) / 2, "how often it waits differs, what it does does not"
    assert {"created", "running"} <= states, "the kills came at different times"


@pytest.fixture
def zygote(engine: Engine) -> Iterator[Zygote]:
    with Zygote(engine.paths) as running:
        yield running


def _make(engine: Engine, image: str) -> Container:
    return engine.containers.create(
        CreateRequest(
            image=image,
            name="made",
            command=("sh", "-c", "echo up; exec sleep 1000"),
            ports=(PortMapping(container_port=80),),
            mounts=(Mount(type="volume", target="/kept", source="kept"),),
        )
    )


def _live(engine: Engine) -> None:
    """A whole life, as far as the fault lets it go."""
    with contextlib.suppress(EngineError):
        engine.containers.start("made")
        engine.containers.stop("made", 0)


@pytest.mark.parametrize("victim", ["shim", "init"])
def test_a_shim_or_an_init_killed_at_any_step(
    engine: Engine, image: str, leaks: Leaks, zygote: Zygote, victim: str
) -> None:
    _make(engine, image)
    zygote.order("", 0, in_init=victim == "init")
    _live(engine)
    total = zygote.counted() if victim == "shim" else 800  # init's count is lost in its exec
    _clear(engine, leaks)
    for number in spread(total, 12):
        made = _make(engine, image)
        zygote.order("kill", number, in_init=victim == "init")
        _live(engine)
        for row in settled(engine):
            assert row.id == made.id
            assert row.state in ("created", "exited"), f"after a kill at call {number}"
        engine.containers.start("made")
        assert engine.containers.get("made").state == "running", "it is as good as new"
        _clear(engine, leaks)


def test_a_start_that_fails_at_any_step_is_told_and_undone(
    engine: Engine, image: str, leaks: Leaks, zygote: Zygote
) -> None:
    _make(engine, image)
    zygote.order("", 0)
    _live(engine)
    total = zygote.counted()
    _clear(engine, leaks)
    told = set()
    for number in spread(total * 2 // 3, 16):
        _make(engine, image)
        zygote.order("full", number)
        try:
            engine.containers.start("made")
        except EngineError as error:
            told.add(error.message)
        row = settled(engine)[0]
        if row.state == "created":
            assert engine.store.query("SELECT * FROM endpoints") == []
        _clear(engine, leaks)
    assert any("No space left" in message or "no space left" in message for message in told), told


def test_a_host_whose_step_fails_says_so_in_one_line_and_leaves_nothing_half_made(
    engine: Engine, image: str, leaks: Leaks
) -> None:
    total = calls_of(engine.paths, image, LIFE["start"])
    _clear(engine, leaks)
    for number in spread(total, 12):
        host(engine.paths, image, LIFE["start"], "full", number)
        assert {row.name for row in settled(engine)} <= {"made"}
        _clear(engine, leaks)
