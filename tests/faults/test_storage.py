"""A full disk under the data root, and a database that is locked, cut off, damaged, lost or from the future."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import store as store_module
from engine.containers.locks import shim_alive
from engine.engine import Engine
from engine.errors import Conflict, DiskFull, EngineError
from engine.models import CreateRequest, ExecRequest, Mount, PortMapping
from engine.store import Store
from tests.faults.machine import Leaks, gone, shim_of
from tests.support.engine import EngineRoot, wait_until

pytestmark = pytest.mark.root

ROOM = 12 << 20


class SmallDisk:
    """A data root with an image on a file system of its own, which can be filled to the last byte."""

    def __init__(self, root: EngineRoot) -> None:
        self.root = root
        self._ballast = root.root / "ballast"

    def fill(self) -> None:
        """Leave no room for a single page."""
        with open(self._ballast, "ab", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError:
                    pass

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def disk(toolbox_root: EngineRoot) -> Iterator[SmallDisk]:
    root = EngineRoot()
    size = sum(path.lstat().st_blocks * 512 for path in toolbox_root.root.glob("oci/**/*"))
    size += sum(path.lstat().st_blocks * 512 for path in toolbox_root.root.glob("layers/**/*"))
    root.root.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size * 5 // 4 + ROOM},mode=711", "tmpfs", str(root.root)], check=True
    )
    try:
        for folder in ("oci", "layers"):
            subprocess.run(["cp", "-a", str(toolbox_root.root / folder), str(root.root)], check=True)
        yield SmallDisk(root)
        root.remove_containers()
    finally:
        for pid, _line in root._processes():
            os.kill(pid, signal.SIGKILL)
        subprocess.run(["umount", "-l", str(root.root)], check=True)
        root.close()


@pytest.fixture
def small(disk: SmallDisk) -> Iterator[Engine]:
    with Engine(str(disk.root.root), str(disk.root.run_root)) as engine:
        yield engine


def _run(engine: Engine, image: str, script: str, **more: object) -> str:
    request = CreateRequest(image=image, command=("sh", "-c", script), **more)  # type: ignore[arg-type]
    made = engine.containers.create(request).id
    engine.containers.start(made)
    return made


def test_a_container_goes_on_when_its_log_has_no_room_and_what_was_lost_is_counted(
    disk: SmallDisk, small: Engine, image: str
) -> None:
    script = "echo first; read go; i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; echo last; read go"
    name = _run(small, image, script, name="chatty", open_stdin=True, network="none")
    wait_until("its first line", lambda: list(small.containers.logs(name)))
    disk.fill()
    with small.containers.attach(name) as session:
        session.send(b"\n")
        seen = b""
        while b"last" not in seen:
            assert session.wait_readable(30), seen[-100:]
            seen += b"".join(frame.data for frame in session.read_available())
        assert b"line 1999\n" in seen, "nothing is lost but for the log"
        disk.free()
        session.send(b"\n")
        assert [frame.code for frame in session.frames() if frame.kind == "exit"] == [0]
    text = "".join(line.text for line in small.containers.logs(name))
    assert text.startswith("first\n")


def test_an_end_without_room_for_its_record_is_not_forgotten(disk: SmallDisk, small: Engine, image: str) -> None:
    name = _run(small, image, "read go; exit 43", name="ending", open_stdin=True, network="none")
    shim = shim_of(small.containers.get(name))
    disk.fill()
    with small.containers.attach(name) as session:
        session.send(b"\n")
        assert [frame.code for frame in session.frames() if frame.kind == "exit"] == [43]
    wait_until("the end of the shim", lambda: gone(shim), 30)
    disk.free()
    with Engine(str(disk.root.root), str(disk.root.run_root)) as other:
        ended = other.containers.get(name)
        assert (ended.state, ended.exit_code) == ("exited", 43)


def test_no_room_is_said_in_one_line_and_nothing_is_half_made(disk: SmallDisk, small: Engine, image: str) -> None:
    _run(small, image, "exec sleep 1000", name="old", network="none")
    disk.fill()
    for words in (["run", "-d", "--name", "new", "toolbox", "true"], ["create", "toolbox", "true"]):
        done = disk.root.pydock(*words)
        assert done.returncode == 125, done.stdout
        assert "no space left" in done.stderr.lower()
        assert "Traceback" not in done.stderr
    assert disk.root.ok("ps", "--format", "{{.Names}}") == "old"
    with small.containers.exec("old", ExecRequest(command=("echo", "alive"))) as session:
        assert b"alive" in b"".join(frame.data for frame in session.frames())
    disk.free()
    assert disk.root.ok("run", "--rm", "--network", "none", "toolbox", "echo", "again") == "again"
    assert [row.name for row in small.containers.list(all=True)] == ["old"]
    wait_until("nothing half made", lambda: len(os.listdir(small.paths.containers)) == 1)


def test_what_filled_the_disk_can_be_removed(disk: SmallDisk, small: Engine, image: str) -> None:
    name = _run(small, image, "cat /dev/zero >/big 2>/dev/null; exec sleep 1000", name="greedy", network="none")
    disk.fill()
    assert disk.root.pydock("rm", "-f", "greedy").returncode == 0
    disk.free()
    assert small.containers.list(all=True) == []
    assert not os.path.exists(small.paths.container(name))


def test_a_locked_database_is_waited_for_and_then_said_to_be_busy(
    engine: Engine, image: str, leaks: Leaks, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = _run(engine, image, "exec sleep 1000", name="held", network="none")
    locker = sqlite3.connect(engine.paths.database, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    assert engine.containers.get("held").id == name, "readers never wait"
    monkeypatch.setattr(store_module, "BUSY_TIMEOUT_S", 0.2)
    with Engine(engine.paths.root, engine.paths.run_root) as other, pytest.raises(Conflict, match="busy"):
        other.containers.create(CreateRequest(image=image, name="more", command=("true",)))
    locker.execute("ROLLBACK")
    locker.close()
    assert [row.name for row in engine.containers.list(all=True)] == ["held"]


def test_a_cut_off_write_ahead_log_loses_the_last_changes_at_most(engine: Engine, image: str, leaks: Leaks) -> None:
    """Every length of the log is a database that opens and is sound."""
    _run(engine, image, "exec sleep 1000", name="before", network="none")
    folder = Path(engine.paths.root, "tmp", "ingest", "copies")
    folder.mkdir(parents=True)
    try:
        # by another process: closing the file here would give SQLite's locks on it back, all of them (fcntl(2))
        subprocess.run(["cp", engine.paths.database, f"{engine.paths.database}-wal", str(folder)], check=True)
        database = (folder / "pydock.db").read_bytes()
        log = (folder / "pydock.db-wal").read_bytes()
        for length in range(0, len(log) + 1, max(1, len(log) // 25)):
            (folder / "pydock.db").write_bytes(database)
            (folder / "pydock.db-wal").write_bytes(log[:length])
            (folder / "pydock.db-shm").unlink(missing_ok=True)
            store = Store(str(folder / "pydock.db"))
            assert store.query("PRAGMA integrity_check") == [("ok",)]
            with store.transaction() as tx:
                tx.event("container", "tried", "x")
            store.close()
    finally:
        shutil.rmtree(folder)


def test_a_damaged_database_is_refused_and_made_again_from_the_disk_when_moved_aside(
    engine: Engine, image: str, leaks: Leaks
) -> None:
    running = _run(
        engine, image, "exec sleep 1000", name="running", ports=(PortMapping(container_port=80),),
        mounts=(Mount(type="volume", target="/data", source="precious"),), labels={"kept": "yes"},
    )  # fmt: skip
    ended = _run(engine, image, "exit 9", name="ended", network="none")
    engine.containers.wait(ended)
    wait_until("its shim to be gone", lambda: not shim_alive(engine.paths, ended))
    new = engine.containers.create(CreateRequest(image=image, name="new", command=("true",))).id
    before, bridge = engine.containers.get(running), engine.networks.get("bridge")
    database = Path(engine.paths.database)
    engine.store.query("PRAGMA wal_checkpoint(TRUNCATE)")
    aside = database.with_suffix(".aside")
    engine.store.close()
    try:
        whole = database.read_bytes()
        database.write_bytes(b"\0" * 4096 + whole[4096:])
        with pytest.raises(EngineError, match="damaged") as caught:
            Engine(engine.paths.root, engine.paths.run_root)
        assert "aside" in caught.value.hint
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(f"{database}{suffix}"):
                os.rename(f"{database}{suffix}", f"{aside}{suffix}")
        with Engine(engine.paths.root, engine.paths.run_root) as other:
            found = {row.name: row for row in other.containers.list(all=True)}
            assert {name: row.id for name, row in found.items()} == {"running": running, "ended": ended, "new": new}
            assert found["running"].state == "running"
            assert found["running"].pid == before.pid
            assert found["running"].labels == {"kept": "yes"} | dict(before.labels)
            assert found["running"].endpoints == before.endpoints
            assert (found["ended"].state, found["ended"].exit_code) == ("exited", 9)
            assert found["new"].state == "created"
            assert "precious" in [volume.name for volume in other.volumes.list()]
            assert other.networks.get("bridge") == bridge.replace(created_ns=other.networks.get("bridge").created_ns)
            other.containers.stop("running", 0)
            other.containers.start("running")
            assert other.containers.get("running").state == "running"
            for name in found:
                other.containers.remove(name, force=True)
    finally:
        engine.store = Store(engine.paths.database, engine.paths.doorbells)
        engine.containers._store = engine.networks._store = engine.volumes._store = engine.store
        engine.events._store = engine.store
        for path in Path(engine.paths.root).glob("pydock.aside*"):
            path.unlink()


def test_one_damaged_row_hides_no_other_and_can_be_removed(
    pydock: EngineRoot, engine: Engine, image: str, leaks: Leaks
) -> None:
    _run(engine, image, "exec sleep 1000", name="sound", network="none")
    broken = _run(engine, image, "exec sleep 1000", name="broken", network="none")
    pid = engine.containers.get(broken).pid
    with engine.store.transaction() as tx:
        tx.execute("UPDATE containers SET document = json_remove(document, '$.command') WHERE id = ?", (broken,))
    listed = dict(line.split() for line in pydock.ok("ps", "-a", "--format", "{{.Names}} {{.State}}").splitlines())
    assert listed == {"sound": "running", "broken": "dead"}
    assert "damaged" in pydock.ok("inspect", "-f", "{{.State.Error}}", "broken")
    pydock.ok("rm", "-f", "broken")
    wait_until("its process to be gone", lambda: gone(pid))
    assert pydock.ok("ps", "-a", "--format", "{{.Names}}") == "sound"


def test_a_database_of_a_newer_pydock_is_left_alone(engine: Engine, image: str, leaks: Leaks) -> None:
    _run(engine, image, "exec sleep 1000", name="mine", network="none")
    engine.store.query("PRAGMA user_version=99")
    before = sorted(os.listdir(engine.paths.containers))
    try:
        with pytest.raises(EngineError, match="newer pydock"):
            Engine(engine.paths.root, engine.paths.run_root)
        assert sorted(os.listdir(engine.paths.containers)) == before
        assert shim_alive(engine.paths, before[0])
    finally:
        engine.store.query(f"PRAGMA user_version={store_module.SCHEMA_VERSION}")


WRITER = """
import sys
from engine.store import Store
store = Store(sys.argv[1])
number = 0
while True:
    with store.transaction() as tx:
        tx.event("container", "written", str(number))
        tx.event("container", "written", str(number))
    print(number, flush=True)
    number += 1
"""


def test_kill_9_while_writing_leaves_whole_transactions(tmp_path: Path) -> None:
    path = str(tmp_path / "pydock.db")
    Store(path).close()
    for round_number in range(10):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        told = int(writer.stdout.readline())
        time.sleep(0.003 * round_number)
        writer.kill()
        told = max([told, *map(int, writer.stdout.read().split("\n")[:-1])])
        writer.wait()
        store = Store(path)
        assert store.query("PRAGMA integrity_check") == [("ok",)]
        counts = dict(store.query("SELECT actor, count(*) FROM events GROUP BY actor"))
        assert all(counts[str(number)] >= 2 for number in range(told + 1)), "what was told is there"
        assert all(count % 2 == 0 for count in counts.values()), "and nothing by half"
        with store.transaction() as tx:
            tx.execute("DELETE FROM events")
        store.close()


def test_disk_full_has_an_exception_of_its_own(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "pydock.db"))
    store.query("SELECT 1 FROM events")
    store._connection().execute("PRAGMA max_page_count=20")
    with pytest.raises(DiskFull, match="no space left"), store.transaction() as tx:
        for number in range(5000):
            tx.event("container", "x" * 200, str(number))
    with store.transaction() as tx:
        tx.event("container", "after", "all")
    assert [row[0] for row in store.query("SELECT action FROM events")] == ["after"]
    store.close()
