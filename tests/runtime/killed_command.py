"""Runs one command of the runtime and kills it at one of its steps; started as a file by `kill_steps.py`.

    killed_command.py HOME STEP REPORT WORD...

A step is every call that the process makes into the operating system, or into this package's layer for it. STEP is
"runtime:7" or "init:7": the command itself, or the process forked from it that becomes the container's, kills itself
just before its seventh. The counts of both are kept in REPORT, 20 characters each.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

_BUILTINS = """
    open mkdir mkfifo rename unlink rmdir chmod chown write close read pread waitpid kill pidfd_open poll flock
    socketpair sendmsg recvmsg posix_spawn posix_spawnp setsid chroot chdir fchdir setgroups setresuid setresgid umask
    dup2 pipe2 symlink mknod listdir ioctl connect stat
"""
BUILTINS = frozenset(_BUILTINS.split())
KERNEL = f"{os.sep}runtime{os.sep}kernel{os.sep}"


class Steps:
    """Counts the steps of this process, and of those forked from it apart."""

    def __init__(self, role: str, number: int, report: str) -> None:
        self.wanted = (role, number)
        self.report = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.pid = os.getpid()
        self.role = "runtime"
        self.count = 0

    def seen(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            if getattr(argument, "__name__", "") not in BUILTINS:
                return
        elif event != "call" or KERNEL not in frame.f_code.co_filename:
            return
        if os.getpid() != self.pid:
            self.pid, self.role, self.count = os.getpid(), "init", 0
        self.count += 1
        try:
            os.pwrite(self.report, b"%20d" % self.count, 0 if self.role == "runtime" else 20)
        except OSError:
            pass  # limits of the container's
        if self.wanted == (self.role, self.count):
            os.kill(self.pid, 9)
            os._exit(137)  # the first process of a pid namespace cannot kill itself


def main() -> int:
    home, step, report, *words = sys.argv[1:]
    sys.path.insert(0, home)
    from runtime.cli.main import main as run

    role, _colon, number = step.rpartition(":")
    steps = Steps(role, int(number), report)
    sys.setprofile(steps.seen)
    try:
        return run(words)
    finally:
        sys.setprofile(None)


if __name__ == "__main__":
    os._exit(main())
