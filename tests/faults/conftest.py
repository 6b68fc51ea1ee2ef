"""An engine whose every trace is looked for after the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.machine import Leaks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.engine import Engine


@pytest.fixture
def leaks(engine: Engine) -> Iterator[Leaks]:
    """Asked once more when the test is over: everything is removed, then nothing may be left."""
    found = Leaks(engine)
    yield found
    found.note()
    for container in engine.containers.list(all=True):
        engine.containers.remove(container.id, force=True, volumes=True)
    found.check()
