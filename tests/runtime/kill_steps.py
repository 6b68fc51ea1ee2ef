"""Killing a command of the runtime at any of its steps, and looking for what is left after `delete --force`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .bundle import REPOSITORY, Bundle, cgroups_named

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("killed_command.py")
VERBS = ("create", "start", "run", "exec", "kill", "pause", "update", "delete")
ROLES = {"create": ("runtime", "init"), "run": ("runtime", "init"), "exec": ("runtime", "init")}
_GONE_S = 30


class Kills:
    """One container's life, again and again, with one command of it killed."""

    def __init__(self, bundle: Bundle, folder: Path) -> None:
        self.bundle = bundle
        self.report = folder / "steps"
        self.traces = folder / "hooks"
        self.traces.mkdir()
        self.mark = f"KILLED_AT={bundle.id}"
        bundle.process["env"].append(self.mark)
        bundle.process["args"] = ["sleep", "1000"]
        trace = f"{self.traces}/prestart"
        bundle.config["hooks"] = {
            "createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", f"cat > {trace}"]}],
            "poststop": [{"path": "/bin/rm", "args": ["rm", "-f", trace]}],
        }
        bundle.linux["maskedPaths"] = ["/proc/kcore", "/sys/firmware"]
        bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW"}
        bundle.linux["resources"] = {"pids": {"limit": 50}}
        bundle.write_config()

    def words(self, verb: str) -> list[str]:
        container_id = self.bundle.id
        return {
            "create": ["create", "--bundle", str(self.bundle.path), "--pid-file", f"{self.report}.pid", container_id],
            "run": ["run", "--detach", "--bundle", str(self.bundle.path), container_id],
            "exec": ["exec", "--detach", container_id, "sleep", "1000"],
            "kill": ["kill", container_id, "KILL"],
            "update": ["update", "--pids-limit", "40", container_id],
            "delete": ["delete", "--force", container_id],
        }.get(verb, [verb, container_id])

    def prepare(self, verb: str) -> None:
        """The container in the status that the verb needs."""
        if verb in ("create", "run"):
            return
        self._call("create", "runtime:0")
        if verb != "start":
            self._call("start", "runtime:0")

    def attempt(self, verb: str, step: str) -> int:
        """Kill the verb at this step, delete what there is, and return how it ended. Fails when something is left."""
        self.prepare(verb)
        code = self._call(verb, step)
        self._delete()
        self.check(f"{verb} {step}")
        return code

    def steps(self, verb: str, role: str) -> int:
        """How many steps the verb has in this role, when nobody kills it."""
        self.prepare(verb)
        assert self._call(verb, f"{role}:0") == 0
        self._delete()
        self.check(f"{verb} whole")
        report = self.report.read_text()
        return int(report[:20] if role == "runtime" else report[20:40])

    def check(self, when: str) -> None:
        """Nothing is left: no process, cgroup, mount, state, and the hooks have undone what they did."""
        deadline = time.monotonic() + _GONE_S
        while left := [*self._processes(), *map(str, cgroups_named(self.bundle.id))]:
            assert time.monotonic() < deadline, f"{when}: left over: {left}"
            time.sleep(0.01)
        with open("/proc/self/mountinfo") as file:
            assert str(self.bundle.path.parent) not in file.read(), when
        states = self.bundle.state_root
        names = [name for name in os.listdir(states) if name != "@seccomp"] if states.exists() else []
        assert names == [], f"{when}: {names}"
        assert os.listdir(self.traces) == [], when

    def _call(self, verb: str, step: str) -> int:
        self.report.unlink(missing_ok=True)
        words = ["--root", str(self.bundle.state_root), *self.words(verb)]
        done = subprocess.run(
            [sys.executable, "-IS", str(SCRIPT), str(REPOSITORY), step, str(self.report), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        return done.returncode

    def _delete(self) -> None:
        words = ["--root", str(self.bundle.state_root), "delete", "--force", self.bundle.id]
        subprocess.run(self.bundle.command()[:-2] + words, check=True, stdin=subprocess.DEVNULL, timeout=60)

    def _processes(self) -> Iterator[str]:
        """Processes of the container by their environment, and of the runtime by their command line."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes()
                if self.bundle.id.encode() in words or self.mark.encode() in (folder / "environ").read_bytes():
                    yield f"{folder.name} {words!r}"
            except OSError:
                continue
