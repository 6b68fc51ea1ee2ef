"""Shell completion: what `__complete` answers, and the three shells with their scripts in hand."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.engine import REPOSITORY
from tests.support.pty_program import PtyProgram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.engine import EngineRoot

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `pydock` in it, as an installation has."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "pydock"
    script.write_text(
        f"#!/bin/sh\nexec env PYTHONPATH={REPOSITORY} {sys.executable} -c "
        "'from engine.cli.main import main; main()' \"$@\"\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return folder


@pytest.fixture
def busy(pydock: EngineRoot) -> Iterator[EngineRoot]:
    """A running container, a stopped one, and a volume."""
    pydock.ok("run", "-d", "--name", "alpha-live", "toolbox", "sleep", "1000")
    pydock.ok("create", "--name", "alpha-new", "toolbox", "true")
    pydock.ok("volume", "create", "alpha-data")
    yield pydock
    pydock.ok("volume", "rm", "alpha-data")


def candidates(root: EngineRoot, line: str) -> list[str]:
    """For zsh and fish, whose words come one by one; without the descriptions."""
    words = [*line.split(), *([""] if line.endswith(" ") else [])]
    return [text.partition("\t")[0] for text in root.ok("__complete", "fish", "--", *words).splitlines()]


def test_every_place_of_a_command_line(busy: EngineRoot) -> None:
    for line, expected in (
        ("st", ["start", "stats", "stop"]),
        ("container st", ["start", "stats", "stop"]),
        ("stop ", ["alpha-live"]),
        ("start ", ["alpha-new"]),
        ("rm alpha-n", ["alpha-new"]),
        ("rm alpha-new ", ["alpha-live"]),
        ("container exec -it ", ["alpha-live"]),
        ("exec alpha-live ", []),
        ("run --rm -it ", ["toolbox"]),
        ("run --name x toolbox:", ["toolbox:latest"]),
        ("run toolbox ", []),
        ("run --network no", ["none"]),
        ("run --network=no", ["--network=none"]),
        ("run -v alph", [":nospace", "alpha-data:"]),
        ("run -v /", [":files"]),
        ("run --env-file x", [":files"]),
        ("run --pul", ["--pull"]),
        ("run --pull n", ["never"]),
        ("volume rm ", ["alpha-data"]),
        ("volume ins", ["inspect"]),
        ("network inspect b", ["bridge"]),
        ("stop -s T", ["TERM"]),
        ("--cont", ["--context"]),
        ("--context ", ["default"]),
        ("nonsense ", []),
        ("cp alpha-l", [":nospace", "alpha-live:"]),
        ("cp alpha-live:/etc/passwd ./", [":files"]),
        ("ps --filter na", [":nospace", "name="]),
    ):
        assert candidates(busy, line) == expected, line


def test_a_wrong_engine_is_nothing_to_complete(pydock: EngineRoot) -> None:
    done = pydock.pydock("__complete", "bash", "pydock --host unix:///nowhere stop ", ":=")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = pydock.pydock("__complete")
    assert (done.returncode, done.stderr) == (0, "")


def test_an_engine_that_does_not_answer_holds_no_prompt(pydock: EngineRoot, tmp_path: Path) -> None:
    path = tmp_path / "silent.sock"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        done = pydock.pydock("__complete", "bash", f"pydock --host unix://{path} stop ", ":=")
    assert (done.returncode, done.stdout) == (0, "")


def run_shell(root: EngineRoot, program: Path, *words: str) -> str:
    done = subprocess.run(
        words,
        env={**root.environment, "PATH": f"{program}:{os.environ['PATH']}", "HOME": str(program)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


BASH = """
source <(pydock completion bash)
COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=(pydock) COMP_CWORD=1
_pydock 2>/dev/null
printf '%s\\n' "${COMPREPLY[@]}"
"""


def test_bash(busy: EngineRoot, program: Path) -> None:
    for line, expected in (
        ("pydock sto", ["stop"]),
        ("pydock stop al", ["alpha-live"]),
        ("pydock run toolbox:l", ["latest"]),  # bash has "toolbox:" already, as a word of its own
        ("pydock run --network=no", ["none"]),
    ):
        assert run_shell(busy, program, "bash", "--norc", "-c", BASH, "bash", line).split() == expected, line


@pytest.mark.skipif(not shutil.which("fish"), reason="needs fish")
def test_fish(busy: EngineRoot, program: Path) -> None:
    script = "pydock completion fish | source; complete -C 'pydock sto'; complete -C 'pydock stop '"
    lines = run_shell(busy, program, "fish", "--no-config", "-c", script).splitlines()
    assert [line.split("\t")[0] for line in lines] == ["stop", "alpha-live"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh")
def test_zsh(busy: EngineRoot, program: Path) -> None:
    """Typed, with a tab, at a prompt."""
    environment = {
        **busy.environment,
        "PATH": f"{program}:{os.environ['PATH']}",
        "HOME": str(program),
        "PS1": "ready> ",
    }
    with PtyProgram(["zsh", "-f", "-i"], environment) as shell:
        shell.expect("ready> ")
        shell.type("source <(pydock completion zsh); print loaded$((1+1))\n")
        shell.expect("loaded2")
        shell.expect("ready> ")
        shell.type("pydock stop \t")
        shell.expect("alpha-live")
        shell.type("\x15exit\n")
        shell.wait()


def test_an_unknown_shell(pydock: EngineRoot) -> None:
    done = pydock.pydock("completion", "bsh")
    assert done.returncode == 1
    assert "did you mean bash?" in done.stderr
