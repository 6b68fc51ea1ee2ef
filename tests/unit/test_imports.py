"""What may not be imported where: a command's start is mostly imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.engine import REPOSITORY, EngineRoot

HEAVY = (
    "argparse",
    "asyncio",
    "dataclasses",
    "httpx",
    "inspect",
    "logging",
    "msgspec",
    "pathlib",
    "psutil",
    "pyroute2",
    "rich",
    "shutil",
    "subprocess",
    "tempfile",
    "textual",
    "typing",
    "typing_extensions",
)
REPORT = """
import sys
from engine.cli.main import main
code = main({words!r})
sys.stderr.write("\\n=modules " + " ".join(sys.modules))
sys.exit(code)
"""


def modules_of(words: list[str], environment: dict[str, str]) -> tuple[int, set[str]]:
    """The exit code of a command and the modules that it imported itself (-S: without those of site)."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", REPORT.format(words=words)],
        env={**environment, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "=modules " in done.stderr, done.stderr
    return done.returncode, set(done.stderr.rpartition("=modules ")[2].split())


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["ps", "--help"], ["version"], ["exec", "--help"]])
def test_help_and_version_import_nothing_heavy(words: list[str]) -> None:
    code, modules = modules_of(words, dict(os.environ))
    assert code == 0
    assert not modules & set(HEAVY)


@pytest.mark.root
@pytest.mark.parametrize(
    "words",
    [
        ["ps", "-a"],
        ["run", "--rm", "toolbox", "true"],
        ["run", "-d", "--name", "imports", "toolbox", "sleep", "100"],
        ["exec", "imports", "true"],
        ["logs", "imports"],
        ["stop", "-t", "0", "imports"],
        ["rm", "imports"],
    ],
    ids=lambda words: words[0],
)
def test_daily_commands_import_nothing_heavy(toolbox_root: EngineRoot, words: list[str]) -> None:
    """One test after the other drives the same container through its life."""
    code, modules = modules_of(words, toolbox_root.environment)
    assert code == 0
    # removing a container walks its tree with shutil
    assert not modules & set(HEAVY) - ({"shutil"} if words[0] == "rm" else set())


@pytest.mark.root
def test_a_table_of_containers_needs_no_sockets(toolbox_root: EngineRoot) -> None:
    """`ps` reads a database and locks; what talks to shims, networks and registries is not its business."""
    code, modules = modules_of(["ps"], toolbox_root.environment)
    assert code == 0
    ours = {name for name in modules if name.startswith(("engine.", "runtime."))}
    assert "socket" not in modules
    assert not {
        name for name in ours if name.startswith(("runtime.", "engine.shim", "engine.bundle.", "engine.api"))
    } - {"engine.bundle.names"}


def test_runtime_and_engine_core_do_not_import_upwards() -> None:
    """The layers hold for what is really imported, too."""
    code = "import engine.cli.main, runtime, sys; sys.exit(any(name.split('.')[0] == 'app' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0


def test_package_init_files_are_empty() -> None:
    """An import of one module must not pull in its package."""
    for package in ("engine", "runtime"):
        for path in Path(REPOSITORY, package).rglob("__init__.py"):
            text = path.read_text()
            assert "import " not in text or "__getattr__" in text, f"{path} imports eagerly"
