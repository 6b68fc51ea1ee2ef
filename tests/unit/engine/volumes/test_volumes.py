"""Volumes as rows and directories."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.errors import InUse, InvalidRequest, VolumeNotFound
from engine.models import Container, Mount
from engine.paths import Paths
from engine.store import Store
from engine.volumes.volumes import Volumes

if TYPE_CHECKING:
    from collections.abc import Iterator


class Bench:
    def __init__(self, base: Path) -> None:
        self.paths = Paths(str(base / "root"), str(base / "run"))
        self.paths.create()
        self.store = Store(self.paths.database)
        self.volumes = Volumes(self.store, self.paths)

    def container(self, name: str, volume: str) -> None:
        row = Container(
            id=os.urandom(32).hex(),
            name=name,
            image="x",
            image_id="x",
            command=("sh",),
            created_ns=1,
            state="exited",
            mounts=(Mount(type="volume", target="/data", source=volume),),
        )
        with self.store.transaction() as tx:
            tx.execute(
                "INSERT INTO containers (id, document, request) VALUES (?, ?, '{}')",
                (row.id, json.dumps(row.to_json())),
            )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


def test_create_list_inspect_remove(bench: Bench) -> None:
    made = bench.volumes.create("data", {"tier": "db"})
    assert made.path == bench.paths.volume("data")
    assert os.path.isdir(made.path)
    assert bench.volumes.list() == [made]
    shown = bench.volumes.inspect("data")
    assert (shown["Name"], shown["Mountpoint"], shown["Labels"]) == ("data", made.path, {"tier": "db"})
    Path(made.path, "file").write_text("x")
    bench.volumes.remove("data")
    assert bench.volumes.list() == []
    assert not os.path.exists(made.path)
    assert os.listdir(bench.paths.tmp) == []


def test_creating_twice_keeps_the_first(bench: Bench) -> None:
    made = bench.volumes.create("data", {"a": "1"})
    Path(made.path, "file").write_text("kept")
    assert bench.volumes.create("data", {"a": "2"}) == made
    assert Path(made.path, "file").read_text() == "kept"


def test_many_at_once_make_one(bench: Bench) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: bench.volumes.create("data").created_ns, range(16)))
    assert len(found) == 1


def test_an_anonymous_volume_has_a_random_name(bench: Bench) -> None:
    made = bench.volumes.create()
    assert made.anonymous
    assert len(made.name) == 64
    assert bench.volumes.inspect(made.name)["Labels"] == {"com.docker.volume.anonymous": ""}


def test_a_volume_in_use_names_its_users(bench: Bench) -> None:
    bench.volumes.create("data")
    bench.volumes.create("data2")
    for name in ("web", "db"):
        bench.container(name, "data")
    with pytest.raises(InUse, match=r"remove data: volume is in use - \[db, web\]"):
        bench.volumes.remove("data")
    assert bench.volumes.users("data") == ("db", "web")
    bench.volumes.remove("data2")


def test_unknown_and_unsafe_names(bench: Bench) -> None:
    for operation in (bench.volumes.get, bench.volumes.remove):
        with pytest.raises(VolumeNotFound, match="no such volume: nosuch"):
            operation("nosuch")
    for name in ("../x", "a/b", ".x", "-"):
        with pytest.raises(InvalidRequest, match="invalid volume name"):
            bench.volumes.create(name)


def test_events_are_told(bench: Bench) -> None:
    bench.volumes.create("data")
    bench.volumes.create("data")
    bench.volumes.remove("data")
    assert bench.store.query("SELECT action, actor FROM events") == [("create", "data"), ("destroy", "data")]
