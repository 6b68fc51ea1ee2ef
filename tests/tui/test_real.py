"""The real program in a real terminal: after each key the engine or the kernel is asked for the truth."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.engine import Engine

from ..support.engine import EngineRoot
from ..support.tmux import Tmux

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.models import Container

pytestmark = [
    pytest.mark.root,
    pytest.mark.tmux,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


EXPORTED_SIZE = {"COLUMNS": "80", "LINES": "24"}
"""What some shells export: the size that their terminal had once."""


class Program:
    """pydock-tui in tmux, and the engine that it works on."""

    def __init__(self, roots: EngineRoot, columns: int = 120, rows: int = 40) -> None:
        self.roots = roots
        self.terminal = Tmux(columns, rows, env=self.environment)
        self.start()

    @property
    def environment(self) -> dict[str, str]:
        base = self.roots.base
        return {
            **self.roots.environment,
            "XDG_STATE_HOME": f"{base}/state",
            "XDG_CONFIG_HOME": f"{base}/config",
            **EXPORTED_SIZE,
        }

    def start(self) -> None:
        self.terminal.run([sys.executable, "-m", "app", "--debug", f"{self.roots.base}/tui.log"])
        self.terminal.until(lambda: "? help" in self.terminal.screen() or self.terminal.ended() is not None, "a frame")
        assert self.terminal.ended() is None, self.terminal.screen()

    def quit(self) -> None:
        self.terminal.keys("q")
        self.terminal.until(
            lambda: "Quit pydock" in self.terminal.screen() or self.terminal.ended() is not None, "the question"
        )
        if self.terminal.ended() is None:
            self.terminal.keys("Enter")
        self.terminal.until(lambda: self.terminal.ended() is not None, "the end of the program")
        assert self.terminal.ended() == 0, self.terminal.everything() + self.log

    @property
    def log(self) -> str:
        return Path(f"{self.roots.base}/tui.log").read_text()

    def close(self) -> None:
        self.terminal.close()


@pytest.fixture
def program(pydock: EngineRoot) -> Iterator[Program]:
    shutil.rmtree(pydock.base / "state", ignore_errors=True)
    running = Program(pydock)
    yield running
    running.close()


def container(engine: Engine, name: str) -> Container:
    return engine.containers.get(name)


def states(engine: Engine) -> dict[str, str]:
    return {item.name: item.state for item in engine.containers.list(all=True)}


def run_by_keys(program: Program, engine: Engine, name: str) -> None:
    """`2`, `r`, a name, enter: a container with a terminal from the toolbox image."""
    terminal = program.terminal
    terminal.keys("2")
    terminal.until_shown("r run")
    terminal.keys("r")
    terminal.until_shown("Run a container")
    terminal.type(name)
    terminal.until_shown(f"--name {name} toolbox")
    terminal.keys("Enter")
    terminal.until(lambda: states(engine).get(name) == "running", f"{name} running")
    terminal.until_shown("LIVE")


def test_an_image_is_made_and_a_container_run_by_keys_alone(fresh_root: EngineRoot) -> None:
    program = Program(fresh_root, 80, 24)
    try:
        terminal = program.terminal
        assert "There is no image here yet" in terminal.screen()
        terminal.keys("t")
        with Engine(str(fresh_root.root), str(fresh_root.run_root)) as engine:
            terminal.until(lambda: [image.references for image in engine.images.list()], "the image", 60)
            assert engine.images.list()[0].references == ("toolbox:latest",)
            terminal.until_shown("r run")
            terminal.keys("r")
            terminal.until_shown("Run a container")
            terminal.type("first")
            terminal.keys("Enter")
            terminal.until(lambda: states(engine).get("first") == "running", "first running")
            terminal.until_shown("LIVE")
            terminal.type("stty size; echo sum-$((40+2))")
            terminal.keys("Enter")
            terminal.until_shown("sum-42")
            rows, columns = map(int, re.findall(r"^.?(\d+) (\d+)", terminal.screen(), re.MULTILINE)[0])
            assert (rows, columns) >= (20, 76)
    finally:
        program.close()


def test_typing_second_shell_and_detaching(program: Program, engine: Engine) -> None:
    terminal = program.terminal
    run_by_keys(program, engine, "typed")
    terminal.type("echo $((6*7))-first > /tmp/one; tty")
    terminal.keys("Enter")
    terminal.until_shown("/dev/pts/0")
    root = f"/proc/{container(engine, 'typed').pid}/root"
    terminal.until(lambda: os.path.exists(f"{root}/tmp/one"), "the file in the container")
    assert Path(f"{root}/tmp/one").read_text() == "42-first\n"
    terminal.keys("C-]")
    terminal.until_gone("LIVE")
    terminal.keys("e")
    terminal.until_shown("shell")
    terminal.until_shown("LIVE")
    terminal.until(lambda: len(engine.containers.terminals("typed")) == 1, "the second terminal held")
    terminal.type("echo two > /tmp/two")
    terminal.keys("Enter")
    terminal.until(lambda: os.path.exists(f"{root}/tmp/two"), "the file of the second shell")
    # ctrl+p and ctrl+q are the shell's here: history, not the palette, and the program stays.
    terminal.keys("C-p")
    terminal.until(lambda: terminal.screen().count("echo two > /tmp/two") >= 2, "ctrl+p recalls the last command")
    terminal.keys("C-c", "C-]")
    terminal.until_gone("LIVE")
    assert terminal.ended() is None


def test_pause_stop_restart_and_remove_by_key(program: Program, engine: Engine) -> None:
    terminal = program.terminal
    program.roots.ok("run", "-d", "--name", "worker", "toolbox", "sleep", "1000")
    terminal.until_shown("worker")
    terminal.keys("1", "p")
    terminal.until(lambda: container(engine, "worker").state == "paused", "paused")
    terminal.until_shown("resume")
    assert _frozen(container(engine, "worker").pid)
    terminal.keys("p")
    terminal.until(lambda: container(engine, "worker").state == "running", "running again")
    assert not _frozen(container(engine, "worker").pid)
    before = container(engine, "worker").pid
    terminal.keys("r")
    terminal.until(
        lambda: container(engine, "worker").state == "running" and container(engine, "worker").pid != before,
        "a new process",
        30,
    )
    terminal.until_shown("restarted")
    terminal.keys("s")
    terminal.until(lambda: container(engine, "worker").state == "exited", "stopped", 30)
    terminal.until_shown("s start")
    terminal.keys("d")
    terminal.until_shown("Remove worker?")
    terminal.keys("Enter")
    terminal.until(lambda: "worker" not in states(engine), "removed")
    terminal.until_gone("exit ")


def test_logs_are_followed_and_searched(program: Program, engine: Engine) -> None:
    terminal = program.terminal
    program.roots.ok(
        "run", "-d", "--name", "talker", "toolbox", "sh", "-c",
        "for i in 1 2 3; do echo early-$i; done; "
        "while :; do [ -e /tmp/go ] && echo late-line && rm /tmp/go; sleep 0.1; done",
    )  # fmt: skip
    terminal.keys("1", "l")
    terminal.until_shown("early-3")
    Path(f"/proc/{container(engine, 'talker').pid}/root/tmp/go").touch()
    terminal.until_shown("late-line")
    terminal.keys("Tab")
    terminal.until_shown("f follow")
    terminal.type("/early")
    terminal.keys("Enter")
    terminal.until_shown("/3")


def test_quitting_leaves_everything_and_the_next_start_finds_it(program: Program, engine: Engine) -> None:
    terminal = program.terminal
    run_by_keys(program, engine, "stays")
    terminal.type("echo last-screen-$((1+1))")
    terminal.keys("Enter")
    terminal.until_shown("last-screen-2")
    terminal.keys("C-]", "e")
    terminal.until(lambda: len(engine.containers.terminals("stays")) == 1, "a shell")
    terminal.type("echo in-the-shell-$((2+3))")
    terminal.keys("Enter")
    terminal.until_shown("in-the-shell-5")
    pid = container(engine, "stays").pid
    terminal.keys("C-]")
    terminal.until_shown("enter go live")
    terminal.keys("Escape")
    terminal.until_shown("s stop")
    program.quit()
    assert container(engine, "stays").pid == pid
    assert len(engine.containers.history("stays")) >= 1
    program.start()
    terminal.until_shown("stays")
    terminal.until_shown("last-screen-2")
    terminal.until_shown("in-the-shell-5")
    terminal.until(lambda: any("⣀" <= mark <= "⣿" for mark in terminal.screen()), "graphs with history")


def test_killing_the_dashboard_ends_no_container_and_loses_no_line(program: Program, engine: Engine) -> None:
    terminal = program.terminal
    for name in ("one", "two", "three"):
        script = (
            "sleep 1000" if name != "three" else "while [ ! -e /tmp/go ]; do sleep 0.1; done; echo good-bye; exit 7"
        )
        program.roots.ok("run", "-d", "--name", name, "toolbox", "sh", "-c", script)
    terminal.until_shown("three")
    pid = container(engine, "three").pid
    os.kill(terminal.pid(), signal.SIGKILL)
    terminal.until(lambda: terminal.ended() is not None, "the dashboard dead")
    assert set(states(engine).values()) == {"running"}
    Path(f"/proc/{pid}/root/tmp/go").touch()
    terminal.until(lambda: container(engine, "three").state == "exited", "three ended")
    assert container(engine, "three").exit_code == 7
    program.start()
    terminal.until_shown("exit 7")
    terminal.keys("1", "l", "End")
    terminal.until_shown("good-bye")


def test_an_oom_kill_is_shown(program: Program, engine: Engine) -> None:
    program.roots.ok(
        "run", "-d", "--name", "hungry", "--memory", "32m", "toolbox", "sh", "-c", "sleep 0.5; exec tail /dev/zero"
    )
    program.terminal.until(lambda: container(engine, "hungry").state == "exited", "killed", 30)
    program.terminal.until_shown("oom 137")
    assert container(engine, "hungry").oom_killed


def test_the_sizes_of_a_terminal_down_to_one_line_of_words(program: Program) -> None:
    terminal = program.terminal
    for columns, rows in ((80, 24), (200, 60), (120, 40)):
        terminal.resize(columns, rows)
        terminal.until_shown("? help")
    terminal.resize(20, 5)
    terminal.until_shown("pydock needs 60×16")
    terminal.resize(120, 40)
    terminal.until_shown("? help")
    assert terminal.ended() is None


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--theme", "nosuch"], "no theme 'nosuch'"),
        (["--keymap", "emacs"], "no key preset 'emacs'"),
        (["--root", "/dev/null/x"], "/dev/null"),
    ],
)
def test_a_wrong_option_is_one_line(pydock: EngineRoot, arguments: list[str], named: str) -> None:
    terminal = Tmux(120, 40, env=pydock.environment)
    try:
        terminal.run([sys.executable, "-m", "app", *arguments])
        terminal.until(lambda: terminal.ended() is not None, "the end")
        assert terminal.ended() == 1
        assert named in terminal.everything()
        assert "Traceback" not in terminal.everything()
    finally:
        terminal.close()


def _frozen(pid: int) -> bool:
    """Whether the kernel holds the process in its freezer: wchan or the cgroup says so."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "freezer" in controllers:
            return Path(f"/sys/fs/cgroup/freezer{path}/freezer.state").read_text().strip() == "FROZEN"
    path = lines[-1].split(":", 2)[2]
    for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        file = Path(f"{mount}{path}/cgroup.freeze")
        if file.exists():
            return file.read_text().strip() == "1"
    return False


def test_a_defect_ends_the_program_with_one_line_and_a_log(pydock: EngineRoot) -> None:
    breaking = (
        "import app.screens.dashboard as d; d.DashboardScreen._tick = lambda self: 1 // 0; import app.__main__ as m; "
    )
    log = pydock.base / "defect.log"
    terminal = Tmux(120, 40, env=pydock.environment)
    try:
        terminal.run([sys.executable, "-c", breaking + f"raise SystemExit(m.main(['--debug', '{log}']))"])
        terminal.until(lambda: terminal.ended() is not None, "the end")
        assert terminal.ended() == 1
        assert "internal error: integer division or modulo by zero" in terminal.everything()
        assert "Traceback" not in terminal.everything()
        assert "ZeroDivisionError" in log.read_text()
    finally:
        terminal.close()
