"""What fault tests do to a machine, within one engine's own roots, and what they count afterwards.

Everything is told apart by the root's own paths, ids and names: other engines run on the same host.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from engine.networks.rules import table_name
from tests.support.engine import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.engine import Engine
    from engine.models import Container
    from engine.paths import Paths

CGROUPS = Path("/sys/fs/cgroup")


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat[stat.rindex(")") :].split()[2])


def shim_of(container: Container) -> int:
    """The pid of a running container's shim."""
    return parent_of(container.pid)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody reaps counts as ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat[stat.rindex(")") :].split()[1] in "ZX"


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(f"the end of {pid}", lambda: gone(pid))


def processes(paths: Paths) -> list[int]:
    """Zygotes and shims of a run root."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if paths.run_root.encode() in (folder / "cmdline").read_bytes() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


def power_cut(engine: Engine) -> None:
    """Every process of the engine gone at once, and the run root with it; what is on disk stays."""
    containers = engine.containers.list()
    for _round in range(3):  # one may have been forking
        for pid in processes(engine.paths):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    for container in containers:  # what is frozen outlives SIGKILL, but no power cut
        for freezer in CGROUPS.glob(f"freezer/pydock/{container.id}/freezer.state"):
            freezer.write_text("THAWED")
    for container in containers:
        if container.pid:
            wait_until(f"the end of {container.name}", lambda pid=container.pid: gone(pid))  # type: ignore[misc]
    shutil.rmtree(engine.paths.run_root)


class Leaks:
    """What is left of containers that are no more. Made before the fault, asked after everything is removed."""

    def __init__(self, engine: Engine) -> None:
        self._paths = engine.paths
        self._engine = engine
        self._ids: set[str] = set()

    def note(self) -> None:
        """Remember the containers of now: their veths, cgroups and rules carry their ids."""
        self._ids.update(row[0] for row in self._engine.store.query("SELECT id FROM containers"))
        for folder in (self._paths.containers, f"{self._paths.run_root}/containers", self._paths.runtime):
            with contextlib.suppress(FileNotFoundError):
                self._ids.update(name for name in os.listdir(folder) if len(name) == 64)
        self._ids.update(
            row[0] for row in self._engine.store.query("SELECT actor FROM events WHERE type = 'container'")
        )

    def check(self) -> None:
        """Fails naming what is left, after giving shims and kernel a moment to finish."""
        self.note()
        wait_until("nothing left over: " + "; ".join(self.found()[:20]), lambda: not self.found(), 30)

    def found(self) -> list[str]:
        return [
            *self._rows(),
            *self._folders(),
            *self._processes(),
            *self._mounts(),
            *self._cgroups(),
            *self._links(),
            *self._rules(),
        ]

    def _rows(self) -> Iterator[str]:
        for table in ("containers", "endpoints"):
            for row in self._engine.store.query(f"SELECT * FROM {table}"):
                yield f"row of {table}: {row[0][:12]}"

    def _folders(self) -> Iterator[str]:
        for folder in (
            self._paths.containers,
            f"{self._paths.run_root}/containers",
            self._paths.runtime,
        ):
            with contextlib.suppress(FileNotFoundError):
                for name in os.listdir(folder):
                    if len(name) == 64 or folder != self._paths.runtime:  # which has a cache besides
                        yield f"{folder}/{name}"
        for name in os.listdir(self._paths.tmp):
            if name != "ingest":
                yield f"{self._paths.tmp}/{name}"

    def _processes(self) -> Iterator[str]:
        for pid in processes(self._paths):
            with contextlib.suppress(OSError):
                for fd in os.listdir(f"/proc/{pid}/fd"):
                    with contextlib.suppress(OSError):
                        target = os.readlink(f"/proc/{pid}/fd/{fd}")
                        if target.startswith(f"{self._paths.run_root}/containers/"):
                            yield f"process {pid} holds {target}"
                            break

    def _mounts(self) -> Iterator[str]:
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            target = line.split()[4]
            if target.startswith((f"{self._paths.containers}/", f"{self._paths.run_root}/")):
                yield f"mount {target}"

    def _cgroups(self) -> Iterator[str]:
        for hierarchy in CGROUPS.iterdir():
            with contextlib.suppress(OSError):
                for name in os.listdir(hierarchy / "pydock"):
                    if name in self._ids:
                        yield f"cgroup {hierarchy.name}/{name[:12]}"

    def _links(self) -> Iterator[str]:
        ours = {f"veth{container_id[:8]}" for container_id in self._ids}
        for link in json.loads(subprocess.check_output(["ip", "-j", "link", "show"])):
            if link["ifname"][:12] in ours:
                yield f"interface {link['ifname']}"

    def _rules(self) -> Iterator[str]:
        """Published ports are elements of maps; the table itself outlives its containers on purpose."""
        table = table_name(self._paths.root)
        done = subprocess.run(["nft", "-j", "list", "table", "inet", table], capture_output=True, check=False)
        for entry in json.loads(done.stdout)["nftables"] if done.returncode == 0 else ():
            published = entry.get("map") or {}
            if published.get("name", "").startswith(("anywhere", "addressed")):
                for element in published.get("elem", ()):
                    yield f"port rule {element} of {table}"


def settled(engine: Engine) -> list[Container]:
    """What another host finds, after the shims have finished what they were at. Fails when it is not the truth."""
    from engine.engine import Engine as OtherEngine

    def disagreements() -> list[str]:
        with OtherEngine(engine.paths.root, engine.paths.run_root) as other:
            return [text for row in other.containers.list(all=True) if (text := _disagreement(engine, row))]

    wait_until("; ".join(disagreements()) or "rows to agree with the kernel", lambda: not disagreements(), 30)
    rows = engine.containers.list(all=True)
    integrity = engine.store.query("PRAGMA integrity_check")
    assert integrity == [("ok",)]
    return rows


def _disagreement(engine: Engine, row: Container) -> str:
    from engine.containers.locks import shim_alive

    lives = row.state in ("running", "paused")
    if row.state not in ("created", "exited") and not lives:
        return f"{row.name} is {row.state}"
    if shim_alive(engine.paths, row.id) != lives:
        return f"{row.name} is {row.state}, its shim is not"
    if lives != bool(row.pid) or (lives and gone(row.pid)):
        return f"{row.name} says {row.state}, its process is gone"
    if not lives and inhabited(row.id):
        return f"{row.name} says {row.state}, and processes of it live"
    return ""


def inhabited(container_id: str) -> bool:
    """Whether any process is in the container's cgroup."""
    for path in CGROUPS.glob(f"*/pydock/{container_id}/cgroup.procs"):
        with contextlib.suppress(OSError):
            if path.read_text().strip():
                return True
    return False
