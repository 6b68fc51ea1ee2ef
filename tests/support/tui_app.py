"""The application over the in-memory engine, as Pilot tests want it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, cast

from app.app import PydockApp
from app.keymap import Keymap
from app.locations import theme_paths
from app.model import take_snapshot
from app.settings import Remembered, Settings
from app.theming import read_themes

from .fake_engine import FakeEngine

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot

    from engine.engine import Engine


def make_app(
    engine: FakeEngine,
    *,
    settings: Settings | None = None,
    keymap: Keymap | None = None,
    remembered: Remembered | None = None,
) -> PydockApp:
    """A dashboard that has read the engine."""
    real = cast("Engine", engine)
    return PydockApp(
        real,
        settings=settings or Settings(),
        keymap=keymap or Keymap(),
        themes=read_themes(theme_paths()),
        snapshot=take_snapshot(real),
        remembered=remembered,
    )


def busy_engine() -> FakeEngine:
    """Some containers in all states."""
    engine = FakeEngine()
    engine.images.add("toolbox:latest")
    engine.images.add("alpine:latest", 3_600_000)
    for name in ("web", "api", "worker", "db", "migrate", "shell"):
        engine.run(name, tty=name == "shell")
    engine.containers.pause("worker")
    engine.containers.oom("migrate")
    engine.containers.say("web", "12:01:07 GET / 200 3ms")
    engine.containers.say("web", "12:01:09 GET /health 200 0ms")
    engine.containers.say("web", "12:01:12 WARN slow upstream 812ms", "stderr")
    return engine


async def until(pilot: Pilot[None], condition: Callable[[], object], what: str, timeout_s: float = 30) -> None:
    """Wait for a condition, letting the app work; fail with its name."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s in vain for: {what}")
        await pilot.pause(0.02)
        await asyncio.sleep(0)
