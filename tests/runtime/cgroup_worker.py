"""A process in a cgroup that does what it is told, one Python statement a line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from runtime.cgroups import Cgroup

_PROGRAM = """
import errno, json, os, sys, time
def attempt(call):
    try:
        call()
        return ""
    except OSError as error:
        return errno.errorcode[error.errno]
for line in sys.stdin:
    print(json.dumps(eval(line)), flush=True)
"""


class Worker:
    """`ask` evaluates an expression in the process; it ends with the `with` block."""

    def __init__(self, cgroup: Cgroup) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        cgroup.add(self.pid)

    def ask(self, expression: str) -> Any:
        """The answer; EOFError when the process has been killed."""
        self.tell(expression)
        return self.answer()

    def tell(self, expression: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(expression + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise EOFError
        return json.loads(line)

    def attempt_open(self, path: str, flags: int = os.O_RDWR) -> str:
        """ "" when the process may open it, else the errno's name."""
        return str(self.ask(f"attempt(lambda: os.close(os.open({path!r}, {flags})))"))

    def wait(self, timeout_s: float = 10) -> int:
        return self._process.wait(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
