"""The toolbox image: made of this machine, the same each time, and good for a shell."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import ImageNotFound, InUse, InvalidRequest
from engine.snapshots import overlay

from .test_pull import Store

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("toolbox"))
    store.images.toolbox()
    return store


@pytest.fixture
def root(store: Store, tmp_path: Path) -> Iterator[Path]:
    config = store.images.config("toolbox")
    overlay.mount(str(tmp_path), tuple(store.images.layer_path(chain_id) for chain_id in config.chain_ids))
    yield tmp_path / "rootfs"
    overlay.unmount(str(tmp_path))


def _inside(root: Path, *command: str) -> str:
    env = {"PATH": "/usr/sbin:/usr/bin", "LANG": "C.UTF-8", "TERM": "xterm-256color"}
    return subprocess.run(["chroot", str(root), *command], check=True, capture_output=True, text=True, env=env).stdout


def test_it_is_made_alike(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path)
    messages: list[str] = []
    image = other.images.toolbox("box:1", on_progress=lambda step: messages.append(step.message))
    assert image.id == store.images.get("toolbox").id
    assert image.references == ("box:1",)
    missing = image.labels["io.pydock.toolbox.missing"]
    assert not missing or any(missing in message for message in messages)


@pytest.mark.parametrize(
    ("command", "output"),
    [
        (["sh", "-c", "echo hello | tr a-z A-Z"], "HELLO\n"),
        (["bash", "-c", "printf %s $BASH_VERSION | cut -c1"], None),
        (["awk", "BEGIN { print 6 * 7 }"], "42\n"),
        (["id", "-un"], "root\n"),
        (["stat", "-c", "%a", "/tmp"], "1777\n"),
        (["sh", "-c", "seq 3 | sort -r | head -1"], "3\n"),
        (["tput", "-T", "xterm-256color", "colors"], "256\n"),
        (["sh", "-c", "echo é | wc -m"], "2\n"),
        (["ls", "/proc", "/sys", "/dev"], None),
        (["ip", "-V"], None),
        (["getent", "passwd", "nobody"], None),
    ],
)
def test_its_tools_work(root: Path, command: list[str], output: str | None) -> None:
    if not (root / "usr/bin" / command[0]).exists() and not (root / "usr/sbin" / command[0]).exists():
        pytest.skip(f"this host has no {command[0]}")
    found = _inside(root, *command)
    assert output is None or found == output


def test_every_program_finds_its_libraries(root: Path) -> None:
    loader = next((path for path in (root / "usr/lib64").glob("ld-*") if path.exists()), None)
    if loader is None:
        pytest.skip("no dynamic loader below lib64 on this architecture")
    broken = []
    for program in sorted((root / "usr/bin").iterdir()):
        if program.is_file() and not program.is_symlink() and program.read_bytes()[:4] == b"\x7fELF":
            check = subprocess.run(
                ["chroot", str(root), f"/lib64/{loader.name}", "--verify", f"/usr/bin/{program.name}"],
                capture_output=True,
                check=False,
            )
            if check.returncode == 0:
                listing = _inside(root, f"/lib64/{loader.name}", "--list", f"/usr/bin/{program.name}")
                broken += [line for line in listing.splitlines() if "not found" in line]
    assert broken == []


def test_it_carries_no_privileged_files(root: Path) -> None:
    found = subprocess.run(
        ["find", str(root), "-xdev", "-perm", "/6000", "-type", "f"], capture_output=True, text=True, check=True
    )
    assert found.stdout == ""


def test_inspect_and_history_have_docker_s_shape(store: Store) -> None:
    shown = store.images.inspect("toolbox")
    assert shown["RepoTags"] == ["toolbox:latest"]
    assert (shown["Os"], shown["RootFS"]["Type"], len(shown["RootFS"]["Layers"])) == ("linux", "layers", 1)
    assert shown["Size"] > 1_000_000
    assert json.loads(json.dumps(shown)) == shown
    (step,) = store.images.history("toolbox")
    assert step["CreatedBy"] == "pydock image toolbox"


def test_names_come_and_go(store: Store) -> None:
    image = store.images.get("toolbox")
    store.images.tag("toolbox", "my.registry:5000/box:1")
    assert store.images.get(image.id[7:19]).references == ("my.registry:5000/box:1", "toolbox:latest")
    assert [step.untagged for step in store.images.remove("my.registry:5000/box:1")] == ["my.registry:5000/box:1"]
    assert store.events[-1][0] == "untag"
    with pytest.raises(ImageNotFound, match=r"no such image: my\.registry:5000/box:1"):
        store.images.get("my.registry:5000/box:1")
    with pytest.raises(InvalidRequest, match="lowercase"):
        store.images.tag("toolbox", "Box")


def test_an_image_in_use_stays(store: Store) -> None:
    image = store.images.get("toolbox")
    with pytest.raises(InUse, match=r'"toolbox" \(must force\) - its image is used by container web'):
        store.images.remove("toolbox", in_use=lambda image_id: ["web"])
    with pytest.raises(InUse, match="cannot be forced"):
        store.images.remove(image.id, force=True, in_use=lambda image_id: ["web"])
    store.images.remove("toolbox", force=True, in_use=lambda image_id: ["web"])
    assert store.images.get(image.id).references == ()
    assert os.path.isdir(store.images.layer_path(store.images.config(image.id).chain_ids[0]))
    store.images.tag(image.id, "toolbox")
    assert [item.references for item in store.images.list()] == [("toolbox:latest",)]
