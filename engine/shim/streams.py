"""Pipes between a shim and a process without a terminal."""

from __future__ import annotations

import fcntl
import os

PIPE_BYTES = 256 << 10

TYPE_CHECKING = False
if TYPE_CHECKING:
    Three = tuple[int, int, int]


def near_and_far(*, tty: bool, open_stdin: bool) -> tuple[Three, Three | None]:
    """The shim's ends and the process's, each as stdin, stdout, stderr; the caller closes both.

    With a terminal there are none. Without `open_stdin` the process reads /dev/null and the near end is -1.
    """
    if tty:
        return (-1, -1, -1), None
    stdout_read, stdout_write = os.pipe()
    stderr_read, stderr_write = os.pipe()
    try:
        # A program that prints much waits for us a fourth as often; the kernel lends only as many pages as are used.
        fcntl.fcntl(stdout_write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except OSError:  # what all pipes of the user may take is used up
        pass
    if open_stdin:
        stdin_read, stdin_write = os.pipe()
    else:
        stdin_read, stdin_write = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC), -1
    return (stdin_write, stdout_read, stderr_read), (stdin_read, stdout_write, stderr_write)
