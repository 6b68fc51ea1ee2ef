"""A program in a real pseudo-terminal, driven as a person would: type, read until something appears."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence

TIMEOUT_S = 30.0


class PtyProgram:
    """`with PtyProgram(argv, env) as program:`; killed at the end if it still runs."""

    def __init__(self, argv: Sequence[str], environment: dict[str, str], rows: int = 24, columns: int = 80) -> None:
        self.master_fd, self.terminal_fd = pty.openpty()
        self.resize(rows, columns)
        self.settings_before = termios.tcgetattr(self.terminal_fd)
        self.output = b""
        self._read_up_to = 0
        self.process = subprocess.Popen(
            argv,
            env=environment,
            stdin=self.terminal_fd,
            stdout=self.terminal_fd,
            stderr=self.terminal_fd,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in (self.master_fd, self.terminal_fd):
            with contextlib.suppress(OSError):
                os.close(fd)

    def resize(self, rows: int, columns: int) -> None:
        """Change the window's size; the kernel tells the program with SIGWINCH."""
        fcntl.ioctl(self.master_fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.master_fd, text.encode())

    def expect(self, text: str, timeout_s: float = TIMEOUT_S) -> None:
        """Read until the text appears after what was expected before."""
        wanted = text.encode()
        end = time.monotonic() + timeout_s
        while wanted not in self.output[self._read_up_to :]:
            left_s = end - time.monotonic()
            arrived = left_s > 0 and self._read(left_s)
            assert arrived, f"{text!r} did not come; there is:\n{self.screen()}"
        self._read_up_to = self.output.index(wanted, self._read_up_to) + len(wanted)

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Read to the end of the program; its exit code (negative: the signal)."""
        end = time.monotonic() + timeout_s
        while self.process.poll() is None:
            assert time.monotonic() < end, f"the program does not end; there is:\n{self.screen()}"
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def restored(self) -> bool:
        """Whether the terminal's settings are those from before the program."""
        return termios.tcgetattr(self.terminal_fd) == self.settings_before

    def is_raw(self) -> bool:
        """Whether keys go through unread: no echo, no line editing."""
        return not termios.tcgetattr(self.terminal_fd)[3] & (termios.ECHO | termios.ICANON)

    def screen(self) -> str:
        return self.output.decode("utf-8", "replace")

    def _read(self, timeout_s: float) -> bool:
        ready, _, _ = select.select([self.master_fd], [], [], timeout_s)
        if not ready:
            return False
        try:
            data = os.read(self.master_fd, 65536)
        except OSError:
            return False
        self.output += data
        return bool(data)
