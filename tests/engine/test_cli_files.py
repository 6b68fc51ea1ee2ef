"""cp, diff, export, commit, save, load, import, push and login as people type them."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support import registry
from tests.support.engine import EngineRoot

from .test_pull import HTPASSWD

pytestmark = pytest.mark.root

needs_registry = pytest.mark.skipif(bool(registry.missing()), reason=f"needs {registry.missing()}")

MADE = "mkdir -p /w/dir/sub /w/empty; echo f > /w/file; echo g > /w/dir/g; ln -s dir /w/ldir; ln -s file /w/lfile"


@pytest.fixture
def box(pydock: EngineRoot, image: str) -> str:
    pydock.ok("run", "-d", "--name", "box", image, "sh", "-c", f"{MADE}; touch /ready; exec sleep 1000")
    pydock.ok("exec", "box", "sh", "-c", "until test -e /ready; do sleep 0.05; done")
    return "box"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The same tree on this machine."""
    subprocess.run(["sh", "-c", MADE.replace("/w", str(tmp_path / "w"))], check=True)
    return tmp_path / "w"


def listing(pydock: EngineRoot, path: str) -> set[str]:
    return set(pydock.ok("exec", "box", "sh", "-c", f"cd {path} && find . ! -name .").split())


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("file", "/w/empty", {"/w/empty/file"}),
        ("file", "/w/empty/", {"/w/empty/file"}),
        ("file", "/w/new", {"/w/new"}),
        ("file", "/w/dir/g", {"/w/dir/g"}),
        ("dir", "/w/empty", {"/w/empty/dir", "/w/empty/dir/g", "/w/empty/dir/sub"}),
        ("dir", "/w/new", {"/w/new", "/w/new/g", "/w/new/sub"}),
        ("dir/.", "/w/empty", {"/w/empty/g", "/w/empty/sub"}),
        ("dir/.", "/w/new", {"/w/new", "/w/new/g", "/w/new/sub"}),
        ("lfile", "/w/empty", {"/w/empty/lfile"}),
        ("file", "/w/ldir", {"/w/dir/file"}),
        ("file", "/w/new/", "no such directory"),
        ("dir", "/w/file", "cannot copy a directory onto a file"),
        ("none", "/w/empty", "no such file or directory"),
        ("file", "/w/none/new", "could not find the file"),
    ],
)
def test_what_the_destination_means(
    pydock: EngineRoot, box: str, here: Path, source: str, target: str, expected: set[str] | str
) -> None:
    """In and out follow the same rules."""
    done = pydock.pydock("cp", f"{here}/{source}", f"{box}:{target}")
    if isinstance(expected, str):
        assert done.returncode == 1
        assert expected in done.stderr.lower()
    else:
        assert done.returncode == 0, done.stderr
        for path in expected:
            pydock.ok("exec", box, "stat", path)
    subprocess.run(["sh", "-c", f"rm -r {here}; {MADE.replace('/w', str(here))}"], check=True)
    done = pydock.pydock("cp", f"{box}:/w/{source}", target.replace("/w", str(here)))
    assert (done.returncode == 0) == (not isinstance(expected, str)), done.stderr
    if not isinstance(expected, str):
        assert [path for path in expected if not os.path.lexists(path.replace("/w", str(here)))] == []


def test_copying_keeps_and_follows_what_it_should(pydock: EngineRoot, box: str, here: Path) -> None:
    os.chown(here / "file", 7, 8)
    os.chmod(here / "file", 0o4640)
    pydock.ok("cp", str(here / "file"), f"{box}:/w/empty/kept")
    assert pydock.ok("exec", box, "stat", "-c", "%u:%g %a", "/w/empty/kept") == "7:8 4640"
    pydock.ok("exec", box, "chown", "9:9", "/w/dir/g")
    pydock.ok("cp", f"{box}:/w/dir/g", str(here / "plain"))
    pydock.ok("cp", "-a", f"{box}:/w/dir/g", str(here / "owned"))
    assert [(here / name).stat().st_uid for name in ("plain", "owned")] == [0, 9]
    pydock.ok("cp", "-L", f"{box}:/w/lfile", str(here / "followed"))
    pydock.ok("cp", f"{box}:/w/lfile", str(here / "link"))
    assert (here / "followed").read_text() == "f\n"
    assert os.readlink(here / "link") == "file"


def test_archives_through_pipes(pydock: EngineRoot, box: str, tmp_path: Path) -> None:
    out = pydock.popen("cp", f"{box}:/w/dir", "-")
    data, _ = out.communicate(timeout=60)
    (tmp_path / "dir.tar").write_bytes(data)
    with tarfile.open(tmp_path / "dir.tar") as tar:
        assert sorted(tar.getnames()) == ["dir", "dir/g", "dir/sub"]
    into = pydock.popen("cp", "-", f"{box}:/w/empty")
    assert into.communicate(data, timeout=60)[1] == b""
    assert listing(pydock, "/w/empty") == {"./dir", "./dir/g", "./dir/sub"}
    assert "must be a directory" in pydock.pydock("cp", "-", f"{box}:/w/file", input="").stderr


def test_a_link_in_the_container_does_not_write_elsewhere_here(pydock: EngineRoot, box: str, tmp_path: Path) -> None:
    """CVE-2019-14271's neighbours: what comes out of a container is unpacked without following its links."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    pydock.ok("exec", box, "sh", "-c", f"mkdir /w/evil; ln -s {outside} /w/evil/out")
    pydock.ok("cp", f"{box}:/w/evil/.", str(inside))
    pydock.ok("exec", box, "sh", "-c", "rm /w/evil/out; mkdir /w/evil/out; touch /w/evil/out/mark")
    pydock.ok("cp", f"{box}:/w/evil/out/.", str(inside / "deep"))
    refused = pydock.pydock("cp", f"{box}:/w/evil/.", str(inside))
    assert refused.returncode == 1
    assert "cannot overwrite" in refused.stderr
    assert list(outside.iterdir()) == []


def test_who_is_asked_for_what(pydock: EngineRoot, box: str) -> None:
    for words, why in (
        (("cp", "a:/x", "b:/y"), "copying between containers is not supported"),
        (("cp", "/x", "/y"), "must specify at least one container source"),
        (("cp", "none:/x", "/tmp"), "No such container: none"),
    ):
        refused = pydock.pydock(*words)
        assert refused.returncode == 1
        assert why in refused.stderr


def test_diff_export_commit_save_load_import(pydock: EngineRoot, box: str, image: str, tmp_path: Path) -> None:
    assert {"A /w/file", "A /ready"} <= set(pydock.ok("diff", box).splitlines())
    pydock.ok("export", "-o", str(tmp_path / "root.tar"), box)
    identifier = pydock.ok("import", "-c", "CMD cat /w/file", "-m", "why", str(tmp_path / "root.tar"), "imported:1")
    assert identifier.startswith("sha256:")
    assert pydock.ok("run", "--rm", "imported:1") == "f"
    committed = pydock.ok("commit", "-m", "words", "-c", 'CMD ["cat", "/w/dir/g"]', box, "committed:1")
    assert pydock.ok("image", "inspect", "-f", "{{.Id}} {{.Comment}}", "committed:1") == f"{committed} words"
    pydock.ok("save", "-o", str(tmp_path / "both.tar"), "imported:1", "committed:1")
    pydock.ok("rmi", "imported:1", "committed:1")
    told = pydock.ok("load", "-i", str(tmp_path / "both.tar"))
    assert told.splitlines() == ["Loaded image: imported:1", "Loaded image: committed:1"]
    assert pydock.ok("run", "--rm", "committed:1") == "g"
    pydock.ok("rmi", "imported:1", "committed:1")
    assert pydock.pydock("save", "none").returncode == 1
    assert not (tmp_path / "none.tar").exists()
    refused = pydock.pydock("load", "-i", str(tmp_path / "root.tar"))
    assert (refused.returncode, "no archive of images" in refused.stderr) == (1, True)


@needs_registry
def test_login_push_and_logout(pydock: EngineRoot, tmp_path: Path) -> None:
    config = {"DOCKER_CONFIG": str(tmp_path / "docker")}
    with registry.run_registry(tmp_path / "registry", htpasswd=HTPASSWD) as address:
        name = f"{address}/tools/box:1"
        with tarfile.open(tmp_path / "small.tar", "w") as tar:
            tar.add(__file__, "file")
        pydock.ok("import", str(tmp_path / "small.tar"), name)
        refused = pydock.pydock("push", name, environment=config)
        assert refused.returncode == 1
        assert f"pydock login {address}" in refused.stderr
        words = ("login", "-u", "ann", "--password-stdin", address)
        assert pydock.pydock(*words, input="wrong\n", environment=config).returncode == 1
        done = pydock.pydock(*words, input="secret\n", environment=config)
        assert done.stdout == "Login Succeeded\n"
        assert "secret" not in done.stderr
        kept = tmp_path / "docker" / "config.json"
        assert kept.stat().st_mode & 0o777 == 0o600
        assert list(json.loads(kept.read_text())["auths"]) == [address]
        done = pydock.pydock("login", address, environment=config)
        assert done.stdout.splitlines()[-1] == "Login Succeeded"
        told = pydock.pydock("push", name, environment=config).stdout.splitlines()
        assert told[0] == f"The push refers to repository [{address}/tools/box]"
        assert told[-1].startswith("1: digest: sha256:")
        assert ": Pushed" in "".join(told)
        assert "Layer already exists" in pydock.pydock("push", name, environment=config).stdout
        skopeo = ["skopeo", "inspect", "--tls-verify=false", "--creds", "ann:secret", f"docker://{name}"]
        found = json.loads(subprocess.run(skopeo, check=True, capture_output=True).stdout)
        assert found["Digest"] in told[-1]
        ended = pydock.pydock("logout", address, environment=config).stdout
        assert ended == f"Removing login credentials for {address}\n"
        assert json.loads(kept.read_text())["auths"] == {}
        assert pydock.pydock("logout", address, environment=config).stdout == f"Not logged in to {address}\n"
        pydock.ok("rmi", name)


@needs_registry
def test_a_credential_helper_keeps_the_account(pydock: EngineRoot, tmp_path: Path) -> None:
    folder = tmp_path / "docker"
    folder.mkdir()
    (folder / "config.json").write_text('{"credsStore": "test", "other": 1}')
    helper = tmp_path / "docker-credential-test"
    helper.write_text(f'#!/bin/sh\nread line\necho "$1 $line" >> {tmp_path}/asked\n')
    helper.chmod(0o755)
    environment = {"DOCKER_CONFIG": str(folder), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with registry.run_registry(tmp_path / "registry", htpasswd=HTPASSWD) as address:
        words = ("login", "-u", "ann", "--password-stdin", address)
        assert pydock.pydock(*words, input="secret\n", environment=environment).returncode == 0
        assert pydock.pydock("logout", address, environment=environment).returncode == 0
    stored, erased = (tmp_path / "asked").read_text().splitlines()
    assert json.loads(stored.removeprefix("store ")) == {"ServerURL": address, "Username": "ann", "Secret": "secret"}
    assert erased == f"erase {address}"
    kept = json.loads((folder / "config.json").read_text())
    assert (kept["other"], "secret" in str(kept)) == (1, False)
