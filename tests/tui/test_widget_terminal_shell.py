"""A pane on a real pseudo-terminal with real programs: a shell, a full-screen editor, a resize."""

import asyncio
import fcntl
import os
import pty
import shutil
import signal
import struct
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from app.widgets.terminal import TerminalPane


class ShellApp(App[None]):
    """`sh` in a pane."""

    CSS = "TerminalPane { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm-256color", "PS1": "$ ", "ENV": ""})
            os.execv("/bin/sh", ["sh"])
        os.set_blocking(self.fd, False)
        self.pane = TerminalPane("sh", lambda data: void(os.write(self.fd, data)), self.resize)

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        asyncio.get_running_loop().add_reader(self.fd, self.read)
        self.pane.go_live()

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self) -> None:
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.pane.feed(data)
        else:
            asyncio.get_running_loop().remove_reader(self.fd)
            _, status = os.waitpid(self.pid, 0)
            self.pid = 0
            self.pane.ended(os.waitstatus_to_exitcode(status))

    def end(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


def void(_: object) -> None: ...


def screen(app: ShellApp) -> str:
    return "\n".join(app.pane.render_line(y).text.rstrip() for y in range(app.pane.size.height))


async def until(pilot: Pilot[None], condition: Callable[[], bool], app: ShellApp) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline, screen(app)
        await pilot.pause(0.02)


async def type_text(pilot: Pilot[None], text: str) -> None:
    await pilot.press(*(letter if letter != " " else "space" for letter in text), "enter")


async def test_a_shell_answers_and_knows_its_size() -> None:
    app = ShellApp()
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: "$" in screen(app), app)
            await type_text(pilot, "echo $((6*7)); stty size")
            await until(pilot, lambda: "42\n22 78" in screen(app), app)
            await pilot.resize_terminal(100, 30)
            await type_text(pilot, "stty size")
            await until(pilot, lambda: "28 98" in screen(app), app)
            await type_text(pilot, "sleep 100")
            await pilot.press("ctrl+c")
            await type_text(pilot, "exit 3")
            await until(pilot, lambda: "exit 3" in str(app.pane.border_subtitle), app)
    finally:
        app.end()


async def test_a_full_screen_editor_works(tmp_path: Path) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed (its vi is the full-screen program)")
    file = tmp_path / "note"
    app = ShellApp()
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: "$" in screen(app), app)
            # A short name: this vi breaks its own status line when the path is longer than the screen is wide.
            await type_text(pilot, f"cd {tmp_path} && {busybox} vi note")
            await until(pilot, lambda: "~" in screen(app), app)
            await pilot.press("i", *"onetwo", "left", "left", "left", "enter", "escape")
            await until(pilot, lambda: "one\ntwo" in screen(app), app)
            # An editor tells escape from a sequence by the pause after it: wait until it has.
            await until(pilot, lambda: "\n- note" in screen(app), app)
            await pilot.press("colon", "w", "q", "enter")
            await until(pilot, lambda: file.exists() and bool(file.read_text()), app)
            assert file.read_text() == "one\ntwo\n"
    finally:
        app.end()
