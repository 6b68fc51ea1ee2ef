"""The wall clock jumps by an hour and back: timers, back-off, health and history go on as if it had not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.models import HealthCheck, RestartPolicy
from engine.shim.health import Health
from engine.shim.loop import Loop
from engine.shim.restart import Restarts
from engine.stats import ring
from engine.stats.sample import Sample

HOUR_NS = 3600 * 10**9


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the wall clock forward or back, for this process."""
    real_ns, real = time.time_ns, time.time

    def by(nanoseconds: int) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: real_ns() + nanoseconds)
        monkeypatch.setattr(time, "time", lambda: real() + nanoseconds / 1e9)

    return by


@pytest.mark.parametrize("jump_ns", [HOUR_NS, -HOUR_NS])
def test_timers_fire_in_their_time(loop: Loop, jump: Callable[[int], None], jump_ns: int) -> None:
    fired: list[str] = []
    loop.later(0.02, lambda: fired.append("first"))
    loop.later(0.05, lambda: fired.append("second"))
    later = loop.later(3000, lambda: fired.append("in an hour"))
    jump(jump_ns)
    loop.run(lambda: len(fired) == 2)
    assert fired == ["first", "second"]
    later.cancel()


@pytest.mark.parametrize("jump_ns", [HOUR_NS, -HOUR_NS])
def test_health_is_probed_and_its_start_period_lasts(
    loop: Loop, jump: Callable[[int], None], jump_ns: int, tmp_path: Path
) -> None:
    probes: list[int] = []

    def run(_command: tuple[str, ...], _output_fd: int) -> int:
        probes.append(1)
        jump(jump_ns if len(probes) % 2 else 0)
        return os.posix_spawn("/bin/false", ["false"], {})

    check = HealthCheck(
        test=("CMD", "x"), start_interval_ns=10**7, interval_ns=10**7, start_period_ns=HOUR_NS // 2, retries=1
    )
    health = Health(loop, check, str(tmp_path / "health"), run=run, told=lambda _status: None, busy=lambda: False)
    health.start()
    loop.run(lambda: len(probes) == 4)
    health.close()
    assert (health.status, health.failing_streak) == ("starting", 0), "an hour on the wall is no hour of its life"


def test_the_back_off_asks_how_long_it_ran_and_not_what_time_it_is(jump: Callable[[int], None]) -> None:
    restarts = Restarts()
    policy = RestartPolicy(name="always")
    delays = []
    for hours in (1, -1, 2):
        jump(hours * HOUR_NS)
        delays.append(restarts.next_delay_s(policy, 1, ran_s=0.1, stop_requested=False))
    assert delays == [0.1, 0.2, 0.4]


@pytest.mark.parametrize("jump_ns", [HOUR_NS, -HOUR_NS])
def test_the_newest_figures_are_those_written_last(tmp_path: Path, jump_ns: int) -> None:
    path = str(tmp_path / "ring")
    writer = ring.Ring.create(path)
    now = 1_700_000_000 * 10**9
    for second in range(5):
        at = now + second * 10**9 + (jump_ns if second > 2 else 0)
        writer.append(Sample._make([at, second, *[0] * 12, -1.0, -1.0, -1.0, *[0] * 4, (), ()]))
    writer.close()
    newest = ring.latest(path)
    assert newest
    assert newest.cpu_ns == 4
    kept = ring.history(path)
    assert [sample.cpu_ns for sample in kept if sample.cpu_ns > 2] == [3, 4]
