"""After a power cut (all processes gone, the run root empty) and after a shutdown in good order: what runs then."""

from __future__ import annotations

import configparser
import os
import signal
from typing import Any

import pytest

from engine.engine import Engine
from engine.models import Container, CreateRequest, RestartPolicy
from tests.faults.machine import Leaks, power_cut
from tests.support.engine import EngineRoot, wait_until

pytestmark = pytest.mark.root

POLICIES = ("no", "always", "unless-stopped", "on-failure")


def _make(
    engine: Engine, image: str, name: str, policy: str = "no", script: str = "exec sleep 1000", **more: Any
) -> str:
    request = CreateRequest(
        image=image, name=name, command=("sh", "-c", script), restart=RestartPolicy(name=policy), **more
    )
    return engine.containers.create(request).id


def _states(engine: Engine) -> dict[str, str]:
    return {row.name: row.state for row in engine.containers.list(all=True)}


def _boot(engine: Engine) -> list[str]:
    started: list[str] = []

    def done(container: Container, error: Exception | None) -> None:
        assert error is None, f"{container.name}: {error}"
        started.append(container.name)

    engine.containers.boot(done)
    return started


def test_a_power_cut_leaves_nothing_and_what_should_run_is_started(engine: Engine, image: str, leaks: Leaks) -> None:
    for policy in POLICIES:
        for fate in ("ran", "stopped", "new"):
            _make(engine, image, f"{policy}-{fate}", policy)
            if fate != "new":
                engine.containers.start(f"{policy}-{fate}")
            if fate == "stopped":
                engine.containers.stop(f"{policy}-{fate}", 0)
    _make(engine, image, "finished", "on-failure", "exit 0")
    engine.containers.start("finished")
    engine.containers.wait("finished")
    _make(engine, image, "removed", auto_remove=True)
    engine.containers.start("removed")
    _make(engine, image, "paused", "always")
    engine.containers.start("paused")
    engine.containers.pause("paused")
    power_cut(engine)

    with Engine(engine.paths.root, engine.paths.run_root) as other:
        settled = {row.name: row for row in other.containers.list(all=True)}
        assert {row.state for row in settled.values()} == {"exited", "created"}
        assert {settled[f"{policy}-ran"].exit_code for policy in POLICIES} == {255}
        assert settled["finished"].exit_code == 0
        assert "removed" not in settled
        assert other.store.query("SELECT * FROM endpoints") == []
        started = _boot(other)
        assert sorted(started) == ["always-ran", "always-stopped", "on-failure-ran", "paused", "unless-stopped-ran"]
        assert {name for name, state in _states(other).items() if state == "running"} == set(started)
        for name in started:
            assert os.path.exists(f"/proc/{other.containers.get(name).pid}")
        assert _boot(other) == [], "a second boot finds all of it running"


def test_what_joins_another_is_started_after_it(engine: Engine, image: str, leaks: Leaks) -> None:
    _make(engine, image, "second", "always")
    _make(engine, image, "first", "always")
    engine.containers.remove("second")
    second = _make(engine, image, "second", "always", network="container:first")
    # the joined one is the younger: it would be started too late
    with engine.store.transaction() as tx:
        tx.execute("UPDATE containers SET document = json_set(document, '$.created_ns', 1) WHERE id = ?", (second,))
    engine.containers.start("first")
    engine.containers.start("second")
    power_cut(engine)
    with Engine(engine.paths.root, engine.paths.run_root) as other:
        assert _boot(other) == ["first", "second"]


def test_a_halt_ends_all_in_good_order_and_a_boot_brings_them_back(
    pydock: EngineRoot, engine: Engine, image: str, leaks: Leaks
) -> None:
    polite = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    for name, policy in (("kept", "unless-stopped"), ("plain", "no")):
        _make(engine, image, name, policy, polite)
        engine.containers.start(name)
        wait_until("it runs", lambda name=name: list(engine.containers.logs(name)))  # type: ignore[misc]
    _make(engine, image, "looping", "always", "exit 3")
    engine.containers.start("looping")
    _make(engine, image, "between", "unless-stopped", "exit 4")
    engine.containers.start("between")
    wait_until("a long pause", lambda: engine.containers.get("between").restart_count >= 4)
    assert sorted(pydock.ok("system", "halt").split()) == ["between", "kept", "looping", "plain"]
    assert set(_states(engine).values()) == {"exited"}
    assert [line.text for line in engine.containers.logs("kept")] == ["up\n", "bye\n"]
    assert engine.containers.inspect("kept")["LastExit"]["StopRequest"]["Signal"] == signal.SIGTERM
    assert sorted(pydock.ok("system", "boot").split()) == ["between", "kept", "looping"]
    assert engine.containers.get("kept").state == "running"
    engine.containers.stop("between", 0)
    engine.containers.stop("kept", 0)
    engine.containers.stop("looping", 0)
    assert pydock.ok("system", "boot").split() == ["looping"], "a stop that somebody asked for lasts"


def test_a_container_that_cannot_be_started_is_told_and_keeps_no_other_from_it(
    pydock: EngineRoot, engine: Engine, image: str, leaks: Leaks
) -> None:
    for name in ("broken", "sound"):
        _make(engine, image, name, "always", "test -e /tmp/no || exec sleep 1000")
        engine.containers.start(name)
    power_cut(engine)
    upper = f"{engine.paths.container(engine.containers.get('broken').id)}/upper"
    os.makedirs(f"{upper}/usr/bin", exist_ok=True)
    for folder in ("bin", "usr/bin"):
        os.makedirs(f"{upper}/{folder}", exist_ok=True)
        with open(f"{upper}/{folder}/sh", "w") as file:
            file.write("not a program")
    done = pydock.pydock("system", "boot")
    assert done.returncode == 1
    assert done.stdout.split() == ["sound"]
    assert done.stderr.startswith("broken: ")
    assert engine.containers.get("broken").exit_code in (126, 127)


def test_the_unit_calls_this_pydock_with_these_roots(pydock: EngineRoot, tmp_path: Any) -> None:
    said = pydock.pydock("system", "install-unit", "--folder", str(tmp_path))
    assert said.stdout.strip() == str(tmp_path / "pydock.service")
    assert "systemctl enable pydock.service" in said.stderr
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(tmp_path / "pydock.service")
    assert unit["Service"]["Type"] == "oneshot"
    program, *words = unit["Service"]["ExecStart"].split()
    assert os.access(program, os.X_OK)
    assert words[-2:] == ["system", "boot"]
    assert words[words.index("--root") + 1] == str(pydock.root)
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    assert os.system(f"{unit['Service']['ExecStart']} >{tmp_path}/out 2>&1") == 0
    odd = pydock.pydock("--root", "/a b/100%", "system", "install-unit", "--print")
    assert '--root "/a b/100%%" --run-root' in odd.stdout
