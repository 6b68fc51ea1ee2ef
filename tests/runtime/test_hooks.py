"""config.md, "POSIX-platform Hooks": which, when, where, with what on their input, and what a failure does."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .bundle import Bundle

pytestmark = pytest.mark.root

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


@pytest.fixture
def log(tmp_path: Path, bundle: Bundle) -> Path:
    """A directory in which hooks leave traces, at the same path on the host and in the container."""
    directory = tmp_path / "log"
    directory.mkdir()
    bundle.mount(str(directory), "bind", str(directory), "bind")
    return directory


def hook(script: str, **more: Any) -> dict[str, Any]:
    return {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"], **more}


def test_all_kinds_run_in_order(bundle: Bundle, log: Path) -> None:
    bundle.config["hooks"] = {kind: [hook(f"echo {kind} >> {log}/order")] for kind in KINDS}
    assert bundle.run("sh", "-c", f"echo program >> {log}/order; sleep 0.5").code == 0
    assert (log / "order").read_text().split() == [*KINDS[:4], "program", "poststart", "poststop"] or (
        log / "order"
    ).read_text().split() == [*KINDS[:5], "program", "poststop"]


def test_the_state_is_on_their_input(bundle: Bundle, log: Path) -> None:
    bundle.config["annotations"] = {"k": "v"}
    bundle.config["hooks"] = {kind: [hook(f"cat > {log}/{kind}")] for kind in KINDS}
    bundle.run("true")
    for kind, status in (
        ("createRuntime", "creating"),
        ("createContainer", "creating"),
        ("startContainer", "created"),
        ("poststart", "running"),
        ("poststop", "stopped"),
    ):
        state = json.loads((log / kind).read_text())
        assert state["id"] == bundle.id
        assert state["bundle"] == str(bundle.path)
        assert state["annotations"] == {"k": "v"}
        if "RUNTIME" not in os.environ:
            assert state["status"] == status, kind
            assert state["pid"] > 0 or kind == "poststop"


def test_they_run_in_the_right_namespaces(bundle: Bundle, log: Path) -> None:
    bundle.config["hooks"] = {
        kind: [hook(f"readlink /proc/self/ns/mnt > {log}/{kind}; readlink /proc/self/ns/uts >> {log}/{kind}")]
        for kind in KINDS
    }
    bundle.run("true")
    own = [os.readlink("/proc/self/ns/mnt"), os.readlink("/proc/self/ns/uts")]
    for kind in ("prestart", "createRuntime", "poststart", "poststop"):
        assert (log / kind).read_text().split() == own
    for kind in ("createContainer", "startContainer"):
        assert (log / kind).read_text().split()[1] != own[1]


def test_their_environment_is_the_hooks_own(bundle: Bundle, log: Path) -> None:
    bundle.config["hooks"] = {"createRuntime": [{"path": "/usr/bin/env", "env": ["A=1"]}]}
    bundle.config["hooks"]["createRuntime"] = [
        {"path": "/bin/sh", "args": ["sh", "-c", f"/usr/bin/env > {log}/env"], "env": ["A=1"]}
    ]
    bundle.run("true")
    names = {line.partition("=")[0] for line in (log / "env").read_text().splitlines()}
    assert names <= {"A", "PWD", "_", "OLDPWD", "SHLVL"}


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer", "startContainer"])
def test_a_failing_hook_stops_the_creation(bundle: Bundle, log: Path, kind: str) -> None:
    bundle.config["hooks"] = {kind: [hook("echo because >&2; exit 9")]}
    result = bundle.run("touch", f"{log}/ran")
    assert result.code != 0
    assert not (log / "ran").exists()
    assert bundle.call("state", bundle.id).code != 0
    if "RUNTIME" not in os.environ:
        assert "because" in result.err
        assert kind in result.err


def test_a_failing_poststop_hook_is_a_warning(bundle: Bundle) -> None:
    bundle.config["hooks"] = {"poststop": [hook("exit 9")]}
    bundle.start_running()
    bundle.ok("delete", "--force", bundle.id)


def test_a_hook_has_a_time_limit(bundle: Bundle) -> None:
    bundle.config["hooks"] = {"createRuntime": [hook("sleep 100", timeout=1)]}
    result = bundle.run("true", timeout_s=30)
    assert result.code != 0


def test_a_missing_hook_is_an_error(bundle: Bundle) -> None:
    bundle.config["hooks"] = {"createRuntime": [{"path": "/no/such/hook"}]}
    result = bundle.run("true")
    assert result.code != 0
    assert "/no/such/hook" in result.err


def test_prestart_sees_the_network_namespace(bundle: Bundle, log: Path) -> None:
    """What engines do there: they find the container's network by the pid in the state."""
    script = f"pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/'); readlink /proc/$pid/ns/net > {log}/net"
    bundle.config["hooks"] = {"prestart": [hook(script)]}
    inside = bundle.sh("readlink /proc/self/ns/net")
    assert (log / "net").read_text() == inside
