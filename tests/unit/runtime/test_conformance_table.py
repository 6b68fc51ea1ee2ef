"""The committed table of the runtime-spec names every conformance test, and explains every difference."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_table_has_every_test_and_every_difference_has_a_reason() -> None:
    command = [sys.executable, "-m", "tests.runtime.conformance.table", "--check"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
