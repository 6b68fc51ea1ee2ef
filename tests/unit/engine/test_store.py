"""The database and the event stream: one transaction, one ring, nothing missed."""

from __future__ import annotations

import os
import select
import signal
import sqlite3
import threading
from pathlib import Path

import pytest

from engine.containers import rows
from engine.errors import ContainerNotFound, EngineError, InvalidRequest, NameInUse
from engine.events import Events
from engine.models import Container, CreateRequest
from engine.paths import Paths
from engine.store import Store


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(str(tmp_path / "data"), str(tmp_path / "run"))
    paths.create()
    return paths


@pytest.fixture
def store(paths: Paths) -> Store:
    return Store(paths.database, paths.doorbells)


def _add(store: Store, name: str, container_id: str) -> Container:
    container = Container(
        id=container_id, name=name, image="alpine", image_id="sha256:0", command=("sh",), created_ns=1
    )
    with store.transaction() as tx:
        rows.insert(tx, container, CreateRequest(image="alpine"))
    return container


def test_a_listener_is_woken_and_reads_each_event_once(store: Store, paths: Paths) -> None:
    events = Events(store, paths)
    events.announce("image", "pull", "before")
    listener = events.subscribe()
    assert not select.select([listener], [], [], 0)[0]
    _add(store, "web", "a" * 64)
    assert select.select([listener], [], [], 5)[0]
    assert [(event.type, event.action, event.attributes["name"]) for event in listener.read()] == [
        ("container", "create", "web")
    ]
    assert listener.read() == []
    listener.close()
    assert os.listdir(paths.doorbells) == []


def test_a_dead_listeners_socket_is_swept(store: Store, paths: Paths) -> None:
    events = Events(store, paths)
    dead = events.subscribe()
    path = dead._doorbell.path
    dead._doorbell.socket.close()
    assert os.path.exists(path)
    events.announce("image", "pull", "x")
    assert not os.path.exists(path)


def test_a_failed_transaction_leaves_neither_row_nor_event(store: Store, paths: Paths) -> None:
    with pytest.raises(RuntimeError), store.transaction() as tx:
        tx.event("container", "create", "x")
        raise RuntimeError
    assert Events(store, paths).last_id() == 0


def test_names_are_unique_and_the_owner_is_named(store: Store) -> None:
    _add(store, "web", "a" * 64)
    with pytest.raises(NameInUse, match='"web" is already in use by container aaaaaaaaaaaa'):
        _add(store, "web", "b" * 64)
    assert [container.id for container in rows.every(store)] == ["a" * 64]


def test_containers_are_found_by_name_id_and_prefix(store: Store) -> None:
    _add(store, "web", "ab" + "0" * 62)
    _add(store, "db", "ac" + "0" * 62)
    assert rows.find(store, "web").name == "web"
    assert rows.find(store, "/db").name == "db"
    assert rows.find(store, "ac").name == "db"
    with pytest.raises(InvalidRequest, match="more than one"):
        rows.find(store, "a")
    with pytest.raises(ContainerNotFound, match="no such container: nosuch"):
        rows.find(store, "nosuch")


def test_changes_from_many_threads_are_all_kept(store: Store) -> None:
    _add(store, "web", "a" * 64)

    def add() -> None:
        for _ in range(25):
            rows.update(store, "a" * 64, lambda row: row.replace(restart_count=row.restart_count + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows.load(store, "a" * 64).restart_count == 100


def test_kill_9_in_the_middle_of_commits_loses_no_committed_row(paths: Paths) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        store = Store(paths.database)
        for number in range(100_000):
            _add(store, f"c{number}", f"{number:064x}")
            os.write(writer, b".")
        os._exit(0)
    os.close(writer)
    told = 0
    while told < 50:
        told += len(os.read(reader, 1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while chunk := os.read(reader, 4096):
        told += len(chunk)
    os.close(reader)
    store = Store(paths.database)
    assert len(rows.every(store)) >= told
    assert store.query("PRAGMA integrity_check") == [("ok",)]


def test_a_newer_schema_is_refused_with_the_cure(paths: Paths) -> None:
    Store(paths.database).query("SELECT 1")
    connection = sqlite3.connect(paths.database)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(EngineError, match="newer pydock") as caught:
        Store(paths.database).query("SELECT 1")
    assert "--root" in caught.value.hint


def test_a_damaged_file_is_told_in_one_line(paths: Paths) -> None:
    Path(paths.database).write_bytes(b"this is no database at all, " * 100)
    with pytest.raises(EngineError, match="damaged"):
        Store(paths.database).query("SELECT 1")
