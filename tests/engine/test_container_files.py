"""Files in and out of containers, running and not: archives, stat, changes and export, and hostile
containers."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.errors import EngineError, HostUnfit, InvalidRequest, NotFound, StartFailed
from engine.models import CreateRequest, Mount
from tests.support.engine import EngineRoot, wait_until

pytestmark = pytest.mark.root

SCRIPT = """
mkdir -p /made/deep && echo one > /made/deep/file && ln /made/deep/file /made/hard && ln -s deep/file /made/link
chown 7:8 /made/deep/file && chmod 4750 /made/deep/file && rm /etc/passwd && echo 127.0.0.9 mine >> /etc/group
echo kept > /data/file; touch /ready
exec sleep 1000
"""


def start(engine: Engine, image: str, name: str, script: str = SCRIPT, **request: object) -> str:
    volume = Mount(type="volume", target="/data", source=f"{name}-data")
    asked = CreateRequest(image=image, name=name, command=("sh", "-c", script), mounts=(volume,), **request)  # type: ignore[arg-type]
    engine.containers.create(asked)
    engine.containers.start(name)
    wait_until("the container is ready", lambda: exists(engine, name, "/ready"))
    return name


def exists(engine: Engine, name: str, path: str) -> bool:
    try:
        engine.containers.path_stat(name, path)
    except NotFound:
        return False
    return True


def fetch(engine: Engine, name: str, path: str) -> tarfile.TarFile:
    _, stream = engine.containers.read_archive(name, path)
    with stream:
        return opened(b"".join(stream))


def opened(data: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(data))


def archive(*members: tuple[str, bytes | str | None], owner: int = 0, mode: str = "w") -> io.BytesIO:
    """Names with content: bytes a file, text a symbolic link, None a directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:  # type: ignore[call-overload]
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.uid = entry.gid = owner
            entry.mtime = 1_600_000_000
            if content is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
            else:
                entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    out.seek(0)
    return out


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_archives_stat_and_changes(engine: Engine, image: str, running: bool) -> None:
    name = start(engine, image, "files")
    if not running:
        engine.containers.stop(name, 0)
    tar = fetch(engine, name, "/made")
    assert sorted(tar.getnames()) == ["made", "made/deep", "made/deep/file", "made/hard", "made/link"]
    file = tar.getmember("made/deep/file")
    assert (file.uid, file.gid, file.mode) == (7, 8, 0o4750)
    assert tar.getmember("made/hard").linkname == "made/deep/file"
    assert tar.getmember("made/link").linkname == "deep/file"
    assert fetch(engine, name, "/made/deep/.").getnames() == [".", "./file"]
    assert fetch(engine, name, "/data/file").getnames() == ["file"]

    link = engine.containers.path_stat(name, "/made/link")
    assert (link.is_link, link.link_target, link.go_mode >> 27) == (True, "/made/deep/file", 1)
    assert engine.containers.path_stat(name, "/made/").is_folder
    assert engine.containers.path_stat(name, "/").name == "/"
    with pytest.raises(NotFound):
        engine.containers.path_stat(name, "/made/none")
    with pytest.raises(InvalidRequest):
        engine.containers.path_stat(name, "/data/file/")

    told = {(change.kind, change.path) for change in engine.containers.changes(name)}
    assert {("A", "/made/deep/file"), ("A", "/made"), ("D", "/etc/passwd"), ("C", "/etc/group"), ("C", "/etc")} <= told
    assert {path for _, path in told if path.startswith(("/proc", "/sys", "/dev", "/etc/h", "/etc/r"))} == set()

    with engine.containers.export(name) as stream:
        names = set(opened(b"".join(stream)).getnames())
    assert {"made/deep/file", "usr/bin", "data", "proc"} <= names
    assert not {"data/file", "etc/passwd", "proc/self"} & names


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_an_archive_is_unpacked_inside(engine: Engine, image: str, running: bool, mode: str) -> None:
    name = start(engine, image, "target", user="0")
    if not running:
        engine.containers.stop(name, 0)
    given = archive(("sub", None), ("sub/file", b"text"), ("here", "sub/file"), owner=5, mode=mode)
    assert engine.containers.write_archive(name, "/data", given.read) == 4
    path = Path(engine.volumes.get("target-data").path)
    assert (path / "sub/file").read_bytes() == b"text"
    assert (path / "sub/file").stat().st_uid == 5
    assert (path / "sub").stat().st_mtime == 1_600_000_000
    assert os.readlink(path / "here") == "sub/file"
    engine.containers.write_archive(name, "/made", archive(("deep", b"x")).read)
    assert engine.containers.path_stat(name, "/made/deep").size == 1
    with pytest.raises(InvalidRequest, match="cannot overwrite non-directory deep with directory"):
        engine.containers.write_archive(name, "/made", archive(("deep", None)).read, strict=True)
    with pytest.raises(InvalidRequest, match="not a directory"):
        engine.containers.write_archive(name, "/data/file", archive(("x", b"x")).read)
    with pytest.raises(InvalidRequest, match="invalid archive"):
        engine.containers.write_archive(name, "/data", io.BytesIO(b"no tar" * 200).read)
    with pytest.raises(InvalidRequest, match="leads out"):
        engine.containers.write_archive(name, "/data", archive(("../../x", b"x")).read)


def test_a_created_container_has_files_too(engine: Engine, image: str) -> None:
    volume = Mount(type="volume", target="/etc", source="created-etc")
    engine.containers.create(CreateRequest(image=image, name="fresh", command=("cat", "/etc/mine"), mounts=(volume,)))
    engine.containers.write_archive("fresh", "/etc", archive(("mine", b"put\n")).read)
    # filled from the image as a start would have done, before the file came
    assert engine.containers.path_stat("fresh", "/etc/passwd").size > 0
    session = engine.containers.start("fresh", attach=True)
    assert session is not None
    session.close()
    engine.containers.wait("fresh")
    assert "".join(line.text for line in engine.containers.logs("fresh")) == "put\n"


def test_read_only_places_refuse(engine: Engine, image: str) -> None:
    volume = Mount(type="volume", target="/ro", source="read-only", read_only=True)
    request = CreateRequest(
        image=image,
        name="sealed",
        command=("sleep", "1000"),
        read_only=True,
        mounts=(volume, Mount(type="tmpfs", target="/tmp")),
    )
    engine.containers.create(request)
    for started in (False, True):
        if started:
            engine.containers.start("sealed")
        for path in ("/ro", "/usr"):
            with pytest.raises(InvalidRequest, match="read-only"):
                engine.containers.write_archive("sealed", path, archive(("x", b"x")).read)
    engine.containers.write_archive("sealed", "/tmp", archive(("x", b"xyz")).read)
    assert engine.containers.path_stat("sealed", "/tmp/x").size == 3


def test_everything_can_belong_to_the_containers_user(engine: Engine, image: str) -> None:
    name = start(engine, image, "owned", "chmod 777 /data; touch /ready; exec sleep 1000", user="0:33")
    engine.containers.write_archive(name, "/data", archive(("x", b"x"), owner=9).read, own=True)
    found = (Path(engine.volumes.get("owned-data").path) / "x").stat()
    assert (found.st_uid, found.st_gid) == (0, 33)


def test_links_of_the_container_end_at_its_root(engine: Engine, image: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the host")
    script = f"ln -s {tmp_path} /abs; ln -s ../../../../..{tmp_path} /rel; mkdir /x; touch /ready; exec sleep 1000"
    name = start(engine, image, "links", script)
    for link in ("/abs", "/rel"):
        with pytest.raises(NotFound):
            engine.containers.read_archive(name, f"{link}/secret")
        with pytest.raises(NotFound):
            engine.containers.write_archive(name, link, archive(("mark", b"x")).read)
    inner = archive(("out", str(tmp_path)), ("out/mark", b"x"))
    engine.containers.write_archive(name, "/x", inner.read)
    assert os.listdir(tmp_path) == ["secret"]
    assert engine.containers.path_stat(name, f"{tmp_path}/mark").size == 1  # inside the container


def test_a_link_swapped_in_meanwhile_leads_nowhere_else(engine: Engine, image: str, tmp_path: Path) -> None:
    """CVE-2018-15664: the container exchanges a directory for a link while the host writes through it."""
    (tmp_path / "secret").write_text("of the host")
    script = f"""mkdir /a /real; ln -s ../../../..{tmp_path} /link; touch /ready
while :; do mv /a /real/a; mv /link /a; mv /a /link; mv /real/a /a; done"""
    name = start(engine, image, "racer", script)
    for _ in range(150):
        try:
            engine.containers.write_archive(name, "/a", archive(("mark", b"x"), ("deep/mark", b"x")).read)
        except EngineError:
            continue
        try:
            assert "secret" not in " ".join(fetch(engine, name, "/a/.").getnames())
        except NotFound:
            continue
    assert os.listdir(tmp_path) == ["secret"]


def test_a_directory_made_anew_hides_what_the_image_had(engine: Engine, image: str) -> None:
    script = "rm -r /usr/share && mkdir /usr/share && touch /usr/share/new; rm -r /etc/ssl; touch /ready; sleep 1000"
    name = start(engine, image, "opaque", script)
    told = {(change.kind, change.path) for change in engine.containers.changes(name)}
    assert {("C", "/usr/share"), ("A", "/usr/share/new")} <= told
    assert any(kind == "D" and path.startswith("/usr/share/") for kind, path in told)


def test_nothing_is_left_of_looking(pydock: EngineRoot, engine: Engine, image: str) -> None:
    """The views' mounts are nobody else's, and go with them."""
    engine.containers.create(CreateRequest(image=image, name="looked", command=("true",)))
    _, stream = engine.containers.read_archive("looked", "/etc")
    assert not [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(pydock.root) in line]
    next(stream)
    stream.close()
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        engine.containers.path_stat("looked", "/etc/hostname")
        assert stat.S_ISDIR(engine.containers.path_stat("looked", "/etc").mode)
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 1


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_owners_of_a_container_in_a_user_namespace(engine: Engine, image: str, running: bool) -> None:
    """Outside, its root is one of the host's many nobodies; in archives everybody is who they are inside."""
    try:
        name = start(engine, image, "mapped", userns_mode="auto")
    except (HostUnfit, StartFailed) as error:
        pytest.skip(f"needs containers in user namespaces: {error.message}")
    if not running:
        engine.containers.stop(name, 0)
    file = fetch(engine, name, "/made").getmember("made/deep/file")
    assert (file.uid, file.gid) == (7, 8)
    for folder in ("/made", "/data"):
        engine.containers.write_archive(name, folder, archive(("sub", None), ("sub/put", b"x"), owner=5).read)
        assert fetch(engine, name, f"{folder}/sub/put").getmember("put").uid == 5
    with engine.containers.export(name) as stream:
        owners = {member.name: member.uid for member in opened(b"".join(stream))}
    assert (owners["made/sub/put"], owners["usr/bin"]) == (5, 0)
    engine.containers.commit(name, "unmapped:1")
    request = CreateRequest(image="unmapped:1", name="plain", command=("stat", "-c", "%u", "/made/sub/put", "/usr"))
    engine.containers.create(request)
    engine.containers.start("plain")
    engine.containers.wait("plain")
    assert "".join(line.text for line in engine.containers.logs("plain")).split() == ["5", "0"]
