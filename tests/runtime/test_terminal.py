"""config.md, "Process": terminal and consoleSize; the way of the master by --console-socket."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .bundle import Bundle

pytestmark = pytest.mark.root

SCRIPT = "tty; stty size; ls -l /dev/console | cut -c1; test -t 0 && test -t 1 && test -t 2 && echo all"


def read_until_hangup(fd: int) -> str:
    """All that a terminal says until its other side is closed."""
    data = b""
    while True:
        try:
            chunk = os.read(fd, 4096)
        except OSError:
            break
        if not chunk:
            break
        data += chunk
    os.close(fd)
    return data.decode().replace("\r\n", "\n")


class ConsoleSocket:
    """The listening end of --console-socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(30)

    def receive(self) -> int:
        connection, _ = self._listener.accept()
        with connection:
            _data, fds, _flags, _address = socket.recv_fds(connection, 4096, 1)
        self._listener.close()
        return fds[0]


def test_create_sends_the_master(bundle: Bundle, tmp_path: Path) -> None:
    bundle.process.update(terminal=True, consoleSize={"height": 33, "width": 77}, args=["sh", "-c", SCRIPT])
    bundle.write_config()
    console = ConsoleSocket(tmp_path / "console")
    bundle.ok("create", "--bundle", str(bundle.path), "--console-socket", str(console.path), bundle.id)
    master = console.receive()
    bundle.ok("start", bundle.id)
    assert read_until_hangup(master) == "/dev/pts/0\n33 77\nc\nall\n"


def test_exec_sends_the_master(bundle: Bundle, tmp_path: Path) -> None:
    bundle.start_running()
    console = ConsoleSocket(tmp_path / "console")
    arguments = (
        "exec",
        "--tty",
        "--detach",
        "--console-socket",
        str(console.path),
        bundle.id,
        "sh",
        "-c",
        "tty; exit 3",
    )
    subprocess.run(bundle.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    assert read_until_hangup(console.receive()) == "/dev/pts/0\n"


def test_run_in_a_terminal_carries_both_ways(bundle: Bundle) -> None:
    bundle.process.update(terminal=True, args=["sh", "-c", "read line; echo got $line; stty size; exit 4"])
    bundle.write_config()
    import pty
    import struct
    import termios
    from fcntl import ioctl

    pid, master = pty.fork()
    if pid == 0:
        arguments = bundle.command("run", "--bundle", str(bundle.path), bundle.id)
        os.execvpe(arguments[0], arguments, {**os.environ, "PYTHONPATH": os.getcwd()})
    ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 60, 0, 0))
    os.write(master, b"typed\r")
    out = read_until_hangup(master)
    assert "got typed" in out
    assert "20 60" in out
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 4


def test_a_terminal_that_nobody_takes_is_an_error(bundle: Bundle) -> None:
    bundle.process["terminal"] = True
    bundle.write_config()
    result = bundle.call("create", "--bundle", str(bundle.path), bundle.id)
    assert result.code != 0
    assert "console" in result.err or "tty" in result.err.lower()
    assert bundle.call("state", bundle.id).code != 0


def test_a_user_owns_its_terminal(bundle: Bundle, tmp_path: Path) -> None:
    bundle.process.update(
        terminal=True, user={"uid": 1000, "gid": 1000}, args=["sh", "-c", "stat -c %u /dev/pts/0; echo hi > /dev/tty"]
    )
    bundle.write_config()
    console = ConsoleSocket(tmp_path / "console")
    bundle.ok("create", "--bundle", str(bundle.path), "--console-socket", str(console.path), bundle.id)
    master = console.receive()
    bundle.ok("start", bundle.id)
    assert read_until_hangup(master) == "1000\nhi\n"
