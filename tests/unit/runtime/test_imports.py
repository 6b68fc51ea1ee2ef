"""What a cold command of the runtime loads: every module costs each start of a container."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
_EXPENSIVE = """
    asyncio argparse dataclasses typing pathlib logging subprocess inspect tempfile shutil socket threading traceback
    contextlib tokenize ast urllib email datetime random hashlib
"""
EXPENSIVE = _EXPENSIVE.split()


@pytest.mark.parametrize(
    "verb", ["create", "run", "execute", "start", "state", "kill", "delete", "list", "pause", "update"]
)
def test_a_verb_loads_nothing_expensive(verb: str) -> None:
    modules = f"runtime.cli.main, runtime.cli.{verb}"
    code = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); import {modules}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-IS", "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & set(EXPENSIVE) == set()


def test_the_runtime_imports_neither_engine_nor_app() -> None:
    for path in (REPOSITORY / "runtime").rglob("*.py"):
        for line in path.read_text().splitlines():
            assert not line.strip().startswith(("import engine", "from engine", "import app", "from app")), path
