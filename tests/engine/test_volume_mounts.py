"""What can be mounted and how: paths in volumes, images, other containers' mounts, drivers' options, owners, and
leftovers."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from engine.cli.mounts import parse_mount, parse_volume
from engine.engine import Engine
from engine.errors import EngineError, InUse, InvalidRequest, StartFailed
from engine.models import Mount
from tests.support.engine import EngineRoot, wait_until

from .test_volume_use import run, volume

pytestmark = pytest.mark.root


def mounted(pydock: EngineRoot) -> list[str]:
    """The host's mounts below the engine's volumes."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if f"{pydock.root}/volumes/" in line]


def test_a_path_inside_a_volume(engine: Engine, image: str) -> None:
    run(engine, image, "mkdir -p /v/a/b && echo deep > /v/a/b/file && ln -s a/b /v/link", mounts=(volume("/v", "sub"),))
    for subpath, shown in (("a/b", "file"), ("link", "file"), ("a", "b")):
        mount = parse_mount(f"type=volume,src=sub,dst=/in,volume-subpath={subpath}")
        _, told = run(engine, image, "ls /in; echo x > /in/new", mounts=(mount,))
        assert shown in told
    assert (Path(engine.volumes.get("sub").path) / "a/b/new").read_text() == "x\n"
    _, told = run(engine, image, "cat /one", mounts=(volume("/one", "sub", subpath="a/b/file"),))
    assert told == "deep\n"
    with pytest.raises(StartFailed, match="cannot access path 'none'"):
        run(engine, image, "true", mounts=(volume("/in", "sub", subpath="none"),))
    for bad in ("/etc", "../other", "a/../../x"):
        with pytest.raises(InvalidRequest, match="subpath"):
            run(engine, image, "true", mounts=(volume("/in", "sub", subpath=bad),))


def test_a_path_inside_a_volume_never_leads_out_of_it(engine: Engine, image: str, tmp_path: Path) -> None:
    """CVE-2017-1002101: links in the volume, standing there or swapped in while it is mounted."""
    (tmp_path / "secret").write_text("of the host")
    script = f"ln -s {tmp_path} /v/abs; ln -s ../../../../../..{tmp_path} /v/rel; mkdir /v/race"
    run(engine, image, script, mounts=(volume("/v", "links"),))
    for link in ("abs", "rel"):
        with pytest.raises(StartFailed, match="cannot access"):
            run(engine, image, "ls /in", mounts=(volume("/in", "links", subpath=link),))
    path = Path(engine.volumes.get("links").path)
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            os.rename(path / "race", path / "kept")
            os.symlink(tmp_path, path / "race")
            os.unlink(path / "race")
            os.rename(path / "kept", path / "race")

    racer = threading.Thread(target=swap)
    racer.start()
    try:
        for _ in range(12):
            try:
                _, told = run(engine, image, "ls -A /in", mounts=(volume("/in", "links", subpath="race"),))
            except StartFailed:
                continue
            assert told == ""
    finally:
        done.set()
        racer.join()


def test_an_image_is_mounted(engine: Engine, pydock: EngineRoot, image: str) -> None:
    tree = io.BytesIO()
    with tarfile.open(fileobj=tree, mode="w") as tar:
        entry = tarfile.TarInfo("data/file")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"text"))
    tree.seek(0)
    engine.images.import_archive(tree.read, "content:1")
    mount = parse_mount("type=image,source=content:1,target=/image")
    container, told = run(engine, image, "cat /image/data/file; echo mine > /image/data/new", mounts=(mount,))
    assert told == "text"
    _, told = run(engine, image, "ls /image/data; touch /image/x || true", mounts=(mount.replace(read_only=True),))
    assert told.startswith("file\n")
    assert "new" not in told
    assert "Read-only" in told
    _, told = run(
        engine, image, "ls /image", mounts=(parse_mount("type=image,src=content:1,dst=/image,image-subpath=data"),)
    )
    assert told == "file\n"
    assert engine.containers.path_stat(container.id, "/image/data/new").size == 5
    with pytest.raises(InUse, match="is used by"):
        engine.images.remove("content:1", in_use=engine.containers.in_use)
    for found in engine.containers.list(all=True):
        engine.containers.remove(found.id)
    engine.images.remove("content:1", in_use=engine.containers.in_use)
    assert mounted(pydock) == []


def test_the_mounts_of_another_container(engine: Engine, image: str, tmp_path: Path) -> None:
    bind = Mount(type="bind", target="/bind", source=str(tmp_path))
    tmpfs = Mount(type="tmpfs", target="/tmp")
    mounts = (volume("/data", "given"), bind, tmpfs)
    first, _ = run(engine, image, "echo one > /data/file", mounts=mounts)
    _, told = run(engine, image, "cat /data/file; touch /bind/x", volumes_from=(first.name,))
    assert told == "one\n"
    assert (tmp_path / "x").exists()
    second, told = run(
        engine, image, "touch /data/y || true", volumes_from=(f"{first.id[:12]}:ro",), mounts=(volume("/bind", "own"),)
    )
    assert "Read-only" in told
    assert {(mount.target, mount.source) for mount in second.mounts} == {("/data", "given"), ("/bind", "own")}
    assert set(engine.volumes.users("given")) >= {first.name, second.name}
    with pytest.raises(InvalidRequest, match="invalid mode"):
        run(engine, image, "true", volumes_from=(f"{first.name}:rx",))
    with pytest.raises(EngineError, match="no such container"):
        run(engine, image, "true", volumes_from=("nobody",))


def test_a_tmpfs_volume_is_shared_and_goes_with_its_last_user(engine: Engine, pydock: EngineRoot, image: str) -> None:
    engine.volumes.create("memory", options={"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=0700"})
    pydock.ok("run", "-d", "--name", "holder", "-v", "memory:/m", image, "sleep", "1000")
    pydock.ok("run", "--rm", "-v", "memory:/m", image, "sh", "-c", "echo shared > /m/file")
    assert pydock.ok("exec", "holder", "cat", "/m/file") == "shared"
    assert "size=1024k" in pydock.ok("exec", "holder", "grep", " /m ", "/proc/mounts")
    assert pydock.ok("volume", "inspect", "-f", "{{.Options.type}}", "memory") == "tmpfs"
    assert len(mounted(pydock)) == 1
    with pytest.raises(InUse, match="holder"):
        engine.volumes.remove("memory")
    pydock.ok("rm", "-f", "holder")
    engine.volumes.release()
    assert mounted(pydock) == []
    pydock.ok("run", "--rm", "-v", "memory:/m", image, "sh", "-c", "test ! -e /m/file")
    engine.volumes.remove("memory")
    assert mounted(pydock) == []


def test_a_bind_volume_keeps_what_it_is_bound_to(
    engine: Engine, pydock: EngineRoot, image: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    options = ["volume-opt=type=none", f"volume-opt=device={tmp_path}", '"volume-opt=o=bind,ro"']
    mount = f"type=volume,src=bound,dst=/b,{','.join(options)}"
    told = pydock.pydock("run", "--rm", "--mount", mount, image, "sh", "-c", "cat /b/file; touch /b/x")
    assert told.stdout == "kept"
    assert "Read-only" in told.stderr
    assert engine.volumes.get("bound").options["o"] == "bind,ro"
    pydock.ok("volume", "rm", "bound")
    assert (tmp_path / "file").read_text() == "kept"
    engine.volumes.create("lost", options={"type": "none", "o": "bind", "device": f"{tmp_path}/none"})
    refused = pydock.pydock("run", "--rm", "-v", "lost:/b", image, "true")
    assert refused.returncode == 125
    assert "no such file or directory" in refused.stderr


@pytest.mark.skipif(not os.path.exists("/dev/loop-control"), reason="needs loop devices")
@pytest.mark.skipif(shutil.which("mke2fs") is None, reason="needs mke2fs")
def test_a_volume_in_an_image_file(engine: Engine, pydock: EngineRoot, image: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    with disk.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", str(disk)], check=True)
    engine.volumes.create("disk", options={"type": "ext4", "o": "loop", "device": str(disk)})
    pydock.ok("run", "--rm", "-v", "disk:/d", image, "sh", "-c", "echo stays > /d/file")
    assert pydock.ok("run", "--rm", "-v", "disk:/d", image, "cat", "/d/file") == "stays"
    engine.volumes.release()
    assert mounted(pydock) == []
    wait_until("the loop device is free again", lambda: str(disk) not in backing_files())


def backing_files() -> str:
    found = []
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            found.append(path.read_text())
    return "".join(found)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"type": "nfs"}, 'missing required option: "device"'),
        ({"o": "size=1m"}, 'missing required option: "type"'),
        ({"type": "none", "o": "bind", "device": "relative"}, "absolute path"),
        ({"speed": "fast"}, 'invalid option: "speed"'),
    ],
)
def test_options_that_cannot_be(engine: Engine, options: dict[str, str], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why):
        engine.volumes.create("bad", options=options)
    assert "bad" not in {found.name for found in engine.volumes.list()}


def test_a_file_system_that_cannot_be_mounted_is_named(engine: Engine, pydock: EngineRoot, image: str) -> None:
    engine.volumes.create("far", options={"type": "nosuchfs", "device": "somewhere", "o": "a=b"})
    refused = pydock.pydock("run", "--rm", "-v", "far:/f", image, "true")
    assert "failed to mount local volume far (type=nosuchfs o=a=b device=somewhere): no such device" in refused.stderr
    assert pydock.ok("volume", "rm", "far") == "far"


def test_read_only_reaches_what_is_mounted_below(engine: Engine, image: str, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(inner)], check=True)
    try:
        script = "for f in /b/outer /b/inner/inner; do touch $f && basename $f; done 2>/dev/null; true"
        for options, writable in (
            ("ro", ""),
            ("ro,bind-recursive=writable", "inner"),
            ("bind-recursive=enabled", "outer inner"),
        ):
            mount = parse_mount(f"type=bind,src={tmp_path},dst=/b,{options}")
            _, told = run(engine, image, script, mounts=(mount,))
            assert told.split() == writable.split(), options
        mount = parse_mount(f"type=bind,src={tmp_path},dst=/b,bind-recursive=disabled")
        _, told = run(engine, image, "grep -c ' /b/inner ' /proc/mounts || true", mounts=(mount,))
        assert told == "0\n"
        _, told = run(engine, image, "touch /b/inner/2 || true", mounts=(parse_volume(f"{tmp_path}:/b:rro"),))
        assert "Read-only" in told
    finally:
        subprocess.run(["umount", str(inner)], check=True)


def test_files_show_other_owners(engine: Engine, image: str, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, 1000, 1000)
    mount = parse_mount(f"type=bind,src={shared},dst=/b,idmap=uids=1000-0-1;gids=1000-0-1")
    try:
        _, told = run(engine, image, "stat -c %u:%g /b; touch /b/made", mounts=(mount,))
    except StartFailed as error:
        if "cannot be id-mapped" in error.message:
            pytest.skip(f"the file system of {tmp_path} takes no id-mapped mounts")
        raise
    assert told == "0:0\n"
    assert (shared / "made").stat().st_uid == 1000
    with pytest.raises(InvalidRequest, match="idmap"):
        run(engine, image, "true", mounts=(parse_mount(f"type=bind,src={shared},dst=/b,idmap=uids=a"),))


def test_propagation_from_the_host(engine: Engine, pydock: EngineRoot, image: str, tmp_path: Path) -> None:
    """What the host mounts below a shared source appears inside with rslave, and not without."""
    subprocess.run(["mount", "--bind", str(tmp_path), str(tmp_path)], check=True)
    subprocess.run(["mount", "--make-shared", str(tmp_path)], check=True)
    (tmp_path / "late").mkdir()
    try:
        for name, option in (("open", ":rslave"), ("closed", "")):
            pydock.ok("run", "-d", "--name", name, "-v", f"{tmp_path}:/p{option}", image, "sleep", "1000")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(tmp_path / "late")], check=True)
        assert pydock.pydock("exec", "open", "grep", "-c", " /p/late ", "/proc/mounts").stdout.strip() == "1"
        assert pydock.pydock("exec", "closed", "grep", "-c", " /p/late ", "/proc/mounts").stdout.strip() == "0"
    finally:
        pydock.pydock("rm", "-f", "open", "closed")
        subprocess.run(["umount", "-R", "-l", str(tmp_path)], check=True)


def test_what_the_host_mounted_a_moment_ago_is_there(engine: Engine, image: str, tmp_path: Path) -> None:
    """A shim that waited ready has a mount namespace from before; the host's mounts need not be shared ones."""
    for name in ("one", "two"):
        place = tmp_path / name
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(place)], check=True)
        try:
            (place / "file").write_text(name)
            bind = Mount(type="bind", target="/b", source=str(place), read_only=True)
            _, told = run(engine, image, "cat /b/file", mounts=(bind,))
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)
        assert told == name


def test_a_volume_leaves_and_comes_back_as_tar(engine: Engine, pydock: EngineRoot, image: str, tmp_path: Path) -> None:
    script = """mkdir -m 750 /v/dir; echo a > /v/dir/file; ln /v/dir/file /v/hard; ln -s dir /v/link
        chown 5:6 /v/dir/file; chown 33:34 /v; chmod 2770 /v"""
    run(engine, image, script, mounts=(volume("/v", "from"),))
    pydock.ok("volume", "export", "-o", str(tmp_path / "v.tar"), "from")
    pydock.ok("volume", "create", "to")
    with (tmp_path / "v.tar").open("rb") as file:
        done = subprocess.run(["gzip", "-c"], stdin=file, capture_output=True, check=True).stdout
    (tmp_path / "v.tgz").write_bytes(done)
    pydock.ok("volume", "import", "to", str(tmp_path / "v.tgz"))
    source, target = (Path(engine.volumes.get(name).path) for name in ("from", "to"))
    for name in (".", "dir", "dir/file", "link", "hard"):
        one, other = (source / name).lstat(), (target / name).lstat()
        facts = [(found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns) for found in (one, other)]
        assert facts[0] == facts[1], name
    assert (target / "hard").stat().st_ino == (target / "dir/file").stat().st_ino
    hostile = io.BytesIO()
    with tarfile.open(fileobj=hostile, mode="w") as tar:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(link)
        tar.addfile(tarfile.TarInfo("out/mark"))
    hostile.seek(0)
    with pytest.raises(EngineError):
        engine.volumes.import_archive("to", hostile.read)
    assert not (tmp_path / "mark").exists()
    assert pydock.pydock("volume", "import", "to", "/etc/passwd").returncode == 1


def test_prune_and_usage(fresh_root: EngineRoot) -> None:
    pydock = fresh_root
    pydock.ok("volume", "create", "named")
    pydock.ok("volume", "create", "--label", "keep=1", "labelled")
    anonymous = [pydock.ok("volume", "create") for _ in range(2)]
    with Engine(str(pydock.root), str(pydock.run_root)) as engine:
        (Path(engine.volumes.get(anonymous[0]).path) / "file").write_bytes(b"x" * 5000)
        assert engine.volumes.usage()[anonymous[0]].size == 5000
        assert pydock.ok("volume", "ls", "-q", "-f", "label=com.docker.volume.anonymous").split() == sorted(anonymous)
        told = pydock.ok("volume", "prune", "-f")
        assert told.splitlines()[0] == "Deleted Volumes:"
        assert set(anonymous) <= set(told.splitlines())
        assert told.splitlines()[-1] == "Total reclaimed space: 5kB"
        assert pydock.ok("volume", "prune", "-a", "-f", "--filter", "label!=keep").splitlines()[1] == "named"
        assert pydock.ok("volume", "ls", "-q") == "labelled"
    assert pydock.pydock("volume", "prune", input="n\n").returncode == 1


def test_who_uses_what(pydock: EngineRoot, engine: Engine, image: str) -> None:
    pydock.ok("create", "--name", "user-a", "-v", "busy:/x", image, "true")
    pydock.ok("create", "--name", "user-b", "-v", "busy:/y:ro", image, "true")
    refused = pydock.pydock("volume", "rm", "busy")
    assert refused.returncode == 1
    assert "volume is in use - [user-a, user-b]" in refused.stderr
    assert pydock.ok("volume", "ls", "-f", "name=busy", "--format", "{{.Links}} {{.UsedBy}}") == "2 user-a, user-b"
    pydock.ok("rm", "-v", "user-a", "user-b")
    assert pydock.ok("volume", "rm", "busy") == "busy"  # named: kept by rm -v


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("src=vol,dst=/x,volume-nocopy", {"options": ("nocopy",)}),
        ("src=vol,dst=/x,volume-label=a=b,volume-label=c", {"labels": {"a": "b", "c": ""}}),
        ('src=vol,dst=/x,"volume-opt=o=a,b",volume-opt=type=nfs', {"driver_options": {"o": "a,b", "type": "nfs"}}),
        ("type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=0770", {"options": ("size=1048576", "mode=0770")}),
        ("type=bind,src=/a,dst=/x,bind-propagation=rshared,readonly", {"options": ("rshared", "must-exist")}),
        ("type=bind,src=/a,dst=/x,relabel=private,bind-create-src", {"options": ("Z",)}),
    ],
)
def test_mounts_as_typed(text: str, expected: dict[str, Any]) -> None:
    found = parse_mount(text)
    assert {key: getattr(found, key) for key in expected} == expected


def test_the_use_of_a_volume_is_told(engine: Engine, image: str) -> None:
    before = engine.events.last_id()
    container, _ = run(engine, image, "true", mounts=(volume("/told", "told-of", read_only=True),))

    def told() -> list[tuple[str, str, str]]:
        return [
            (event.action, event.attributes.get("container", ""), event.attributes.get("read/write", ""))
            for event in engine.events.since(before)
            if event.type == "volume" and event.actor == "told-of"
        ]

    wait_until("the end was told", lambda: len(told()) == 3)
    assert told() == [("create", "", ""), ("mount", container.id, "false"), ("unmount", container.id, "")]


def test_labels_and_options_survive_a_lost_database(fresh_root: EngineRoot) -> None:
    pydock = fresh_root
    options = ("-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m")
    pydock.ok("volume", "create", "--label", "a=b", *options, "kept")
    before = pydock.ok("volume", "inspect", "kept")
    for path in pydock.root.glob("pydock.db*"):
        path.unlink()
    assert pydock.ok("volume", "inspect", "kept") == before
