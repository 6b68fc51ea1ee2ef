"""Filling a new volume from the image: everything comes along, and nothing leads outside."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.volumes.copyup import copy_up

pytestmark = pytest.mark.root


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "rootfs/srv/data/sub").mkdir(parents=True)
    return tmp_path / "rootfs"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "volumes/data/_data").mkdir(parents=True)
    return tmp_path / "volumes/data/_data"


def test_a_tree_is_copied_with_all_that_belongs_to_it(rootfs: Path, volume: Path) -> None:
    source = rootfs / "srv/data"
    (source / "sub/file").write_bytes(b"content")
    os.link(source / "sub/file", source / "again")
    (source / "link").symlink_to("/etc/shadow")
    os.mkfifo(source / "fifo")
    os.mknod(source / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    with open(source / "sparse", "wb") as file:
        file.seek(64 << 20)
        file.write(b"end")
    os.chown(source / "sub/file", 33, 44)
    os.chmod(source / "sub/file", 0o6751)
    os.utime(source / "sub", ns=(10**18, 10**18 + 5))
    os.chown(source, 1000, 1001)
    os.chmod(source, 0o2770)
    try:
        os.setxattr(source / "again", "user.note", b"x")
    except OSError:
        pytest.skip("the file system of the temporary folder takes no attributes")

    assert copy_up(str(rootfs), "/srv/data", str(volume))

    found = (volume / "sub/file").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (33, 44, 0o6751)
    assert (volume / "again").stat().st_ino == found.st_ino
    assert os.readlink(volume / "link") == "/etc/shadow"
    assert stat.S_ISFIFO((volume / "fifo").lstat().st_mode)
    assert (volume / "null").stat().st_rdev == os.makedev(1, 3)
    assert (volume / "sparse").stat().st_size == (64 << 20) + 3
    assert (volume / "sparse").stat().st_blocks * 512 < 1 << 20
    assert os.getxattr(volume / "again", "user.note") == b"x"
    assert (volume / "sub").stat().st_mtime_ns == 10**18 + 5
    top = volume.stat()
    assert (top.st_uid, top.st_gid, stat.S_IMODE(top.st_mode)) == (1000, 1001, 0o2770)
    assert os.listdir(volume.parent) == ["_data"]


def test_file_capabilities_survive(rootfs: Path, volume: Path) -> None:
    source = rootfs / "srv/data/tool"
    source.write_bytes(b"#!")
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    os.setxattr(source, "security.capability", capability)
    os.chown(source, 5, 5)
    os.setxattr(source, "security.capability", capability)
    copy_up(str(rootfs), "/srv/data", str(volume))
    assert os.getxattr(volume / "tool", "security.capability") == capability


def test_a_volume_that_holds_something_is_left_alone(rootfs: Path, volume: Path) -> None:
    (rootfs / "srv/data/new").write_text("x")
    (volume / "old").write_text("x")
    assert not copy_up(str(rootfs), "/srv/data", str(volume))
    assert os.listdir(volume) == ["old"]


def test_no_directory_in_the_image_is_no_error(rootfs: Path, volume: Path) -> None:
    (rootfs / "srv/file").write_text("x")
    assert not copy_up(str(rootfs), "/nosuch", str(volume))
    assert not copy_up(str(rootfs), "/srv/file", str(volume))
    assert os.listdir(volume) == []


def test_links_in_the_image_do_not_lead_outside(rootfs: Path, volume: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("x")
    (rootfs / "evil").symlink_to(secret)
    (rootfs / "up").symlink_to("../../../../../../../../.." + str(secret))
    assert not copy_up(str(rootfs), "/evil", str(volume))
    assert not copy_up(str(rootfs), "/up", str(volume))
    (rootfs / "good").symlink_to("/srv/data")
    (rootfs / "srv/data/inside").write_text("x")
    assert copy_up(str(rootfs), "/good", str(volume))
    assert sorted(os.listdir(volume)) == ["inside", "sub"]


def test_a_volume_replaced_by_a_link_is_refused(rootfs: Path, volume: Path, tmp_path: Path) -> None:
    (rootfs / "srv/data/inside").write_text("x")
    (tmp_path / "elsewhere").mkdir()
    volume.rmdir()
    volume.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineError, match="cannot fill the volume for /srv/data"):
        copy_up(str(rootfs), "/srv/data", str(volume))
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_copy_that_was_broken_off_is_made_again(rootfs: Path, volume: Path) -> None:
    (rootfs / "srv/data/inside").write_text("x")
    (volume.parent / ".copy-up/half").mkdir(parents=True)
    assert copy_up(str(rootfs), "/srv/data", str(volume))
    assert sorted(os.listdir(volume)) == ["inside", "sub"]


def test_moving_in_that_was_broken_off_is_finished(rootfs: Path, volume: Path) -> None:
    ready = volume.parent / ".copy-up-ready"
    ready.mkdir()
    (ready / "second").write_text("2")
    (volume / "first").write_text("1")
    assert copy_up(str(rootfs), "/srv/data", str(volume))
    assert sorted(os.listdir(volume)) == ["first", "second"]
    assert os.listdir(volume.parent) == ["_data"]


def test_two_starts_at_once_copy_once(rootfs: Path, volume: Path) -> None:
    for number in range(200):
        (rootfs / f"srv/data/{number}").write_text("x")
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: copy_up(str(rootfs), "/srv/data", str(volume)), range(4)))
    assert results.count(True) == 1
    assert len(os.listdir(volume)) == 201
