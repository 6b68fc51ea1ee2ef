"""Who a container runs as, read from layers that nobody vouches for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.bundle.layers import read_file
from engine.bundle.user import resolve
from engine.errors import EngineError, InvalidRequest

from .build import whiteout

PASSWD = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44:Web:/srv/www:/bin/false\n# note\nbroken\nneg:x:-1:0::/:\n"
GROUP = "root:x:0:\nwww:x:44:\ndocker:x:99:web, other\nadm:x:4:web\n"


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    (tmp_path / "base/etc").mkdir(parents=True)
    (tmp_path / "base/etc/passwd").write_text(PASSWD)
    (tmp_path / "base/etc/group").write_text(GROUP)
    return tmp_path / "base"


def upper(tmp_path: Path) -> Path:
    (tmp_path / "upper/etc").mkdir(parents=True)
    return tmp_path / "upper"


@pytest.mark.parametrize(
    ("asked", "uid", "gid", "additional", "home"),
    [
        ("", 0, 0, (), "/root"),
        ("web", 33, 44, (4, 99), "/srv/www"),
        ("33", 33, 44, (4, 99), "/srv/www"),
        ("web:adm", 33, 4, (), "/srv/www"),
        ("1000", 1000, 0, (), "/"),
        ("1000:1001", 1000, 1001, (), "/"),
        ("web:5", 33, 5, (), "/srv/www"),
    ],
)
def test_users_resolve_as_in_docker(
    layer: Path, asked: str, uid: int, gid: int, additional: tuple[int, ...], home: str
) -> None:
    user = resolve(asked, (), (str(layer),))
    assert (user.uid, user.gid, user.additional_gids, user.home) == (uid, gid, additional, home)


def test_added_groups_come_by_name_and_number(layer: Path) -> None:
    assert resolve("1000", ("docker", "7"), (str(layer),)).additional_gids == (7, 99)


@pytest.mark.parametrize("asked", ["4294967296", "-1", "+1", "2147483648", "web:4294967296", "1:"])
def test_numbers_out_of_range_never_become_root(layer: Path, asked: str) -> None:
    with pytest.raises(InvalidRequest):
        resolve(asked, (), (str(layer),))


@pytest.mark.parametrize("asked", ["nobody", "0x10", "1x", "web:nosuch", "1 "])
def test_names_that_are_not_there_are_errors(layer: Path, asked: str) -> None:
    with pytest.raises(EngineError, match="no matching entries"):
        resolve(asked, (), (str(layer),))


def test_the_topmost_file_counts(layer: Path, tmp_path: Path) -> None:
    top = upper(tmp_path)
    (top / "etc/passwd").write_text("web:x:77:78::/new:/bin/sh\n")
    assert resolve("web", (), (str(layer), str(top))).uid == 77


@pytest.mark.root
def test_a_whiteout_hides_the_file_below(layer: Path, tmp_path: Path) -> None:
    top = upper(tmp_path)
    whiteout(top / "etc/passwd")
    with pytest.raises(EngineError, match="no matching entries"):
        resolve("web", (), (str(layer), str(top)))


@pytest.mark.root
def test_an_opaque_directory_hides_what_is_below(layer: Path, tmp_path: Path) -> None:
    top = upper(tmp_path)
    try:
        os.setxattr(top / "etc", "trusted.overlay.opaque", b"y")
    except OSError:
        pytest.skip("the file system of the temporary folder takes no trusted attributes")
    assert read_file((str(layer), str(top)), "/etc/passwd") is None


def test_links_are_followed_inside_the_image_only(layer: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("web:x:0:0::/:/bin/sh\n")
    top = upper(tmp_path)
    (top / "etc/passwd").symlink_to(outside)
    assert read_file((str(layer), str(top)), "/etc/passwd") is None
    (top / "etc/passwd").unlink()
    (top / "etc/passwd").symlink_to("../../../../etc/group")
    assert read_file((str(layer), str(top)), "/etc/passwd") == GROUP.encode()


def test_a_directory_that_is_a_link_leads_into_the_image(layer: Path, tmp_path: Path) -> None:
    top = tmp_path / "upper"
    (top / "real").mkdir(parents=True)
    (top / "real/passwd").write_text("web:x:5:5::/:\n")
    (top / "etc").symlink_to("/real")
    assert resolve("web", (), (str(layer), str(top))).uid == 5


def test_link_loops_fifos_and_floods_are_no_files(layer: Path, tmp_path: Path) -> None:
    top = upper(tmp_path)
    (top / "etc/passwd").symlink_to("passwd")
    assert read_file((str(top),), "/etc/passwd") is None
    os.mkfifo(top / "etc/group")
    assert read_file((str(layer), str(top)), "/etc/group") is None
    (top / "etc/big").write_bytes(bytes(2000))
    assert read_file((str(top),), "/etc/big", limit=1000) is None
