"""Pulling from a real registry, on good days: platforms, digests, logins, shared layers, and who can read the store."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import CorruptContent, ImageNotFound, RegistryError, Unauthorized
from engine.images.images import Images
from engine.models import PullProgress
from engine.paths import Paths
from tests.support import registry
from tests.support.engine import wait_until
from tests.support.images import Layout, archive, member

pytestmark = [
    pytest.mark.root,
    pytest.mark.registry,
    pytest.mark.skipif(bool(registry.missing()), reason=f"needs {registry.missing()}"),
]

# bcrypt of "secret"
HTPASSWD = "ann:$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"


class Store:
    """Images of an engine's own root, with what they announced."""

    def __init__(self, folder: Path) -> None:
        self.events: list[tuple[str, str]] = []
        self.paths = Paths(str(folder / "root"), str(folder / "run"))
        self.paths.create()
        self.images = Images(self.paths, lambda action, actor, _: self.events.append((action, actor)))

    def file(self, image: str, path: str) -> Path:
        """A file as the topmost layer of the image has it."""
        return Path(self.images.layer_path(self.images.config(image).chain_ids[-1]), path)

    def leftovers(self) -> list[str]:
        hidden = [name for name in os.listdir(self.paths.layers) if name.startswith(".")]
        ingest = os.listdir(self.paths.ingest) if os.path.isdir(self.paths.ingest) else []
        return hidden + ingest


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layout")
    made = Layout(folder)
    base = archive(member("etc", b"5"), member("etc/motd", data=b"base"), member("old", data=b"1"))
    top = archive(member("etc/motd", data=b"top"), member(".wh.old"))
    made.image("one", base, top, run={"Cmd": ["sh"], "Env": ["A=b"], "ExposedPorts": {"80/tcp": {}}, "User": "7"})
    other = archive(member("etc/motd", data=b"other"))
    made.image("two", base, other)
    arm = made.image("arm", archive(member("arm")), architecture="arm64", variant="v8", list_it=False)
    amd = made.image("amd", archive(member("amd")), architecture="amd64", list_it=False)
    made.index("many", amd, arm)
    return folder


@pytest.fixture(scope="module")
def address(layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with registry.run_registry(tmp_path_factory.mktemp("registry")) as address:
        for name in ("one", "two"):
            registry.push(layout, name, f"{address}/team/{name}:1")
        registry.push(layout, "one", f"{address}/team/docker:1", fmt="v2s2")
        subprocess.run(
            [
                "skopeo",
                "copy",
                "-q",
                "--all",
                "--dest-tls-verify=false",
                f"oci:{layout}:many",
                f"docker://{address}/many:1",
            ],
            check=True,
        )
        yield address


def test_pull_gives_a_usable_image(store: Store, address: str) -> None:
    seen: list[PullProgress] = []
    name = f"{address}/team/one:1"
    image = store.images.pull(name, on_progress=seen.append)
    assert image.references == (name,)
    assert image.repo_digests[0].startswith(f"{address}/team/one@sha256:")
    assert image.created_ns == 1_714_979_289_500_000_000
    config = store.images.config(name)
    assert (config.command, config.env, config.user, config.exposed_ports) == (("sh",), ("A=b",), "7", ("80/tcp",))
    assert store.file(name, "etc/motd").read_text() == "top"
    assert store.events == [("pull", name)]
    assert [step.status for step in seen if step.layer][-1] == "done"
    assert {step.layer for step in seen if step.layer} == set(_layer_names(store, name))
    assert store.leftovers() == []
    assert [step["CreatedBy"] for step in store.images.history(name)] == ["step 1", "step 0"]


def _manifest(store: Store, name: str) -> dict[str, list[dict[str, str]]]:
    document: dict[str, list[dict[str, str]]] = json.loads(
        Path(store.paths.blob(store.images.get(name).digest)).read_text()
    )
    return document


def _layer_names(store: Store, name: str) -> list[str]:
    manifest = json.loads(Path(store.paths.blob(store.images.get(name).digest)).read_text())
    return [layer["digest"][7:19] for layer in manifest["layers"]]


@pytest.mark.parametrize("repository", ["team/one", "team/docker"])
def test_skopeo_reads_what_was_pulled(store: Store, address: str, repository: str) -> None:
    name = f"{address}/{repository}:1"
    image = store.images.pull(name)
    shown = subprocess.run(
        ["skopeo", "inspect", f"oci:{store.paths.oci}:{name}"], check=True, capture_output=True, text=True
    ).stdout
    assert json.loads(shown)["Digest"] == image.digest
    assert len(json.loads(shown)["Layers"]) == 2


def test_pull_by_digest_and_by_platform(store: Store, address: str) -> None:
    arm = store.images.pull(f"{address}/many:1", platform="linux/arm64")
    assert arm.architecture == "arm64"
    assert store.file(arm.id, "arm").exists()
    digest = arm.repo_digests[0].partition("@")[2]
    here = store.images.pull(f"{address}/many@{digest}", platform="linux/amd64")
    assert (here.architecture, here.references) == ("amd64", ())
    assert store.images.get(f"{address}/many@{digest}").id == here.id
    with pytest.raises(ImageNotFound, match=r"no matching manifest for linux/s390x") as refused:
        store.images.pull(f"{address}/many:1", platform="linux/s390x")
    assert refused.value.hint == "It exists for linux/amd64, linux/arm64/v8."


def test_what_is_not_there_is_told_as_docker_does(store: Store, address: str) -> None:
    with pytest.raises(ImageNotFound, match=r"manifest for .*team/one:nope not found: manifest unknown"):
        store.images.pull(f"{address}/team/one:nope")
    assert store.images.list() == []


def test_an_unreachable_registry_is_one_line_with_a_cure(store: Store) -> None:
    with pytest.raises(RegistryError, match=r"cannot reach 127\.0\.0\.1:1: connection refused") as refused:
        store.images.pull("127.0.0.1:1/x")
    assert "pydock image toolbox" in refused.value.hint


def test_shared_layers_are_fetched_and_kept_once(store: Store, address: str) -> None:
    one, two = f"{address}/team/one:1", f"{address}/team/two:1"
    store.images.pull(one)
    seen: list[PullProgress] = []
    store.images.pull(two, on_progress=seen.append)
    first = store.images.config(two).chain_ids[0]
    assert [step.status for step in seen if step.layer == _manifest(store, two)["layers"][0]["digest"][7:19]] == [
        "exists"
    ]
    removed = store.images.remove(one)
    assert [step.untagged for step in removed[:1]] == [one]
    assert removed[-1].deleted.startswith("sha256:")
    assert os.listdir(store.paths.layers).count(first.removeprefix("sha256:")) == 1
    assert store.file(two, "etc/motd").read_text() == "other"
    store.images.remove(two)
    assert os.listdir(store.paths.layers) == []
    assert os.listdir(f"{store.paths.oci}/blobs/sha256") == []


def test_layers_are_made_again_from_their_blobs(store: Store, address: str) -> None:
    name = f"{address}/team/one:1"
    store.images.pull(name)
    config = store.images.config(name)
    for chain_id in config.chain_ids:
        subprocess.run(["rm", "-r", store.paths.layer(chain_id)], check=True)
    store.images.ensure_unpacked(config)
    assert store.file(name, "etc/motd").read_text() == "top"


def test_a_layer_of_an_earlier_boot_that_was_never_synced_is_made_again(store: Store, address: str) -> None:
    name = f"{address}/team/one:1"
    store.images.pull(name)
    config = store.images.config(name)
    note = Path(store.paths.layer(config.chain_ids[-1]), "boot")
    wait_until("the layer synced, so that nobody takes the note away", lambda: not note.exists())
    note.write_text("another boot")
    store.file(name, "etc/motd").write_text("")
    store.images.ensure_unpacked(config)
    assert store.file(name, "etc/motd").read_text() == "top"


def test_a_login_is_asked_for_used_and_never_shown(
    layout: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with registry.run_registry(tmp_path / "registry", htpasswd=HTPASSWD) as address:
        registry.push(layout, "one", f"{address}/private:1", user="ann:secret")
        with pytest.raises(Unauthorized, match=f"no basic auth credentials for {address}") as refused:
            store.images.pull(f"{address}/private:1")
        assert f"pydock login {address}" in refused.value.hint
        registry.docker_config(tmp_path / "docker", address, "ann", "wrong")
        with pytest.raises(Unauthorized) as refused:
            store.images.pull(f"{address}/private:1")
        assert "wrong" not in refused.value.message
        registry.docker_config(tmp_path / "docker", address, "ann", "secret")
        assert store.images.pull(f"{address}/private:1").layers == 2
    kept = subprocess.run(["grep", "-r", "secret", str(tmp_path / "store")], capture_output=True, check=False)
    assert kept.stdout == b""


def test_many_pulls_at_once_fetch_each_blob_once(store: Store, address: str) -> None:
    errors: list[BaseException] = []

    def pull(name: str) -> None:
        try:
            Images(store.paths, lambda *_: None).pull(name)
        except BaseException as error:
            errors.append(error)

    with registry.Proxy(address, lambda request, number: None) as proxy:
        names = [f"{proxy.address}/team/{name}:1" for name in ("one", "two")] * 3
        threads = [threading.Thread(target=pull, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        fetched = [request.path.rpartition("/")[2] for request in proxy.blobs()]
    assert errors == []
    assert len(fetched) == len(set(fetched))
    assert len(store.images.list()) == 2
    assert store.leftovers() == []


def test_an_image_whose_content_is_not_what_it_says(store: Store, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "lying")
    layout.image("lie", archive(member("a")), diff_ids=[f"sha256:{'0' * 64}"])
    with registry.run_registry(tmp_path / "registry") as address:
        registry.push(layout.folder, "lie", f"{address}/lie:1")
        with pytest.raises(CorruptContent, match=r"its content is sha256:.*, the image says sha256:000"):
            store.images.pull(f"{address}/lie:1")
    assert store.images.list() == []
    assert [name for name in os.listdir(store.paths.layers) if not name.startswith(".")] == []


def test_merged_view_equals_umoci_s(store: Store, layout: Path, address: str, tmp_path: Path) -> None:
    if not any(Path(folder, "umoci").exists() for folder in os.environ["PATH"].split(":")):
        pytest.skip("needs umoci")
    from engine.snapshots import copy, overlay

    name = f"{address}/team/one:1"
    store.images.pull(name)
    theirs = tmp_path / "theirs"
    subprocess.run(["umoci", "unpack", "--image", f"{layout}:one", str(theirs)], check=True, capture_output=True)
    lower = tuple(store.images.layer_path(chain_id) for chain_id in store.images.config(name).chain_ids)
    for snapshotter in (overlay, copy):
        bundle = tmp_path / snapshotter.__name__
        bundle.mkdir()
        snapshotter.mount(str(bundle), lower)
        try:
            assert _listing(bundle / "rootfs") == _listing(theirs / "rootfs")
        finally:
            snapshotter.unmount(str(bundle))


def _listing(root: Path) -> str:
    command = (
        f"cd {root} && find . -mindepth 1 -printf '%p %y %m %U %G %l %T@\\n' | sort; find . -type f | sort | xargs cat"
    )
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout
