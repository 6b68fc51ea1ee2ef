"""The person's own terminal: raw while a container has it, and as it was before on every way out (termios(3))."""

from __future__ import annotations

import os
import termios
import tty

from .errors import InputNotTerminal

STDIN_FD = 0
STDOUT_FD = 1


class RawTerminal:
    """`with RawTerminal(fd):` every key goes through unread; afterwards the old settings are back.

    No-op when the descriptor is no terminal. SIGKILL alone leaves the terminal raw (`stty sane` helps).
    """

    def __init__(self, fd: int = STDIN_FD) -> None:
        self._fd = fd
        self._before: list[int | list[bytes | int]] | None = None

    def __enter__(self) -> None:
        if os.isatty(self._fd):
            self._before = termios.tcgetattr(self._fd)
            tty.setraw(self._fd, termios.TCSANOW)

    def __exit__(self, *_error: object) -> None:
        if self._before is not None:
            try:
                # TCSADRAIN: what the container printed last still goes out with the settings it was printed for
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
            except termios.error:
                pass  # the terminal itself is gone
            self._before = None


def size(fd: int = STDOUT_FD) -> tuple[int, int] | None:
    """(rows, columns) of the terminal; None without one or when it does not tell."""
    try:
        columns, rows = os.get_terminal_size(fd)
    except OSError:
        return None
    return (rows, columns) if rows and columns else None


def require_input_terminal() -> None:
    """Raise `InputNotTerminal` unless standard input is one."""
    if not os.isatty(STDIN_FD):
        raise InputNotTerminal(
            "the input device is not a TTY", hint="leave out -t when input comes from a pipe or a file"
        )
