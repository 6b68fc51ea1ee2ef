"""A short storm: six processes at the same four containers. The long one is in tests/soak."""

from __future__ import annotations

import pytest

from engine.engine import Engine
from tests.faults.machine import Leaks, settled
from tests.faults.storm import storm

pytestmark = pytest.mark.root


@pytest.mark.timeout(240)
def test_six_processes_do_random_things_for_ten_seconds(engine: Engine, image: str, leaks: Leaks) -> None:
    result = storm(engine.paths.root, engine.paths.run_root, image, processes=6, seconds=10)
    assert result.broken == [], result.broken[0]
    assert result.answers["done"] > 20, "it was a storm"
    settled(engine)
