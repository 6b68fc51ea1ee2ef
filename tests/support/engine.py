"""An engine of its own for tests: temporary roots, `pydock` over them, a clean-up that tells what leaked."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
PYDOCK = (sys.executable, "-c", "from engine.cli.main import main; main()")
TIMEOUT_S = 60
SETTLE_S = 20


class EngineRoot:
    """A data root and a run root; `close()` removes everything that was made under them."""

    def __init__(self) -> None:
        # short, because sockets lie below it
        base = Path(tempfile.mkdtemp(prefix="pydock-"))
        self.base = base
        self._started: list[subprocess.Popen[bytes]] = []
        self.root = base / "lib"
        self.run_root = base / "run"
        # what chooses another engine would send the tests there
        elsewhere = ("PYDOCK_HOST", "PYDOCK_CONTEXT", "DOCKER_HOST")
        self.environment = {
            **{name: text for name, text in os.environ.items() if name not in elsewhere},
            "PYDOCK_ROOT": str(self.root),
            "PYDOCK_RUN_ROOT": str(self.run_root),
            "PYTHONPATH": str(REPOSITORY),
            "XDG_STATE_HOME": str(base / "state"),
            "XDG_CONFIG_HOME": str(base / "config"),
            "TERM": "xterm-256color",
        }

    def pydock(
        self,
        *words: str,
        input: str | None = None,
        timeout_s: float = TIMEOUT_S,
        environment: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end; standard input is empty unless given."""
        return subprocess.run(
            [*PYDOCK, *words],
            env={**self.environment, **(environment or {})},
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def ok(self, *words: str, input: str | None = None, timeout_s: float = TIMEOUT_S) -> str:
        """Run a command that has to succeed; its standard output without the last line break."""
        done = self.pydock(*words, input=input, timeout_s=timeout_s)
        assert done.returncode == 0, f"pydock {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.rstrip("\n")

    def popen(self, *words: str, **options: object) -> subprocess.Popen[bytes]:
        """Start a command in the background with pipes; it is killed after the test if the test did not end it."""
        settings: dict[str, object] = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "env": self.environment,
            **options,
        }
        process: subprocess.Popen[bytes] = subprocess.Popen([*PYDOCK, *words], **settings)  # type: ignore[call-overload]
        self._started.append(process)
        return process

    def remove_containers(self) -> None:
        """End the commands that still run, and remove every container, running or not."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()
        self._started.clear()
        names = self.pydock("ps", "-aq", "--no-trunc").stdout.split()
        if names:
            self.pydock("rm", "-f", "-v", *names)

    def leaks(self) -> list[str]:
        """What the kernel still has of containers of this root: mounts, cgroups, processes."""
        found = [f"mount {target}" for target in self._mounts()]
        ids = {path.name for path in (self.root / "containers").glob("*")}
        found += [f"container folder {name}" for name in sorted(ids)]
        found += [f"process {pid}: {line}" for pid, line in self._processes() if self._is_shim(pid, line)]
        return found

    def settled_leaks(self) -> list[str]:
        """What is still there after a moment: a shim tells the end of its container before it is gone itself."""
        end = time.monotonic() + SETTLE_S
        while leaks := self.leaks():
            if time.monotonic() > end:
                return leaks
            time.sleep(0.02)
        return []

    def close(self) -> None:
        """Remove all: containers, the zygote, mounts, files. Safe to call twice."""
        if not self.base.exists():
            return
        if self.root.exists():
            self.remove_containers()
            self._remove_bridges()
        for pid, _ in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for target in sorted(self._mounts(), reverse=True):
            subprocess.run(["umount", "-l", target], check=False, capture_output=True)
        shutil.rmtree(self.base, ignore_errors=True)

    def _remove_bridges(self) -> None:
        """A bridge and its rules outlive their containers on purpose; a test's must not outlive the test."""
        from engine.engine import Engine
        from engine.errors import EngineError

        with contextlib.suppress(EngineError, OSError), Engine(str(self.root), str(self.run_root)) as engine:
            engine.networks.teardown()

    def _is_shim(self, pid: int, line: str) -> bool:
        """A shim is a fork of the zygote, which may stay; what tells it apart is a container's lock in its hands."""
        if "zygote/main.py" not in line:
            return True
        try:
            opened = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            return False
        return any(path.startswith(f"{self.run_root}/containers/") for path in opened)

    def _mounts(self) -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        targets = [line.split()[4] for line in lines]
        return [target for target in targets if target.startswith(f"{self.base}/")]

    def _processes(self) -> Iterator[tuple[int, str]]:
        """Processes whose command line names the run root: the zygote and the shims."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            except OSError:
                continue
            if str(self.run_root) in line and int(folder.name) != os.getpid():
                yield int(folder.name), line


def wait_until(what: str, condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait for a state that nothing announces; fails with its name when it does not come."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"waited {timeout_s} s for: {what}"
        time.sleep(0.02)
