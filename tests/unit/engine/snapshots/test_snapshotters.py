"""One suite for every snapshotter: what the container sees, and what stays when it is mounted again."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import ModuleType

import pytest

from engine.errors import HostUnfit
from engine.snapshots import copy, overlay, rootfs

pytestmark = pytest.mark.root

SNAPSHOTTERS = pytest.mark.parametrize("snapshotter", [overlay, copy, rootfs], ids=["overlay", "copy", "chosen"])


def _layers(folder: Path, count: int) -> tuple[str, ...]:
    layers = []
    for number in range(count):
        layer = folder / f"layer{number}" / "diff"
        layer.mkdir(parents=True)
        (layer / f"file{number}").write_text(str(number))
        (layer / "top").write_text(str(number))
        layers.append(str(layer))
    return tuple(layers)


def _bundle(folder: Path, name: str = "bundle") -> str:
    bundle = folder / name
    bundle.mkdir(parents=True)
    return str(bundle)


@SNAPSHOTTERS
def test_layers_lie_on_each_other_and_changes_stay(tmp_path: Path, snapshotter: ModuleType) -> None:
    layers, bundle = _layers(tmp_path, 3), _bundle(tmp_path)
    os.chmod(layers[2], 0o711)
    os.mknod(f"{layers[2]}/file0", stat.S_IFCHR, 0)
    root = Path(bundle, "rootfs")
    snapshotter.mount(bundle, layers)
    try:
        assert sorted(os.listdir(root)) == ["file1", "file2", "top"]
        assert (root / "top").read_text() == "2"
        assert stat.S_IMODE(os.stat(root).st_mode) == 0o711
        (root / "top").write_text("mine")
    finally:
        snapshotter.unmount(bundle)
    snapshotter.unmount(bundle)
    snapshotter.mount(bundle, layers)
    try:
        assert (root / "top").read_text() == "mine"
    finally:
        snapshotter.unmount(bundle)
    assert Path(layers[2], "top").read_text() == "2"


@SNAPSHOTTERS
def test_an_image_without_layers(tmp_path: Path, snapshotter: ModuleType) -> None:
    bundle = _bundle(tmp_path)
    snapshotter.mount(bundle, ())
    try:
        Path(bundle, "rootfs/x").write_text("1")
    finally:
        snapshotter.unmount(bundle)


@pytest.mark.parametrize("count", [128, 400])
def test_many_layers(tmp_path: Path, count: int) -> None:
    layers, bundle = _layers(tmp_path, count), _bundle(tmp_path)
    overlay.mount(bundle, layers)
    try:
        assert Path(bundle, "rootfs/top").read_text() == str(count - 1)
        assert len(os.listdir(f"{bundle}/rootfs")) == count + 1
    finally:
        overlay.unmount(bundle)


def test_by_descriptors_as_older_kernels_need(tmp_path: Path) -> None:
    layers, bundle = _layers(tmp_path, 100), _bundle(tmp_path)
    for name in ("rootfs", "upper", "work"):
        os.mkdir(f"{bundle}/{name}")
    overlay._mount_by_descriptors(bundle, bundle, layers, [])
    try:
        assert Path(bundle, "rootfs/top").read_text() == "99"
    finally:
        overlay.unmount(bundle)


@pytest.mark.parametrize("name", ["with:colon,and comma\\", "x" * 200 + "/" + "y" * 100])
def test_places_with_awkward_names(tmp_path: Path, name: str) -> None:
    layers, bundle = _layers(tmp_path / name, 2), _bundle(tmp_path / name)
    overlay.mount(bundle, layers)
    try:
        assert Path(bundle, "rootfs/top").read_text() == "1"
        Path(bundle, "rootfs/top").write_text("changed")
        assert Path(bundle, "upper/top").read_text() == "changed"
    finally:
        overlay.unmount(bundle)


def test_a_volatile_mount_can_be_mounted_again(tmp_path: Path) -> None:
    layers, bundle = _layers(tmp_path, 1), _bundle(tmp_path)
    for volatile in (True, True, False):
        overlay.mount(bundle, layers, volatile=volatile)
        overlay.unmount(bundle)


def test_a_missing_layer_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostUnfit, match="layer /nonexistent is missing"):
        rootfs.mount(_bundle(tmp_path), ("/nonexistent",))


def test_an_overlay_in_an_overlay_is_copied(tmp_path: Path) -> None:
    """As in a container whose data root is itself on overlayfs."""
    layers = _layers(tmp_path, 2)
    outer = _bundle(tmp_path, "outer")
    overlay.mount(outer, layers)
    try:
        inner = _bundle(Path(outer, "rootfs"), "inner")
        with pytest.raises(HostUnfit, match="overlayfs refuses"):
            overlay.mount(inner, layers)
        rootfs.mount(inner, layers)
        assert Path(inner, "rootfs/top").read_text() == "1"
        rootfs.unmount(inner)
    finally:
        overlay.unmount(outer)
