"""Layers as real archives, good and hostile, through the confined unpacker; the file system is asked what came."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import stat
import subprocess
import tarfile
import zlib
from pathlib import Path

import pytest

from engine.errors import Cancelled, CorruptContent
from engine.images.unpack import source
from engine.images.unpack.adopt import adopt
from engine.images.unpack.remove import remove_path
from engine.images.unpack.run import Unpacked, unpack_layer
from tests.support.images import archive, digest, member

pytestmark = pytest.mark.root

FOLDER, LINK, HARD = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
CHARACTER, FIFO = tarfile.CHRTYPE, tarfile.FIFOTYPE
OPAQUE = "trusted.overlay.opaque"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "layer"
    folder.mkdir()
    return folder


def _unpack(data: bytes, target: Path) -> Unpacked:
    blob = target.parent / "blob"
    blob.write_bytes(data)
    fd = os.open(blob, os.O_RDONLY)
    try:
        return unpack_layer(fd, str(target))
    finally:
        os.close(fd)


def _outside(target: Path) -> set[str]:
    return {name for name in os.listdir(target.parent) if name not in ("layer", "blob")}


def test_files_with_owner_mode_time_and_privileges(target: Path) -> None:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    tar = archive(
        member("./", FOLDER, mode=0o700),
        member("./a", FOLDER, mode=0o2775, uid=12, gid=34),
        member("./a/setuid", data=b"x" * 3_000_000, mode=0o4711, uid=5, gid=6),
        member("./a/cap", pax_headers={"SCHILY.xattr.security.capability": capability.decode("latin-1")}),
        member("./a/note", pax_headers={"SCHILY.xattr.user.color": "blue", "mtime": "1600000000.123456789"}),
        member("./dangling", LINK, linkname="/nowhere", uid=7),
        member("./other", HARD, linkname="a/note"),
        member("./pipe", FIFO, mode=0o600),
        member("./null", CHARACTER, devmajor=1, devminor=3, mode=0o666),
    )
    unpacked = _unpack(gzip.compress(tar), target)
    assert (unpacked.diff_id, unpacked.entries, unpacked.implied) == (digest(tar), 9, ())
    assert unpacked.size == 3_000_000
    assert stat.S_IMODE(os.stat(target).st_mode) == 0o700
    folder = os.stat(target / "a")
    assert (stat.S_IMODE(folder.st_mode), folder.st_uid, folder.st_gid, folder.st_mtime) == (
        0o2775,
        12,
        34,
        1_700_000_000,
    )
    setuid = os.stat(target / "a/setuid")
    assert (stat.S_IMODE(setuid.st_mode), setuid.st_uid, setuid.st_gid) == (0o4711, 5, 6)
    note = os.stat(target / "a/note")
    assert (note.st_mtime_ns, note.st_nlink, note.st_gid) == (1_600_000_000_123_456_789, 2, 0)
    assert os.getxattr(target / "a/note", "user.color") == b"blue"
    assert os.readlink(target / "dangling") == "/nowhere"
    assert os.lstat(target / "dangling").st_uid == 7
    assert stat.S_ISFIFO(os.stat(target / "pipe").st_mode)
    assert os.stat(target / "null").st_rdev == os.makedev(1, 3)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_in_every_format(target: Path, format: int) -> None:
    folder = "f" * 90
    name = f"{folder}/{'n' * 99}" if format == tarfile.USTAR_FORMAT else f"{folder}/{'n' * 255}"
    _unpack(archive(member(folder, FOLDER), member(name, data=b"1"), format=format), target)
    assert (target / name).read_bytes() == b"1"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([member("../escape", data=b"x")], "leads outside the layer"),
        ([member("a/../../escape", data=b"x")], "leads outside the layer"),
        ([member("x" * 300, data=b"x")], "longer than 255"),
        ([member("d/" * 5000 + "x", data=b"x")], "longer than 4095"),
        ([member("h", HARD, linkname="/etc/passwd")], "not in this layer"),
        ([member("h", HARD, linkname="../blob")], "leads outside the layer"),
        ([member("up", LINK, linkname="../.."), member("h", HARD, linkname="up/blob")], "not in this layer"),
        ([member("h", HARD, linkname="h")], "hard link to itself"),
        ([member("f", data=b""), member("f/x", data=b"")], "not a directory"),
        ([member("l", LINK, linkname="nowhere"), member("l/x", data=b"")], "not a directory"),
        ([member("l", LINK, linkname="l"), member("l/x", data=b"")], "too many levels of symbolic links"),
        ([member(".wh...", data=b"")], "whiteout of no name"),
        ([member("a/.wh.", data=b"")], "whiteout of no name"),
        ([member("../.wh.x", data=b"")], "leads outside the layer"),
        ([member("odd", b"Z", data=b"")], "type Z are not supported"),
        ([member("u", uid=2**32 - 1)], "impossible owner"),
    ],
)
def test_what_a_layer_may_not_do(target: Path, members: list[tuple[tarfile.TarInfo, bytes]], message: str) -> None:
    with pytest.raises(CorruptContent, match=message):
        _unpack(archive(*members), target)
    assert _outside(target) == set()


def test_links_out_of_the_layer_end_at_its_root(target: Path) -> None:
    """As tar in a chroot: the file lands inside, wherever the link points."""
    (target.parent / "secret").mkdir()
    tar = archive(
        member("abs", LINK, linkname=str(target.parent / "secret")),
        member("up", LINK, linkname="../../../../../../etc"),
        member("etc", FOLDER),
        member("up/evil", data=b"x"),
    )
    _unpack(tar, target)
    assert (target / "etc/evil").read_bytes() == b"x"
    assert os.listdir(target.parent / "secret") == []
    assert not os.path.exists("/etc/evil")
    with pytest.raises(CorruptContent):
        _unpack(archive(member("abs", LINK, linkname="/secret"), member("abs/evil", data=b"x")), target)
    assert os.listdir(target.parent / "secret") == []


def test_a_link_replaced_by_a_directory_and_back(target: Path) -> None:
    tar = archive(
        member("etc", FOLDER),
        member("x", LINK, linkname="etc"),
        member("x", FOLDER),
        member("x/in-folder", data=b"1"),
        member("x", LINK, linkname="/etc"),
        member("x/in-etc", data=b"2"),
    )
    _unpack(tar, target)
    assert os.readlink(target / "x") == "/etc"
    assert os.listdir(target / "etc") == ["in-etc"]
    assert not os.path.exists("/etc/in-etc")


def test_the_last_of_duplicates_stays(target: Path) -> None:
    tar = archive(
        member("d", FOLDER, mode=0o700),
        member("d/keep", data=b"1"),
        member("d", FOLDER, mode=0o711),
        member("f", data=b"old", mode=0o600),
        member("f", data=b"new", mode=0o640),
        member("g", FOLDER),
        member("g/below", data=b""),
        member("g", data=b"file"),
        member("dev", CHARACTER, devmajor=1, devminor=5),
        member("dev", data=b"no device"),
    )
    _unpack(tar, target)
    assert os.listdir(target / "d") == ["keep"]
    assert stat.S_IMODE(os.stat(target / "d").st_mode) == 0o711
    assert (target / "f").read_bytes() == b"new"
    assert (target / "g").read_bytes() == b"file"
    assert (target / "dev").read_bytes() == b"no device"
    assert stat.S_ISREG(os.lstat(target / "dev").st_mode)


def _is_whiteout(path: Path) -> bool:
    status = os.lstat(path)
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def test_whiteouts_hide_only_what_is_below(target: Path) -> None:
    tar = archive(
        member(".wh.gone", data=b""),
        member("opaque", FOLDER),
        member("opaque/.wh..wh..opq", data=b""),
        member("opaque/mine", data=b"1"),
        member("kept", data=b"2"),
        member(".wh.kept", data=b""),
        member(".wh.again", data=b""),
        member("again", FOLDER),
        member("again/x", data=b"3"),
        member("fresh", FOLDER),
        member("fresh/y", data=b"4"),
        member(".wh.fresh", data=b""),
        member(".wh.deep", data=b""),
        member("deep/er/z", data=b"5"),
        member(".wh..wh.plnk", data=b""),
    )
    unpacked = _unpack(tar, target)
    assert _is_whiteout(target / "gone")
    assert os.getxattr(target / "opaque", OPAQUE) == b"y"
    assert (target / "kept").read_bytes() == b"2"
    for folder in ("again", "fresh", "deep"):
        assert os.getxattr(target / folder, OPAQUE) == b"y"
    assert (target / "deep/er/z").read_bytes() == b"5"
    assert sorted(os.listdir(target)) == ["again", "deep", "fresh", "gone", "kept", "opaque"]
    assert set(unpacked.implied) == {b"", b"deep/er"}


def test_a_layer_cannot_redirect_overlayfs(target: Path) -> None:
    """`trusted.overlay.redirect` would show another directory of the lower layers in this one's place."""
    headers = {"SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.trusted.other": "1"}
    _unpack(archive(member("d", FOLDER, pax_headers=headers)), target)
    assert os.listxattr(target / "d") == ["trusted.other"]


def test_sparse_files_are_restored(target: Path) -> None:
    inside = target.parent / "work"
    inside.mkdir()
    with (inside / "sparse").open("wb") as file:
        for offset in (0, 5 << 20, 9 << 20):
            file.seek(offset)
            file.write(b"data" * 2000)
        file.truncate(50 << 20)
    for options in (["--format=gnu"], ["--format=pax"], ["--format=pax", "--sparse-version=0.1"]):
        tar = subprocess.run(
            ["tar", "-C", str(inside), "-S", *options, "-cf", "-", "sparse"], check=True, capture_output=True
        ).stdout
        assert len(tar) < 1 << 20
        _unpack(tar, target)
        assert (target / "sparse").read_bytes() == (inside / "sparse").read_bytes()
        assert os.stat(target / "sparse").st_blocks * 512 < 1 << 20
        os.unlink(target / "sparse")


def test_a_file_larger_than_the_disk_is_refused_before_it_fills_it(target: Path) -> None:
    info, _ = member("huge")
    info.size = 1 << 50
    header = info.tobuf(tarfile.PAX_FORMAT)
    with pytest.raises(Exception, match="no space left on device"):
        _unpack(header + b"\0" * 4096, target)


@pytest.mark.parametrize("cut", [1, 100, 511, 512, 700, 1024, 5000])
def test_a_cut_archive_is_refused(target: Path, cut: int) -> None:
    tar = archive(member("a", data=b"x" * 9000))[: 512 + 9000 - cut]
    with pytest.raises(CorruptContent, match="the archive ends inside"):
        _unpack(tar, target)


@pytest.mark.parametrize(
    "data",
    [
        b"\x1f\x8b nonsense",
        gzip.compress(b"x" * 10_000)[:-6],
        b"\x28\xb5\x2f\xfd nonsense",
        b"no tar at all " * 100,
        b"\0" * 512 + b"x" * 512,
        bz2.compress(b"x"),
    ],
    ids=["gzip magic", "cut gzip", "zstd magic", "text", "zeros", "bzip2"],
)
def test_what_is_no_archive_is_refused(target: Path, data: bytes) -> None:
    with pytest.raises(CorruptContent):
        _unpack(data, target)


def test_members_after_each_other_and_bytes_after_the_end_count(target: Path) -> None:
    tar = archive(member("a", data=b"1")) + b"trailing bytes"
    packed = gzip.compress(tar[:700]) + gzip.compress(tar[700:])
    assert _unpack(packed, target).diff_id == digest(tar)


def test_zstd(target: Path) -> None:
    from backports import zstd

    tar = archive(member("a", data=os.urandom(100_000)))
    assert _unpack(zstd.compress(tar), target).diff_id == digest(tar)


@pytest.mark.parametrize("size", [0, 1, source.OUTPUT - 1, source.OUTPUT, source.OUTPUT + 1, 2 * source.OUTPUT])
def test_isal_and_zlib_inflate_alike(size: int) -> None:
    data = b"z" * size
    packed = gzip.compress(data)
    for step in (1 << 20, 4093):
        pieces = [packed[start : start + step] for start in range(0, len(packed), step)]
        fallback = source._gzip_with(lambda: zlib.decompressobj(source.GZIP_WBITS), zlib.error)
        for inflate in (source.opener(packed[:4]), fallback):
            assert b"".join(inflate(iter(pieces))) == data


def test_cancel_ends_the_unpacker(target: Path) -> None:
    blob = target.parent / "blob"
    blob.write_bytes(archive(member("a", data=b"x" * 1000)))
    fd = os.open(blob, os.O_RDONLY)
    with pytest.raises(Cancelled):
        unpack_layer(fd, str(target), cancelled=lambda: True)
    os.close(fd)


def test_two_thousand_directories_deep(target: Path) -> None:
    _unpack(archive(member("/".join("d" * 2000) + "/f", data=b"x")), target)
    remove_path(str(target))
    assert not target.exists()


def test_global_headers_and_odd_bytes_in_names(target: Path) -> None:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "x"}) as tar:
        tar.addfile(member("plain")[0])
    _unpack(output.getvalue(), target)
    gnu = io.BytesIO()
    with tarfile.open(fileobj=gnu, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as tar:
        tar.addfile(member("caf\xe9\n\x1b[31m")[0])
    _unpack(gnu.getvalue(), target)
    assert sorted(os.listdir(os.fsencode(target))) == [b"caf\xe9\n\x1b[31m", b"plain"]


def test_implied_directories_take_the_attributes_below(tmp_path: Path) -> None:
    base, middle, top = (tmp_path / name for name in ("base", "middle", "top"))
    for layer in (base, middle, top):
        (layer / "usr/share").mkdir(parents=True)
    os.chmod(base / "usr/share", 0o1751)
    os.chown(base / "usr/share", 3, 4)
    os.chmod(base, 0o711)
    os.setxattr(base / "usr", "user.k", b"v")
    adopt(str(top), (b"", b"usr", b"usr/share", b"missing"), (str(base), str(middle)))
    # The layer in the middle has these directories as well, and is nearer.
    assert stat.S_IMODE(os.stat(top / "usr/share").st_mode) == 0o755
    adopt(str(top), (b"", b"usr", b"usr/share"), (str(base),))
    share = os.stat(top / "usr/share")
    assert (stat.S_IMODE(share.st_mode), share.st_uid, share.st_gid) == (0o1751, 3, 4)
    assert stat.S_IMODE(os.stat(top).st_mode) == 0o711
    assert os.getxattr(top / "usr", "user.k") == b"v"
