"""Volumes and binds of real containers through the engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from engine.engine import Engine
from engine.errors import InUse, VolumeNotFound
from engine.models import Container, CreateRequest, Mount

pytestmark = pytest.mark.root


def run(engine: Engine, image: str, line: str, **options: Any) -> tuple[Container, str]:
    """Run a shell line to its end; the container, and what it printed."""
    container = engine.containers.create(CreateRequest(image=image, command=("sh", "-c", line), **options))
    engine.containers.start(container.id)
    code = engine.containers.wait(container.id)
    told = "".join(entry.text for entry in engine.containers.logs(container.id))
    assert code == 0, told
    return container, told


def volume(target: str, source: str = "", **options: Any) -> Mount:
    return Mount(type="volume", target=target, source=source, **options)


def test_a_volume_outlives_its_containers(engine: Engine, image: str) -> None:
    first, _ = run(engine, image, "echo kept > /data/file", mounts=(volume("/data", "outlives"),))
    engine.containers.remove(first.id, volumes=True)
    _, told = run(engine, image, "cat /data/file", mounts=(volume("/data", "outlives", read_only=True),))
    assert told == "kept\n"
    with pytest.raises(InUse):
        engine.volumes.remove("outlives")
    for container in engine.containers.list(all=True):
        engine.containers.remove(container.id)
    engine.volumes.remove("outlives")
    with pytest.raises(VolumeNotFound):
        engine.volumes.get("outlives")


def test_a_new_volume_is_filled_from_the_image(engine: Engine, image: str) -> None:
    container, told = run(engine, image, "ls /etc | sort", mounts=(volume("/etc", "filled"),))
    assert "passwd" in told.split()
    path = Path(engine.volumes.get("filled").path)
    assert (path / "passwd").read_text().startswith("root:")
    (path / "mine").write_text("x")
    engine.containers.remove(container.id)
    _, told = run(engine, image, "ls /etc/mine", mounts=(volume("/etc", "filled"),))
    assert told == "/etc/mine\n"


def test_nocopy_leaves_the_volume_empty(engine: Engine, image: str) -> None:
    run(engine, image, "true", mounts=(volume("/usr/share", "bare", options=("nocopy",)),))
    assert os.listdir(engine.volumes.get("bare").path) == []


def test_anonymous_volumes_go_with_their_container_when_asked(engine: Engine, image: str) -> None:
    before = {found.name for found in engine.volumes.list()}
    container, _ = run(engine, image, "echo x > /data/x", mounts=(volume("/data"),))
    (name,) = {found.name for found in engine.volumes.list()} - before
    assert engine.volumes.get(name).anonymous
    assert engine.containers.get(container.id).mounts[0].source == name
    engine.containers.remove(container.id, volumes=True)
    assert {found.name for found in engine.volumes.list()} == before


def test_a_bind_shows_the_hosts_folder(engine: Engine, image: str, tmp_path: Path) -> None:
    made = tmp_path / "new" / "folder"
    bind = Mount(type="bind", target="/in", source=str(made))
    run(engine, image, "echo out > /in/file", mounts=(bind,))
    assert (made / "file").read_text() == "out\n"
    _, told = run(
        engine, image, "cat /in/file; touch /in/x 2>/dev/null || echo refused", mounts=(bind.replace(read_only=True),)
    )
    assert told == "out\nrefused\n"


def test_a_tmpfs_has_its_size_and_is_gone_after(engine: Engine, image: str) -> None:
    _, told = run(
        engine,
        image,
        "grep ' /scratch ' /proc/mounts; stat -c %a /scratch",
        mounts=(Mount(type="tmpfs", target="/scratch", options=("size=1m",)),),
    )
    assert "size=1024k" in told
    assert "noexec" in told
    assert told.endswith("1777\n")
