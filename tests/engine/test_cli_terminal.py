"""Terminals: `run -it`, `attach`, `exec -it` in a real pseudo-terminal, restored on every way out."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.engine import PYDOCK, wait_until
from tests.support.pty_program import PtyProgram

if TYPE_CHECKING:
    from tests.support.engine import EngineRoot

pytestmark = pytest.mark.root

CTRL_C, CTRL_P, CTRL_Q = "\x03", "\x10", "\x11"


def program(pydock: EngineRoot, *words: str, rows: int = 24, columns: int = 80) -> PtyProgram:
    return PtyProgram([*PYDOCK, *words], pydock.environment, rows, columns)


def test_a_shell_in_a_terminal(pydock: EngineRoot) -> None:
    """Type into it, get its output, leave with its exit code; the terminal is as before."""
    with program(pydock, "run", "--rm", "-it", "--name", "ctrl", "toolbox", "sh") as shell:
        shell.type("echo a$((40+2))z\n")
        shell.expect("a42z")
        assert shell.is_raw()
        shell.type("tty; exit 3\n")
        shell.expect("/dev/pts/0")
        assert shell.wait() == 3
        assert shell.restored()
    assert pydock.ok("ps", "-aq") == ""


def test_the_window_has_its_size_from_the_start_and_later(pydock: EngineRoot) -> None:
    with program(pydock, "run", "--rm", "-it", "toolbox", "sh", rows=33, columns=101) as shell:
        shell.type("stty size\n")
        shell.expect("33 101")
        shell.resize(20, 50)
        shell.type("sleep 0.2; stty size\n")
        shell.expect("20 50")
        shell.type("exit\n")
        assert shell.wait() == 0


def test_ctrl_c_goes_to_the_program(pydock: EngineRoot) -> None:
    with program(pydock, "run", "--rm", "-it", "toolbox", "sh") as shell:
        shell.type("sleep 100; echo code $?\n")
        shell.expect("sleep 100")
        wait_until("the sleep", lambda: "sleep" in pydock.pydock("top", _name(pydock)).stdout)
        shell.type(CTRL_C)
        shell.type("echo still here\n")
        shell.expect("still here")
        shell.type("exit 5\n")
        assert shell.wait() == 5


def test_detach_leaves_it_running_and_attach_shows_its_screen(pydock: EngineRoot) -> None:
    with program(pydock, "run", "-it", "--name", "kept", "toolbox", "sh") as shell:
        shell.type("echo mark$((1+1))\n")
        shell.expect("mark2")
        shell.type(CTRL_P + CTRL_Q)
        shell.expect("read escape sequence")
        assert shell.wait() == 0
        assert shell.restored()
    assert pydock.ok("ps", "--format", "{{.Names}} {{.State}}") == "kept running"
    with program(pydock, "attach", "kept") as again:
        again.expect("mark2")
        again.type("echo more$((2+3))\n")
        again.expect("more5")
        again.type("exit 4\n")
        assert again.wait() == 4
        assert again.restored()


def test_a_lone_ctrl_p_reaches_the_shell(pydock: EngineRoot) -> None:
    """Held back as the start of leaving, then given up: cat shows the byte."""
    with program(pydock, "run", "--rm", "-it", "toolbox", "sh") as shell:
        shell.type("stty raw -echo; dd bs=1 count=1 2>/dev/null | od -An -tx1; stty sane\n")
        shell.expect("count=1")
        wait_until("dd", lambda: "dd bs=1" in pydock.pydock("top", _name(pydock)).stdout)
        shell.type(CTRL_P)
        shell.expect("10")
        shell.type("exit\n")
        assert shell.wait() == 0


def test_other_detach_keys(pydock: EngineRoot) -> None:
    with program(pydock, "run", "-it", "--detach-keys", "ctrl-a,d", "toolbox", "sh") as shell:
        shell.type("echo on$((1+1))\n")
        shell.expect("on2")
        shell.type("\x01d")
        assert shell.wait() == 0


def test_exec_in_a_terminal(pydock: EngineRoot) -> None:
    pydock.ok("run", "-d", "--name", "host", "toolbox", "sleep", "100")
    with program(pydock, "exec", "-it", "-e", "A=b", "host", "sh", rows=30, columns=90) as shell:
        shell.type("echo $A; stty size; exit 6\n")
        shell.expect("b")
        shell.expect("30 90")
        assert shell.wait() == 6
        assert shell.restored()
    assert pydock.ok("ps", "--format", "{{.State}}") == "running"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_terminated_client_restores_the_terminal(pydock: EngineRoot, number: signal.Signals) -> None:
    with program(pydock, "run", "-it", "--name", "left", "toolbox", "sh") as shell:
        shell.type("echo up$((1+1))\n")
        shell.expect("up2")
        assert shell.is_raw()
        shell.signal(number)
        assert shell.wait() == 128 + number
        assert shell.restored()
    assert pydock.ok("ps", "--format", "{{.Names}}") == "left"


def test_start_attached(pydock: EngineRoot) -> None:
    pydock.ok("create", "-it", "--name", "later", "toolbox", "sh", "-c", "read line; echo got $line; exit 8")
    with program(pydock, "start", "-ai", "later") as shell:
        shell.type("text\n")
        shell.expect("got text")
        assert shell.wait() == 8


def test_a_container_that_ends_while_attached_restores_the_terminal(pydock: EngineRoot) -> None:
    with program(pydock, "run", "-it", "--name", "short", "toolbox", "sh") as shell:
        shell.type("echo up$((1+1))\n")
        shell.expect("up2")
        pydock.ok("kill", "short")
        assert shell.wait() == 137
        assert shell.restored()


def test_colours_and_full_screen_programs_pass_unchanged(pydock: EngineRoot) -> None:
    with program(pydock, "run", "--rm", "-it", "toolbox", "printf", r"\033[31mred\033[0m\033[?1049h") as shell:
        assert shell.wait() == 0
        assert b"\x1b[31mred\x1b[0m\x1b[?1049h" in shell.output


def test_a_tiny_terminal_does_no_harm(pydock: EngineRoot) -> None:
    pydock.ok("run", "-d", "--name", "small", "toolbox", "sleep", "100")
    for words in (["ps", "-a"], ["stats", "--no-stream"], ["images"], ["exec", "-it", "small", "true"]):
        with program(pydock, *words, rows=5, columns=20) as shell:
            assert shell.wait() == 0, words
            assert "Traceback" not in shell.screen()


def test_live_stats_end_with_ctrl_c(pydock: EngineRoot) -> None:
    pydock.ok("run", "-d", "--name", "busy", "toolbox", "sh", "-c", "while :; do :; done")
    with program(pydock, "stats") as stats:
        stats.expect("busy")
        stats.expect("busy")
        stats.type(CTRL_C)
        assert stats.wait() == 130
        assert stats.restored()


def _name(pydock: EngineRoot) -> str:
    return pydock.ok("ps", "-q", "-l")
