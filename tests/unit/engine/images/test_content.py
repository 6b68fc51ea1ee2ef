"""The content store and its index: what is complete, what is on its way, and what many processes do at once."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

import pytest

from engine.errors import CorruptContent
from engine.images.content import ContentStore
from engine.images.index import Index, IndexEntry
from engine.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(str(tmp_path / "root"), str(tmp_path / "run"))


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _entry(reference: str, config: str) -> IndexEntry:
    return IndexEntry(
        reference=reference,
        digest=_digest(config.encode()),
        size=1,
        media_type="m",
        config=config,
        architecture="amd64",
        os="linux",
    )


def test_a_blob_is_there_only_when_whole(paths: Paths) -> None:
    store, data = ContentStore(paths), b"hello" * 100
    with store.ingest(_digest(data), len(data)) as ingest:
        ingest.write(data[:100])
        assert not store.has(_digest(data))
    with store.ingest(_digest(data), len(data)) as ingest:
        assert ingest.offset == 100
        ingest.write(data[100:])
        ingest.commit()
    assert store.read(_digest(data), 1000) == data
    assert os.listdir(paths.ingest) == []


def test_wrong_bytes_are_dropped(paths: Paths) -> None:
    store, data = ContentStore(paths), b"hello"
    with store.ingest(_digest(data), len(data)) as ingest:
        ingest.write(b"hellO")
        with pytest.raises(CorruptContent, match="is corrupt"):
            ingest.commit()
        assert ingest.offset == 0
    assert not store.has(_digest(data))


def test_more_bytes_than_announced_are_refused_at_once(paths: Paths) -> None:
    with (
        ContentStore(paths).ingest(_digest(b"abc"), 3) as ingest,
        pytest.raises(CorruptContent, match="longer than the 3 bytes announced"),
    ):
        ingest.write(b"abcd")


def test_a_second_ingest_waits_for_the_first_and_finds_the_blob(paths: Paths) -> None:
    store, data = ContentStore(paths), b"shared"
    seen: list[bool] = []

    def second() -> None:
        with ContentStore(paths).ingest(_digest(data), len(data)) as ingest:
            seen.append(ingest.complete)

    with store.ingest(_digest(data), len(data)) as ingest:
        other = threading.Thread(target=second)
        other.start()
        ingest.write(data)
        ingest.commit()
    other.join(10)
    assert seen == [True]


def test_a_stored_document_is_checked_when_it_is_read(paths: Paths) -> None:
    store = ContentStore(paths)
    digest = store.add(b"{}")
    Path(paths.blob(digest)).write_bytes(b"[]")
    with pytest.raises(CorruptContent, match=digest):
        store.read(digest, 100)


def test_a_tag_that_moves_leaves_the_old_image_nameless(paths: Paths) -> None:
    index = Index(paths)
    with index.change() as change:
        change.put(_entry("docker.io/library/a:1", "old"))
    with index.change() as change:
        change.put(_entry("docker.io/library/a:1", "new"))
    assert [(entry.reference, entry.config) for entry in index.read()] == [
        ("", "old"),
        ("docker.io/library/a:1", "new"),
    ]
    with index.change() as change:
        change.put(_entry("docker.io/library/b:1", "old"))
    assert sorted(entry.reference for entry in index.read()) == ["docker.io/library/a:1", "docker.io/library/b:1"]


def test_nothing_is_written_when_the_change_fails(paths: Paths) -> None:
    index = Index(paths)
    with pytest.raises(ZeroDivisionError), index.change() as change:
        change.put(_entry("docker.io/library/a:1", "one"))
        raise ZeroDivisionError
    assert index.read() == []


def test_many_writers_lose_no_entry(paths: Paths) -> None:
    def write(number: int) -> None:
        with Index(paths).change() as change:
            change.put(_entry(f"docker.io/library/a:{number}", f"image {number}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(Index(paths).read()) == 16


def test_the_index_is_an_oci_index(paths: Paths) -> None:
    with Index(paths).change() as change:
        change.put(_entry("docker.io/library/a:1", "image"))
    document = json.loads(Path(paths.oci, "index.json").read_text())
    assert document["schemaVersion"] == 2
    (descriptor,) = document["manifests"]
    assert descriptor["annotations"]["org.opencontainers.image.ref.name"] == "docker.io/library/a:1"
    assert descriptor["platform"] == {"architecture": "amd64", "os": "linux"}
    assert json.loads(Path(paths.oci, "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}


def test_a_damaged_index_is_named(paths: Paths) -> None:
    os.makedirs(paths.oci)
    Path(paths.oci, "index.json").write_text("{")
    with pytest.raises(CorruptContent, match=r"index\.json is not an image index"):
        Index(paths).read()
