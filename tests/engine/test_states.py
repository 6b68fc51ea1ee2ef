"""What a container takes in which state: a wrong one is refused with both states named, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.containers import states
from engine.errors import WrongState
from engine.models import Container, CreateRequest, ExecRequest, Resources
from tests.engine.test_lifecycle import _run
from tests.support.engine import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.engine import Engine
    from tests.support.engine import EngineRoot

ACTIONS: dict[str, Callable[[Engine, str], object]] = {
    "attach": lambda engine, name: engine.containers.attach(name).close(),
    "exec": lambda engine, name: engine.containers.exec(name, ExecRequest(command=("true",))).close(),
    "kill": lambda engine, name: engine.containers.kill(name, 18),
    "pause": lambda engine, name: engine.containers.pause(name),
    "resize": lambda engine, name: engine.containers.resize(name, 20, 60),
    "top": lambda engine, name: engine.containers.top(name),
    "unpause": lambda engine, name: engine.containers.unpause(name),
    "update": lambda engine, name: engine.containers.update(name, Resources(cpu_shares=500)),
}
TAKEN = {
    "created": {"update"},
    "running": {"attach", "exec", "kill", "resize", "top", "update"},
    "paused": {"attach", "kill", "resize", "top", "update"},
    "exited": {"update"},
}
MOVES = {("running", "pause"), ("paused", "unpause")}
"""These are taken and change the state: other tests look at them."""


def _in_state(engine: Engine, image: str, state: str) -> Container:
    if state == "created":
        return engine.containers.create(CreateRequest(image=image, command=("sleep", "1000"), network="none"))
    container = _run(engine, image, "sleep", "1000", network="none", tty=True)
    if state == "paused":
        engine.containers.pause(container.id)
    if state == "exited":
        engine.containers.kill(container.id)
        engine.containers.wait(container.id)
    wait_until(f"it is {state}", lambda: engine.containers.get(container.id).state == state)
    return engine.containers.get(container.id)


@pytest.mark.root
@pytest.mark.parametrize("state", TAKEN)
def test_what_is_taken_and_what_is_refused(engine: Engine, image: str, state: str) -> None:
    container = _in_state(engine, image, state)
    for action, act in ACTIONS.items():
        if (state, action) in MOVES:
            continue
        if action in TAKEN[state]:
            act(engine, container.id)
            continue
        with pytest.raises(WrongState) as caught:
            act(engine, container.id)
        assert caught.value.state == state, action
        assert state in caught.value.message
        assert any(wanted in caught.value.message for wanted in caught.value.wanted), caught.value.message
        assert container.name in caught.value.message
    assert engine.containers.get(container.id).state == state


@pytest.mark.root
def test_start_and_stop_leave_alone_what_is_so_already(engine: Engine, image: str) -> None:
    container = _run(engine, image, "sleep", "1000", network="none")
    engine.containers.start(container.id)
    assert engine.containers.get(container.id).pid == container.pid
    engine.containers.stop(container.id, 0)
    ended = engine.containers.get(container.id)
    engine.containers.stop(container.id, 0)
    assert engine.containers.get(container.id) == ended


@pytest.mark.root
def test_the_command_line_says_it_in_dockers_words(pydock: EngineRoot) -> None:
    pydock.ok("create", "--name", "idle", "toolbox")
    done = pydock.pydock("pause", "idle")
    assert done.returncode == 1
    assert "container idle is not running: it is created, and pause wants it running" in done.stderr
    done = pydock.pydock("unpause", "idle")
    assert "container idle is not paused: it is created" in done.stderr


def test_one_that_waits_for_its_restart_takes_an_end_and_new_limits() -> None:
    row = Container(id="1", name="web", image="x", image_id="y", command=(), created_ns=0, state="restarting")
    for action in ACTIONS:
        if action in ("kill", "update"):
            states.check(row, action)
            continue
        with pytest.raises(WrongState, match="restarting"):
            states.check(row, action)


@pytest.mark.parametrize("state", ["dead", "removing"])
def test_of_the_dead_nothing_is_wanted_but_their_removal(state: str) -> None:
    for action in ACTIONS:
        error = states.refusal("web", state, action)
        assert state in error.message
        assert error.hint == ("" if action == "unpause" else "pydock rm -f web")
