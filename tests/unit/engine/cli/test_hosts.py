"""Which engine a command speaks to, and the contexts that name them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.cli import context_store
from engine.cli.context import Context
from engine.cli.hosts import Asked, find_target
from engine.cli.main import main
from engine.errors import EngineError, HostUnfit
from engine.paths import Paths

VARIABLES = ("PYDOCK_HOST", "PYDOCK_CONTEXT", "DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*VARIABLES, "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def target(run_root: str = "/run/pydock", **asked: str) -> str | None:
    options = Asked()
    for name, value in asked.items():
        options.take(name, value)
    found = find_target(options, run_root)
    return found.text if found else None


def docker_context(home: Path, name: str, host: str) -> None:
    folder = home / ".docker/contexts/meta" / ("ab" * 32)
    folder.mkdir(parents=True)
    data = {"Name": name, "Metadata": {"Description": "theirs"}, "Endpoints": {"docker": {"Host": host}}}
    (folder / "meta.json").write_text(json.dumps(data), encoding="utf-8")
    tls = home / ".docker/contexts/tls" / ("ab" * 32) / "docker"
    tls.mkdir(parents=True)
    (tls / "ca.pem").write_text("", encoding="utf-8")


def test_without_anything_it_is_the_engine_of_this_machine() -> None:
    assert target() is None


def test_what_is_nearer_wins(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("used", "named", "variable"):
        assert main(["context", "create", name, "--docker", f"host=tcp://{name}"]) == 0
    assert main(["context", "use", "used"]) == 0
    assert target() == "tcp://used"
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker-host")
    assert target() == "tcp://docker-host"
    monkeypatch.setenv("PYDOCK_CONTEXT", "variable")
    assert target() == "tcp://variable"
    monkeypatch.setenv("PYDOCK_HOST", "tcp://pydock-host")
    assert target() == "tcp://pydock-host"
    assert target(context="named") == "tcp://named"
    assert target(context="default") is None
    assert target(host="tcp://asked", context="named") == "tcp://asked"


def test_docker_host_at_our_own_socket_is_this_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/own/pydock.sock")
    expected = None if os.geteuid() == 0 else "unix:///run/own/pydock.sock"
    assert target("/run/own") == expected
    assert target("/run/other") == "unix:///run/own/pydock.sock"


def test_tls_as_docker_takes_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "ca.pem").write_text("", encoding="utf-8")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(home))
    monkeypatch.setenv("DOCKER_HOST", "tcp://lab")
    found = find_target(None, "/run/pydock")
    assert found is not None
    assert found.port == 2376
    assert found.tls is not None
    assert (found.tls.ca, found.tls.certificate, found.tls.verify) == (str(home / "ca.pem"), "", True)


def test_contexts_are_made_used_and_removed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["context", "create", "lab", "--docker", "host=unix:///run/lab.sock", "--description", "d"]) == 0
    assert main(["context", "create", "lab", "--docker", "host=unix:///x"]) == 1
    assert "already exists" in capsys.readouterr().err
    assert main(["context", "use", "lab"]) == 0
    assert main(["context", "show"]) == 0
    assert capsys.readouterr().out.split() == ["lab", "lab"]
    assert main(["context", "ls"]) == 0
    assert "lab *" in capsys.readouterr().out
    assert main(["context", "rm", "lab"]) == 1
    assert "in use" in capsys.readouterr().err
    assert main(["context", "inspect", "lab", "-f", "{{.Endpoints.docker.Host}}"]) == 0
    assert capsys.readouterr().out == "unix:///run/lab.sock\n"
    assert main(["context", "rm", "-f", "lab"]) == 0
    assert context_store.current() == "default"


def test_the_file_is_for_its_owner_alone(capsys: pytest.CaptureFixture[str]) -> None:
    main(["context", "create", "lab", "--docker", "host=tcp://lab"])
    assert Path(context_store.path()).stat().st_mode & 0o777 == 0o600


def test_dockers_contexts_are_seen_used_and_left_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    docker_context(home, "theirs", "tcp://lab:2376")
    assert main(["context", "ls", "-q"]) == 0
    assert capsys.readouterr().out.split() == ["default", "theirs"]
    found = find_target(None, "/run/pydock")
    assert found is None
    assert target(context="theirs") == "tcp://lab:2376"
    assert main(["context", "rm", "theirs"]) == 1
    assert "docker" in capsys.readouterr().err


def test_a_mistyped_context_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    main(["context", "create", "production", "--docker", "host=tcp://p"])
    with pytest.raises(EngineError) as refused:
        target(context="prodcution")
    assert refused.value.hint == "Did you mean production?"


@pytest.mark.parametrize(
    "words",
    [
        ["context", "create", "x1"],
        ["context", "create", "x1", "--docker", "hots=tcp://x"],
        ["context", "create", "x1", "--docker", "host=ssh://x"],
        ["context", "create", "bad name", "--docker", "host=tcp://x"],
        ["context", "create", "default", "--docker", "host=tcp://x"],
        ["context", "rm", "default"],
    ],
)
def test_contexts_nobody_could_use_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1
    assert capsys.readouterr().err.startswith("pydock: ")


def test_a_person_without_rights_is_told_what_would_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No socket: sudo, or how there would be one. A closed socket: its group. An open one: it is used."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    paths = Paths(str(tmp_path / "lib"), str(tmp_path / "run"))
    with pytest.raises(HostUnfit) as refused:
        _ = Context(paths.root, paths.run_root).engine
    assert f"{paths.run_root}/pydock.sock is used, without sudo" in refused.value.hint
    (tmp_path / "run").mkdir()
    socket_path = tmp_path / "run/pydock.sock"
    socket_path.write_text("", encoding="utf-8")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(HostUnfit) as refused:
        _ = Context(paths.root, paths.run_root).engine
    assert "join the group" in refused.value.hint
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    remote = Context(paths.root, paths.run_root).remote
    assert remote is not None
    assert remote.target.text == f"unix://{socket_path}"


def test_a_context_travels_as_dockers_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / f"{name}.pem").write_text(f"the {name}", encoding="utf-8")
    files = ",".join(f"{name}={tmp_path}/{name}.pem" for name in ("ca", "cert", "key"))
    assert main(["context", "create", "lab", "--docker", f"host=tcp://lab:2376,{files}"]) == 0
    assert main(["context", "export", "lab", f"{tmp_path}/lab.tar"]) == 0
    assert main(["context", "import", "copy", f"{tmp_path}/lab.tar"]) == 0
    copy = context_store.find("copy")
    assert (copy.host, copy.tls, copy.verify) == ("tcp://lab:2376", True, True)
    assert Path(copy.key).read_text(encoding="utf-8") == "the key"
    assert Path(copy.key).stat().st_mode & 0o777 == 0o600
    (tmp_path / "no.tar").write_text("no archive", encoding="utf-8")
    assert main(["context", "import", "other", f"{tmp_path}/no.tar"]) == 1
    assert "is no exported context" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("docker") is None, reason="needs the docker client")
def test_dockers_client_reads_what_we_export(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["context", "create", "lab", "--docker", "host=tcp://lab:2375", "--description", "the lab"]) == 0
    assert main(["context", "export", "lab", f"{home}/lab.tar"]) == 0
    run = ["docker", "context"]
    done = subprocess.run([*run, "import", "theirs", f"{home}/lab.tar"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert main(["context", "inspect", "theirs", "-f", "{{.Endpoints.docker.Host}} {{.Metadata.Description}}"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "tcp://lab:2375 the lab"
