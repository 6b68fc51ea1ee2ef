"""Archives as others read them, and what others wrote: names, owners, times, attributes, holes, links."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import EngineError, InvalidRequest
from engine.tars import header
from engine.tars.extract import Extraction
from engine.tars.read import open_archive
from engine.tars.tree import FOLDER, TreeWriter, gathered

pytestmark = pytest.mark.root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Everything that is awkward in an archive."""
    root = tmp_path / "tree"
    (root / "a" / ("n" * 200) / ("deep" * 30)).mkdir(parents=True)
    (root / "a" / ("n" * 200) / ("deep" * 30) / "file").write_bytes(b"deep")
    (root / "ünï").write_bytes(b"text" * 1000)
    Path(os.fsdecode(os.fsencode(root) + b"/\xff\xfe not utf-8")).write_bytes(b"x")
    (root / "empty").touch()
    os.link(root / "empty", root / "zz-hard")
    (root / "link").symlink_to("/nowhere/" + "t" * 150)
    os.mkfifo(root / "fifo", 0o620)
    os.mknod(root / "device", stat.S_IFCHR | 0o640, os.makedev(1, 3))
    with open(root / "sparse", "wb") as file:
        file.truncate(3 << 20)
        file.seek(2 << 20)
        file.write(b"data")
    os.chown(root / "empty", 3_000_000, 4_000_000)
    os.chmod(root / "empty", 0o6755)
    os.utime(root / "ünï", ns=(10**18, 10**18 + 123_456_789))
    os.utime(root / "sparse", ns=(-5 * 10**9, -5 * 10**9))
    os.utime(root / "a", ns=(10**18, 10**18))
    return root


def pieces(root: Path, *, precise: bool) -> Iterator[bytes]:
    writer = TreeWriter(precise=precise)
    fd = os.open(root, FOLDER)
    yield from writer.entry(fd, b".", b".")
    yield from writer.below(fd, b".")
    yield header.END


def unpack(data: bytes, target: Path) -> None:
    fd = os.open(target, FOLDER)
    try:
        Extraction(fd, inside=False, with_root=True).run(open_archive(io.BytesIO(data).read))
    finally:
        os.close(fd)


def facts(root: Path, *, seconds: bool) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted([root, *root.rglob("*")]):
        status = path.lstat()
        time = status.st_mtime_ns // (10**9 if seconds else 1)
        if seconds and time < 0:
            time = 0
        what: object = status.st_size if stat.S_ISREG(status.st_mode) else status.st_rdev
        if path.is_symlink():
            what = os.readlink(path)
        if path.is_file() and not path.is_symlink():
            what = path.read_bytes()
        name = os.fsencode(path.relative_to(root)).decode(errors="backslashreplace")
        found[name] = (
            status.st_mode,
            status.st_uid,
            status.st_gid,
            time,
            what,
            status.st_nlink if path.is_file() else 0,
        )
    return found


def test_what_is_written_comes_back_the_same(tree: Path, tmp_path: Path) -> None:
    target = tmp_path / "back"
    target.mkdir()
    data = b"".join(gathered(pieces(tree, precise=True)))
    unpack(data, target)
    before, after = facts(tree, seconds=False), facts(target, seconds=False)
    assert after.pop("sparse")[4] == before.pop("sparse")[4]  # a time before the epoch is not kept
    assert after == before


def test_gnu_tar_and_python_read_it(tree: Path, tmp_path: Path) -> None:
    data = b"".join(pieces(tree, precise=False))
    target = tmp_path / "gnu"
    target.mkdir()
    subprocess.run(["tar", "-xp", "--numeric-owner", "-C", str(target)], input=data, check=True, capture_output=True)
    before, after = facts(tree, seconds=True), facts(target, seconds=True)
    assert after == before
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert tar.getmember("./empty").uid == 3_000_000
        assert tar.getmember("./zz-hard").linkname == "./empty"


def test_an_archive_of_gnu_tar_with_holes_is_read(tree: Path, tmp_path: Path) -> None:
    made = subprocess.run(
        ["tar", "-cS", "--format=gnu", "-C", str(tree), "sparse", "a", "link"], check=True, capture_output=True
    )
    target = tmp_path / "target"
    target.mkdir()
    unpack(made.stdout, target)
    assert (target / "sparse").read_bytes() == (tree / "sparse").read_bytes()
    assert (target / "sparse").stat().st_blocks * 512 < 1 << 20


def test_a_size_that_changes_meanwhile_does_not_spoil_the_archive(tmp_path: Path) -> None:
    root = tmp_path / "moving"
    root.mkdir()
    for name in ("a", "b"):
        (root / name).write_bytes(b"x" * (3 << 20))
    parts: list[bytes] = []
    for piece in pieces(root, precise=False):
        if len(parts) == 3:  # the header of `a` and its beginning are out
            os.truncate(root / "a", 1 << 20)
            with open(root / "b", "ab") as file:
                file.write(b"y" * 1000)
        parts.append(piece)
    with tarfile.open(fileobj=io.BytesIO(b"".join(parts))) as tar:
        assert {member.name: member.size for member in tar if member.isfile()} == {
            "./a": 3 << 20,
            "./b": (3 << 20) + 1000,
        }


@pytest.mark.parametrize(
    ("name", "link"),
    [("../out", ""), ("a/../../out", ""), ("dir/out", "escape"), ("hard", "../../out"), ("/abs/../../out", "")],
)
def test_nothing_is_written_outside(tmp_path: Path, name: str, link: str) -> None:
    target = tmp_path / "target"
    target.mkdir()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        if link == "escape":
            entry = tarfile.TarInfo("dir")
            entry.type, entry.linkname = tarfile.SYMTYPE, str(tmp_path)
            tar.addfile(entry)
        entry = tarfile.TarInfo(name)
        if link and link != "escape":
            entry.type, entry.linkname = tarfile.LNKTYPE, link
        tar.addfile(entry)
    with pytest.raises((InvalidRequest, EngineError)):
        unpack(out.getvalue(), target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target"]


def test_attributes_of_files_come_along_but_not_those_of_overlays(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (source / "file").write_bytes(b"x")
    try:
        os.setxattr(source / "file", "user.note", b"\0binary\n")
        os.setxattr(source / "file", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
        os.setxattr(source, "trusted.overlay.opaque", b"y")
    except OSError:
        pytest.skip("the file system of the temporary folder takes no attributes")
    data = b"".join(pieces(source, precise=False))
    unpack(data, target)
    assert os.getxattr(target / "file", "user.note") == b"\0binary\n"
    assert os.getxattr(target / "file", "security.capability") == os.getxattr(source / "file", "security.capability")
    assert b"overlay" not in data
