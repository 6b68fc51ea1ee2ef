"""Health checks, run by the shim in real containers."""

from __future__ import annotations

import time
from typing import Any

import pytest

from engine.engine import Engine
from engine.models import Container, CreateRequest, HealthCheck
from tests.support.engine import EngineRoot, wait_until

pytestmark = pytest.mark.root

MS = 1_000_000
OFTEN = HealthCheck(interval_ns=100 * MS, timeout_ns=20_000 * MS)


def _run(engine: Engine, image: str, check: HealthCheck, script: str = "exec sleep 1000", **more: Any) -> Container:
    request = CreateRequest(image=image, command=("sh", "-c", script), health=check, network="none", **more)
    container = engine.containers.create(request)
    engine.containers.start(container.id)
    return engine.containers.get(container.id)


def _health(engine: Engine, container: Container) -> dict[str, Any]:
    state: dict[str, Any] = engine.containers.inspect(container.id)["State"].get("Health", {})
    return state


def _until(engine: Engine, container: Container, status: str) -> None:
    wait_until(status, lambda: engine.containers.get(container.id).health == status, 60)


def test_a_container_is_healthy_then_unhealthy_and_healthy_again(engine: Engine, image: str) -> None:
    check = OFTEN.replace(test=("CMD-SHELL", "echo looking at $0; test -e /tmp/well"), retries=2)
    container = _run(engine, image, check, "touch /tmp/well; exec sleep 1000", name="patient")
    _until(engine, container, "healthy")
    with engine.containers.exec(container.id, _command("rm", "-f", "/tmp/well")) as session:
        list(session.frames())
    _until(engine, container, "unhealthy")
    failing = _health(engine, container)
    assert failing["Status"] == "unhealthy"
    assert failing["FailingStreak"] >= 2
    assert failing["Log"][-1]["ExitCode"] == 1
    assert failing["Log"][-1]["Output"] == "looking at /bin/sh\n"
    with engine.containers.exec(container.id, _command("touch", "/tmp/well")) as session:
        list(session.frames())
    _until(engine, container, "healthy")
    assert _health(engine, container)["FailingStreak"] == 0
    told = [e.action for e in engine.events.since() if e.actor == container.id and e.action.startswith("health")]
    assert told[-3:] == ["health_status: healthy", "health_status: unhealthy", "health_status: healthy"]
    engine.containers.stop(container.id, 0)
    assert engine.containers.get(container.id).health == "unhealthy", "nobody looks after it any more"


def _command(*words: str) -> Any:
    from engine.models import ExecRequest

    return ExecRequest(command=words)


def test_the_log_keeps_the_last_five_results_and_four_kilobytes_of_each(engine: Engine, image: str) -> None:
    count = "n=$(cat /tmp/n 2>/dev/null || echo 0); echo $((n+1)) >/tmp/n; echo run $n; "
    text = count + "head -c 100000 /dev/zero | tr '\\0' x"
    container = _run(engine, image, OFTEN.replace(test=("CMD-SHELL", text)))

    def seventh() -> bool:
        log = _health(engine, container)["Log"]
        return bool(log) and int(log[-1]["Output"].split()[1]) >= 7

    wait_until("seven probes", seventh, 60)
    log = _health(engine, container)["Log"]
    numbers = [int(result["Output"].split()[1]) for result in log]
    assert numbers == list(range(numbers[-1] - 4, numbers[-1] + 1))
    for result in log:
        assert len(result["Output"]) == 4096 + len("...")
        assert result["ExitCode"] == 0
        assert result["Start"] <= result["End"]


def test_a_probe_that_hangs_is_ended_with_all_it_started(engine: Engine, image: str) -> None:
    check = HealthCheck(
        test=("CMD-SHELL", "echo waiting; sleep 4321 & sleep 4322; true"),
        interval_ns=50 * MS,
        timeout_ns=300 * MS,
        retries=1,
    )
    container = _run(engine, image, check)
    _until(engine, container, "unhealthy")
    result = _health(engine, container)["Log"][0]
    assert result["ExitCode"] == -1
    assert result["Output"] == "Health check exceeded timeout (300ms): waiting\n"
    engine.containers.pause(container.id)
    left = [process.command for process in engine.containers.top(container.id) if "sleep 43" in process.command]
    assert len(left) <= 3, "no more than one probe may be at work"
    engine.containers.unpause(container.id)


def test_failures_in_the_start_period_do_not_count_and_it_is_probed_more_often(engine: Engine, image: str) -> None:
    check = HealthCheck(
        test=("CMD", "false"),
        interval_ns=3600_000 * MS,
        start_interval_ns=50 * MS,
        start_period_ns=3600_000 * MS,
        retries=1,
    )
    container = _run(engine, image, check)
    wait_until("some failures", lambda: len(_health(engine, container)["Log"]) == 5, 60)
    assert _health(engine, container)["FailingStreak"] == 0
    assert engine.containers.get(container.id).health == "starting"


def test_a_command_that_is_not_there_is_a_failure(engine: Engine, image: str) -> None:
    container = _run(engine, image, OFTEN.replace(test=("CMD", "no-such-program"), retries=1))
    _until(engine, container, "unhealthy")
    result = _health(engine, container)["Log"][0]
    assert result["ExitCode"] == -1
    assert "no-such-program" in result["Output"]


def test_none_switches_it_off_and_a_paused_container_is_left_alone(engine: Engine, image: str) -> None:
    without = _run(engine, image, HealthCheck(test=("NONE",)))
    assert without.health == ""
    assert _health(engine, without) == {}
    container = _run(engine, image, OFTEN.replace(test=("CMD", "true")))
    _until(engine, container, "healthy")
    engine.containers.pause(container.id)
    before = _health(engine, container)["Log"]
    time.sleep(0.5)  # three intervals: nothing may happen in them
    assert _health(engine, container)["Log"][-1]["Start"] <= max(r["Start"] for r in before)
    assert engine.containers.get(container.id).health == "healthy"
    engine.containers.unpause(container.id)
    wait_until("probes go on", lambda: _health(engine, container)["Log"][-1]["Start"] > before[-1]["Start"], 60)


def test_a_restart_begins_anew_and_keeps_the_log(engine: Engine, image: str) -> None:
    container = _run(engine, image, OFTEN.replace(test=("CMD-SHELL", "echo probed")))
    _until(engine, container, "healthy")
    engine.containers.stop(container.id, 0)
    kept = _health(engine, container)["Log"]
    assert kept
    engine.containers.start(container.id)
    assert _health(engine, container)["Log"][: len(kept)][0]["Output"] == "probed\n"
    _until(engine, container, "healthy")


def test_ps_and_inspect_tell_it(pydock: EngineRoot, engine: Engine, image: str) -> None:
    container = _run(engine, image, OFTEN.replace(test=("CMD", "true")), name="told")
    _until(engine, container, "healthy")
    assert pydock.ok("ps", "--format", "{{.Status}}").endswith(" (healthy)")
    assert pydock.ok("inspect", "-f", "{{.State.Health.Status}}", "told") == "healthy"
    assert engine.containers.inspect("told")["Config"]["Healthcheck"] == {
        "Test": ["CMD", "true"],
        "Interval": 100 * MS,
        "Timeout": 20_000 * MS,
    }
