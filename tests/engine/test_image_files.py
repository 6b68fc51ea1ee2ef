"""Images in and out of files: commit, save, load, import, prune; what other tools read and write; hostile archives."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.errors import CorruptContent, EngineError, ImageNotFound, InvalidRequest, NotFound
from engine.models import CreateRequest
from tests.support import other_engines
from tests.support.engine import EngineRoot
from tests.support.images import Layout, archive, digest, member

from .test_pull import Store

pytestmark = pytest.mark.root
needs_skopeo = pytest.mark.skipif(shutil.which("skopeo") is None, reason="needs skopeo")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    made = Layout(tmp_path / "layout")
    base = archive(member("etc", b"5"), member("etc/motd", data=b"base"))
    made.image("one:1", base, archive(member("etc/motd", data=b"top")), run={"Cmd": ["sh"], "User": "7"})
    made.image("two", base)
    return made.folder


def packed(folder: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(folder, ".")
    return out.getvalue()


def docker_archive(*layers: bytes, tags: object = ("x/y:1",), **lies: object) -> bytes:
    """What docker 20 saves: plain layers in folders of their own."""
    config = json.dumps(
        {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [digest(one) for one in layers]}}
    )
    manifest = [
        {"Config": "c.json", "RepoTags": tags, "Layers": [f"{n}/layer.tar" for n, _ in enumerate(layers)], **lies}
    ]
    files = [member(f"{number}/layer.tar", data=layer) for number, layer in enumerate(layers)]
    return archive(
        *files, member("c.json", data=config.encode()), member("manifest.json", data=json.dumps(manifest).encode())
    )


def load(store: Store, data: bytes) -> list[tuple[str, ...]]:
    return [image.references for image in store.images.load(io.BytesIO(data).read)]


def skopeo(*words: str) -> str:
    return subprocess.run(["skopeo", "--insecure-policy", *words], check=True, capture_output=True, text=True).stdout


def written(path: Path, pieces: Iterable[bytes]) -> Path:
    path.write_bytes(b"".join(pieces))
    return path


def test_a_container_becomes_an_image(engine: Engine, pydock: EngineRoot, image: str) -> None:
    script = "mkdir /new; echo hi > /new/file; chown 5:6 /new/file; rm /etc/passwd; rm -r /usr/share; mkdir /usr/share"
    pydock.ok("run", "--name", "source", "-e", "MINE=1", "-w", "/tmp", image, "sh", "-c", script)
    made = engine.containers.commit(
        "source",
        "made:v1",
        author="somebody",
        comment="why",
        changes=[
            'CMD ["sh", "-c", "stat -c %u:%g /new/file; ls -A /usr/share; ls /etc/passwd"]',
            "ENV A=1 B='x y'",
            "EXPOSE 80",
        ],
    )
    told = pydock.pydock("run", "--rm", "made:v1")
    assert told.stdout.split() == ["5:6"]
    assert "passwd" in told.stderr
    config = engine.images.inspect("made:v1")["Config"]
    assert {"MINE=1", "A=1", "B=x y"} <= set(config["Env"])
    assert (config["WorkingDir"], config["ExposedPorts"]) == ("/tmp", {"80/tcp": {}})
    newest = engine.images.history("made:v1")[0]
    assert (newest["Comment"], newest["Id"]) == ("why", made.id)
    assert made.layers == engine.images.get(image).layers + 1
    engine.containers.create(CreateRequest(image=image, name="idle", command=("true",)))
    assert engine.containers.commit("idle").layers == engine.images.get(image).layers
    with pytest.raises(InvalidRequest, match="not a valid change command"):
        engine.containers.commit("source", changes=["RUN true"])


def test_a_running_container_is_committed_and_goes_on(engine: Engine, pydock: EngineRoot, image: str) -> None:
    pydock.ok("run", "-d", "--name", "busy", image, "sh", "-c", "while :; do date > /now; sleep 0.01; done")
    assert engine.containers.commit("busy", "busy:1").references == ("busy:1",)
    assert engine.containers.get("busy").state == "running"


@needs_skopeo
def test_what_is_saved_is_read_by_others_and_by_us(layout: Path, store: Store, tmp_path: Path) -> None:
    load(store, packed(layout))
    store.images.tag("one:1", "example.com/team/app:2")
    saved = written(tmp_path / "saved.tar", store.images.save(["one:1", "example.com/team/app"]))
    config = store.images.get("one:1").id
    for source in ("docker-archive:{}:one:1", "docker-archive:{}:example.com/team/app:2", "oci-archive:{}:2"):
        raw = skopeo("inspect", "--config", "--raw", source.format(saved))
        assert digest(raw.encode()) == config or json.loads(raw)["config"]["User"] == "7"
    skopeo("copy", f"docker-archive:{saved}:one:1", f"oci-archive:{tmp_path}/again.tar:again:1")
    skopeo("copy", f"oci-archive:{saved}:2", f"docker-archive:{tmp_path}/docker.tar:docker:1")
    other = Store(tmp_path / "other")
    assert load(other, saved.read_bytes()) == [("one:1", "example.com/team/app:2")]
    assert other.images.get("one:1") == store.images.get("one:1")
    assert load(other, (tmp_path / "again.tar").read_bytes()) == [("again:1",)]
    assert load(other, (tmp_path / "docker.tar").read_bytes()) == [("docker:1",)]
    assert other.file("docker:1", "etc/motd").read_text() == "top"
    assert other.images.get("docker:1").id == config
    assert ("load", config) in other.events
    with pytest.raises(ImageNotFound):
        store.images.save(["none"])


def zstd(data: bytes) -> bytes:
    done = subprocess.run(["zstd", "-c"], input=data, capture_output=True, check=True)
    return done.stdout


needs_zstd = pytest.mark.skipif(shutil.which("zstd") is None, reason="needs zstd")


@pytest.mark.parametrize(
    "compress",
    [
        pytest.param(bytes, id="plain"),
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(lzma.compress, id="xz"),
        pytest.param(zstd, id="zstd", marks=needs_zstd),
    ],
)
def test_archives_of_docker_and_layouts_are_loaded(
    store: Store, layout: Path, compress: Callable[[bytes], bytes]
) -> None:
    layers = archive(member("etc/motd", data=b"base")), archive(member("etc/motd", data=b"top"))
    assert load(store, compress(docker_archive(*layers))) == [("x/y:1",)]
    assert store.file("x/y:1", "etc/motd").read_text() == "top"
    assert load(store, compress(packed(layout))) == [("one:1",), ()]
    assert store.images.get("one:1").layers == 2


def test_hostile_archives_are_refused(store: Store, layout: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    good = archive(member("file", data=b"x"))
    names = ("../../../../../outside", f"/{outside}", "a/../../../../../outside")
    refused: dict[str, bytes] = {
        "nothing": b"",
        "no tar": b"hello" * 400,
        "neither": archive(member("file", data=b"x")),
        "cut off": docker_archive(good)[:2000],
        "not JSON": archive(member("manifest.json", data=b"{")),
        "deep JSON": archive(member("manifest.json", data=b"[" * 100_000)),
        "no list": archive(member("manifest.json", data=b'{"a": 1}')),
        "a bad name": docker_archive(good, tags=["UPPER/../x"]),
        "a missing layer": docker_archive(good, Layers=["none"]),
        "too few layers": docker_archive(good, Layers=[]),
        "a missing configuration": docker_archive(good, Config="/etc/passwd"),
        "a layer of another image": docker_archive(good, archive(member("f")), Layers=["0/layer.tar", "0/layer.tar"]),
        "a layer that climbs out": docker_archive(archive(member("../../outside", data=b"x"))),
        "a layer that is none": docker_archive(b"x" * 5000),
        "a link for a configuration": archive(
            member("c.json", tarfile.SYMTYPE, linkname="/etc/passwd"),
            member("manifest.json", data=b'[{"Config": "c.json", "RepoTags": [], "Layers": []}]'),
        ),
        "links in a circle": archive(
            member("manifest.json", tarfile.SYMTYPE, linkname="b"),
            member("b", tarfile.SYMTYPE, linkname="manifest.json"),
        ),
    }
    lying = Layout(tmp_path / "lying")
    lying.image("lies", good, diff_ids=[digest(b"other")])
    refused["a layer that is not what it says"] = packed(lying.folder)
    broken = Layout(tmp_path / "broken")
    found = broken.image("broken", good)
    (broken.folder / "blobs" / str(found["digest"]).replace(":", "/")).write_bytes(b"{}")
    refused["a blob with another content"] = packed(broken.folder)
    for what, data in refused.items():
        with pytest.raises((InvalidRequest, CorruptContent)):
            load(store, data)
            pytest.fail(what)
    # names in the archive are names, and never places on disk
    files = [member(name, data=b"x") for name in names]
    assert load(store, archive(*files, *_members(docker_archive(good)))) == [("x/y:1",)]
    assert not outside.exists()
    assert store.leftovers() == []
    assert [name for name in Path(store.paths.tmp).iterdir() if name.name.startswith("load")] == []


def _members(data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = [(info, tar.extractfile(info)) for info in tar.getmembers()]
        return [(info, file.read() if file is not None else b"") for info, file in files]


def test_a_killed_load_leaves_nothing_for_long(store: Store, layout: Path) -> None:
    left = Path(store.paths.tmp) / "load-of-the-dead"
    left.mkdir()
    (left / "1").write_bytes(b"x")
    load(store, packed(layout))
    assert not left.exists()


def test_a_damaged_image_is_refused_before_the_first_byte(store: Store, layout: Path) -> None:
    load(store, packed(layout))
    manifest = json.loads(Path(store.paths.blob(store.images.get("one:1").digest)).read_bytes())
    Path(store.paths.blob(manifest["layers"][1]["digest"])).unlink()
    with pytest.raises(NotFound):
        store.images.save(["one:1"])


def test_a_file_systems_archive_becomes_an_image(store: Store) -> None:
    tree = archive(member("bin", b"5"), member("bin/tool", data=b"#!", mode=0o755))
    image = store.images.import_archive(
        io.BytesIO(gzip.compress(tree)).read, "mine:1", changes=["CMD tool", "WORKDIR /a", "VOLUME /v"], message="why"
    )
    shown = store.images.inspect("mine:1")
    assert shown["Config"] == {"Cmd": ["/bin/sh", "-c", "tool"], "WorkingDir": "/a", "Volumes": {"/v": {}}}
    assert (shown["Comment"], shown["RootFS"]["Layers"]) == ("why", [digest(tree)])
    assert store.file("mine:1", "bin/tool").stat().st_mode & 0o777 == 0o755
    assert store.images.import_archive(io.BytesIO(tree).read).id != image.id
    for bad in (b"", b"x" * 4000, archive(member("../../x", data=b"x"))):
        with pytest.raises((InvalidRequest, CorruptContent)):
            store.images.import_archive(io.BytesIO(bad).read, "bad:1")
    assert store.leftovers() == []


def test_prune_takes_what_nothing_uses(store: Store) -> None:
    for number in (1, 2, 3):
        tree = archive(member("file", data=b"x" * 1000 * number))
        store.images.import_archive(io.BytesIO(tree).read, "name:1" if number < 3 else "kept:1", changes=["LABEL a=b"])
    used = store.images.get("kept:1").id
    assert store.images.prune(in_use=lambda _: ["somebody"]).removed == ()
    pruned = store.images.prune(in_use=lambda _: [])
    assert [step.deleted for step in pruned.removed if step.deleted] != []
    assert pruned.freed == 1000
    pruned = store.images.prune(all=True, in_use=lambda image: ["one"] if image == used else [])
    assert [step.untagged for step in pruned.removed if step.untagged] == ["name:1"]
    assert [image.references for image in store.images.list()] == [("kept:1",)]


def test_a_bad_image_does_not_undo_the_good_ones_before_it(store: Store, tmp_path: Path) -> None:
    made = Layout(tmp_path / "layout")
    made.image("good:1", archive(member("file", data=b"x")))
    made.image("bad:1", archive(member("other", data=b"x")), diff_ids=[digest(b"other")])
    with pytest.raises(EngineError):
        load(store, packed(made.folder))
    assert [image.references for image in store.images.list()] == [("good:1",)]


def command_line(folder: Path) -> list[str]:
    """podman with a store of its own."""
    words = ["podman", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none"]
    return [*words, "--root", f"{folder}/lib", "--runroot", f"{folder}/run", "--tmpdir", f"{folder}/tmp"]


def exchanged(ours: Path, theirs: list[str], folder: Path, *formats: str) -> None:
    """Another engine loads what we saved, and we load what it saves of that: the same image, everywhere."""
    environment = {**os.environ, "DOCKER_CONFIG": str(folder)}
    subprocess.run([*theirs, "load", "-i", str(ours)], check=True, capture_output=True, env=environment)
    shown = [*theirs, "image", "inspect", "--format", "{{.Id}} {{.Config.User}}", "one:1"]
    told = subprocess.run(shown, check=True, capture_output=True, text=True, env=environment).stdout.split()
    first = Store(folder / "first")
    assert load(first, ours.read_bytes()) == [("one:1",)]
    assert told == [first.images.get("one:1").id.removeprefix("sha256:" if ":" not in told[0] else ""), "7"]
    for number, words in enumerate(formats):
        saved = folder / f"{number}.tar"
        command = [*theirs, "save", *words.split(), "-o", str(saved), "one:1"]
        subprocess.run(command, check=True, capture_output=True, env=environment)
        again = Store(folder / f"again{number}")
        assert load(again, saved.read_bytes()) == [("one:1",)]
        assert again.file("one:1", "etc/motd").read_text() == "top"
        assert again.images.inspect("one:1")["RootFS"] == first.images.inspect("one:1")["RootFS"]


@pytest.mark.skipif(other_engines.program("podman") is None, reason="needs podman")
def test_podman_reads_and_writes_what_we_do(layout: Path, store: Store, tmp_path: Path) -> None:
    load(store, packed(layout))
    ours = written(tmp_path / "ours.tar", store.images.save(["one:1"]))
    formats = ("--format oci-archive", "--format docker-archive")
    with other_engines.base_folder() as short:  # its sockets' names would be too long elsewhere
        exchanged(ours, command_line(short), tmp_path, *formats)


@pytest.mark.serial
@pytest.mark.skipif(other_engines.program("dockerd") is None, reason="needs dockerd")
@pytest.mark.skipif(shutil.which("docker") is None, reason="needs docker's client")
def test_docker_reads_and_writes_what_we_do(layout: Path, store: Store, tmp_path: Path) -> None:
    load(store, packed(layout))
    ours = written(tmp_path / "ours.tar", store.images.save(["one:1"]))
    with other_engines.dockerd(None) as address:
        exchanged(ours, ["docker", "--host", address], tmp_path, "")
