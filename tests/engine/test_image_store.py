"""The image store and its surroundings: imports it may not cost, disks that are full, leftovers, power cuts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.images.remove import PullsLock
from tests.support import registry
from tests.support.images import Layout, archive, member

from .test_pull import Store

pytestmark = pytest.mark.root

HEAVY = "asyncio dataclasses httpx logging msgspec pathlib shutil subprocess tempfile typing hashlib tarfile".split()  # noqa: SIM905


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=110m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_cold_run_imports_little(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.images.toolbox()
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from engine.paths import Paths; from engine.images.images import Images;"
        "images = Images(Paths(sys.argv[2], sys.argv[3]), print);"
        "config = images.config('toolbox'); images.ensure_unpacked(config);"
        "print(images.layer_path(config.chain_ids[0])); print(*sys.modules)"
    )
    repository = str(Path(__file__).parents[2])
    output = subprocess.run(
        [sys.executable, "-SIc", program, repository, store.paths.root, store.paths.run_root],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    layer, modules = output.splitlines()
    assert os.path.isdir(layer)
    assert [name for name in HEAVY if name in modules.split()] == []


@pytest.mark.skipif(bool(registry.missing()), reason=f"needs {registry.missing()}")
@pytest.mark.registry
@pytest.mark.parametrize("size", [30 << 20, 70 << 20])
def test_a_full_disk_is_told_and_comes_back(tmp_path: Path, small_disk: Path, size: int) -> None:
    """The smaller image does not fit unpacked, the larger one not even packed."""
    layout = Layout(tmp_path / "layout")
    layout.image("big", *(archive(member(f"f{number}", data=os.urandom(size))) for number in range(2)))
    with registry.run_registry(tmp_path / "registry") as address:
        registry.push(layout.folder, "big", f"{address}/big:1")
        layout.image("ok", archive(member("f", data=b"1")))
        registry.push(layout.folder, "ok", f"{address}/ok:1")
        store = Store(small_disk)
        with pytest.raises(EngineError, match="no space left on device") as refused:
            store.images.pull(f"{address}/big:1")
        assert "remove images" in refused.value.hint
        assert store.images.list() == []
        assert [name for name in os.listdir(store.paths.layers) if name.startswith(".")] == []
        image = store.images.pull(f"{address}/ok:1")
        store.images.remove(image.id)
        assert os.listdir(f"{store.paths.oci}/blobs/sha256") == []


def test_notes_of_unsynced_layers_vanish(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.images.toolbox()
    note = Path(store.paths.layer(store.images.config("toolbox").chain_ids[0]), "boot")
    deadline = time.monotonic() + 60
    while note.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not note.exists()
    assert store.images.list() != []


def test_what_a_killed_unpacker_left_is_cleared(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.images.toolbox()
    config = store.images.config("toolbox")
    final = Path(store.paths.layer(config.chain_ids[0]))
    half = Path(store.paths.layers, f".new-{final.name}")
    os.rename(final, half)
    (half / "diff/usr/bin/bash").unlink(missing_ok=True)
    store.images.ensure_unpacked(config)
    assert final.is_dir()
    assert not half.exists()
    assert os.path.exists(final / "diff/usr/bin/sh")


def test_nothing_is_collected_while_a_pull_is_going_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.images.toolbox()
    blobs = Path(store.paths.oci, "blobs/sha256")
    with PullsLock(store.paths):
        store.images.remove("toolbox")
        assert len(list(blobs.iterdir())) == 3
    assert list(blobs.iterdir()) == []
    assert os.listdir(store.paths.layers) == []


def test_the_layer_equals_what_umoci_makes_of_it(tmp_path: Path) -> None:
    if subprocess.run(["which", "umoci"], capture_output=True, check=False).returncode:
        pytest.skip("needs umoci")
    store = Store(tmp_path / "store")
    store.images.toolbox()
    theirs = tmp_path / "theirs"
    (tmp_path / "layout").mkdir()
    layout = f"{tmp_path}/layout:box"
    source = f"oci:{store.paths.oci}:docker.io/library/toolbox:latest"
    subprocess.run(["skopeo", "--insecure-policy", "copy", "-q", source, f"oci:{layout}"], check=True)
    subprocess.run(["umoci", "unpack", "--image", layout, str(theirs)], check=True, capture_output=True)
    ours = store.images.layer_path(store.images.config("toolbox").chain_ids[0])
    facts = "find . -mindepth 1 -printf '%p %y %m %U %G %l %T@ %n\\n' | sort"
    listings = [
        subprocess.run(facts, shell=True, cwd=folder, check=True, capture_output=True, text=True).stdout
        for folder in (ours, theirs / "rootfs")
    ]
    assert listings[0] == listings[1]
    different = subprocess.run(
        ["diff", "-r", "--no-dereference", ours, theirs / "rootfs"], capture_output=True, check=False
    )
    assert different.stdout == b""
