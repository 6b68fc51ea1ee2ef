"""Faults at a chosen step of a program: the Nth function that our own code calls, Python's or C's.

Nothing of this is in the program: a profile function counts the calls, in a host that a test starts (`arm`), or in
the shims of a zygote that a test starts in place of the real one (`Zygote`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import unix
from tests.faults.machine import gone, processes
from tests.support.engine import REPOSITORY, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType
    from typing import Self

    from engine.paths import Paths

OURS = (f"{REPOSITORY}/engine/", f"{REPOSITORY}/runtime/")


class Counter:
    """Counts calls, and does `action` at the `number`th: "kill", "full" (raises ENOSPC), or "" for nothing.
    `in_children`: those of forked processes, and not of this one."""

    def __init__(self, action: str, number: int, *, in_children: bool = False) -> None:
        self.count = 0
        self._action = action
        self._number = number
        self._pid = os.getpid()
        self._in_children = in_children

    def arm(self) -> None:
        sys.setprofile(self._called)

    def _called(self, frame: FrameType, event: str, _argument: object) -> None:
        if event not in ("call", "c_call") or not frame.f_code.co_filename.startswith(OURS):
            return
        if self._in_children == (os.getpid() == self._pid):
            return
        self.count += 1
        if self.count != self._number or not self._action:
            return
        if self._action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        sys.setprofile(None)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def spread(total: int, wanted: int) -> list[int]:
    """Some of the numbers up to `total`, evenly; more of them with PYDOCK_FAULT_POINTS=N."""
    wanted = int(os.environ.get("PYDOCK_FAULT_POINTS", wanted))
    return [1 + total * step // wanted for step in range(wanted)]


HOST = """
import os, sys
from tests.faults.points import Counter
from engine.engine import Engine
from engine.models import CreateRequest, ExecRequest, Mount, PortMapping, RestartPolicy
from engine.errors import EngineError
counter = Counter(sys.argv[1], int(sys.argv[2]))
image = sys.argv[5]
with Engine(sys.argv[3], sys.argv[4]) as engine:
    containers = engine.containers
    counter.arm()
    try:
        exec(sys.argv[6])
    except EngineError as error:
        print("told:", error.message)
    sys.setprofile(None)
print(counter.count)
"""


def host(paths: Paths, image: str, script: str, action: str = "", number: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `script` in an engine host of its own, with a fault at one of its calls."""
    return subprocess.run(
        [sys.executable, "-c", HOST, action, str(number), paths.root, paths.run_root, image, script],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def calls_of(paths: Paths, image: str, script: str) -> int:
    """How many calls the script makes when nothing fails."""
    done = host(paths, image, script)
    assert done.returncode == 0, done.stderr
    assert "told" not in done.stdout, done.stdout
    return int(done.stdout.split()[-1])


class Zygote:
    """In place of the engine's zygote: the next shim has the fault that was ordered, the others have none."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._order = Path(paths.run_root, "fault.json")
        self._counted = Path(paths.run_root, "counted")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        from engine.zygote.client import build

        path = f"{self._paths.run_root}/zygote-{build()}.sock"
        end_zygotes(self._paths)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            unix.bind(listener, path)
            listener.listen(64)
            log = open(f"{self._paths.run_root}/zygote.log", "ab")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.points", str(listener.fileno()), path, self._paths.run_root],
                cwd=REPOSITORY,
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            log.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()
        self._order.unlink(missing_ok=True)

    def order(self, action: str, number: int, *, in_init: bool = False) -> None:
        """The fault of the next shim."""
        self._counted.unlink(missing_ok=True)
        temporary = self._order.with_suffix(".new")
        temporary.write_text(json.dumps({"action": action, "number": number, "in_init": in_init}))
        temporary.rename(self._order)

    def counted(self) -> int:
        """How many calls the shim made that was ordered with no fault; waits for its end."""
        wait_until("the end of the counting shim", self._counted.exists, 60)
        return int(self._counted.read_text())


def end_zygotes(paths: Paths) -> None:
    """Kill what would fork further shims; shims that live go on."""
    for pid in processes(paths):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().startswith(("pydock-zygote", "pydock-standby")):
                os.kill(pid, signal.SIGKILL)
                wait_until("the end of the zygote", lambda pid=pid: gone(pid))  # type: ignore[misc]


def _serve(listen_fd: int, path: str, run_root: str) -> None:
    from engine.shim import main as shim
    from engine.zygote import main as zygote

    ordinary = shim.main
    order = Path(run_root, "fault.json")

    def faulty(connection: socket.socket, started: Callable[[], None] | None = None) -> None:
        fault: dict[str, Any] = {"action": "", "number": 0, "in_init": False}
        try:
            order.rename(f"{order}.{os.getpid()}")
            fault = json.loads(Path(f"{order}.{os.getpid()}").read_text())
            os.unlink(f"{order}.{os.getpid()}")
        except FileNotFoundError:
            ordinary(connection, started)
            return
        counter = Counter(fault["action"], fault["number"], in_children=fault["in_init"])
        counter.arm()
        try:
            ordinary(connection, started)
        finally:
            sys.setprofile(None)
            Path(run_root, "counted.new").write_text(str(counter.count))
            os.rename(f"{run_root}/counted.new", f"{run_root}/counted")

    shim.main = faulty
    with open("/proc/self/comm", "w") as comm:
        comm.write("pydock-zygote")
    zygote.serve(socket.socket(fileno=listen_fd), path)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2], sys.argv[3])
