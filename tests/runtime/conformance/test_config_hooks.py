"""config.md: hooks, where and when they run, and what they get."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .spec import create, hook, must, refused, shared_directory

if TYPE_CHECKING:
    from tests.runtime.bundle import Bundle

pytestmark = pytest.mark.root

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
OF_THE_RUNTIME = ("prestart", "createRuntime", "poststart", "poststop")
OF_THE_CONTAINER = ("createContainer", "startContainer")


@must("config.md#posix-platform-hooks", "a hook's path is absolute")
@pytest.mark.parametrize("kind", KINDS)
def test_a_relative_path_is_refused(bundle: Bundle, kind: str) -> None:
    bundle.config["hooks"] = {kind: [{"path": "sh"}]}
    refused(bundle, f"hooks.{kind}[0].path")


@must("config.md#posix-platform-hooks", "a timeout is greater than zero")
@pytest.mark.parametrize("timeout", [0, -1])
def test_a_timeout_above_zero(bundle: Bundle, timeout: int) -> None:
    bundle.config["hooks"] = {"createRuntime": [hook("true", timeout=timeout)]}
    refused(bundle, "hooks.createRuntime[0].timeout")


@must("config.md#posix-platform-hooks", "a hook that takes longer than its timeout is aborted")
def test_a_timeout_aborts(bundle: Bundle, tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/pid; exec sleep 1000"
    # long enough for a shell to start on a busy machine
    bundle.config["hooks"] = {"createRuntime": [hook(script, timeout=4)]}
    assert create(bundle).code != 0
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


@must("config.md#posix-platform-hooks", "args and env are those of the hook, and no others")
def test_args_and_env(bundle: Bundle, tmp_path: Path) -> None:
    one = hook(f"echo $0 $1 > {tmp_path}/args; env > {tmp_path}/env")
    one["args"] += ["zero", "one"]
    one["env"] = ["PATH=/usr/bin:/bin", "KEY=value"]
    bundle.config["hooks"] = {"createRuntime": [one]}
    bundle.create("true")
    assert (tmp_path / "args").read_text().split() == ["zero", "one"]
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names <= {"PATH", "KEY", "PWD", "SHLVL", "_"}
    assert "KEY" in names


@must("config.md#posix-platform-hooks", "the hooks of a kind run in the order of the list")
@pytest.mark.parametrize("kind", KINDS)
def test_hooks_run_in_their_order(bundle: Bundle, tmp_path: Path, kind: str) -> None:
    directory = shared_directory(bundle, tmp_path)
    bundle.config["hooks"] = {kind: [hook(f"echo {number} >> {directory}/order") for number in range(3)]}
    assert bundle.run("true").code == 0
    assert (directory / "order").read_text().split() == ["0", "1", "2"]


@must("config.md#posix-platform-hooks", "the state is on the standard input of every hook")
@pytest.mark.parametrize("kind", KINDS)
def test_the_state_is_on_the_input(bundle: Bundle, tmp_path: Path, kind: str) -> None:
    directory = shared_directory(bundle, tmp_path)
    bundle.config["annotations"] = {"key": "value"}
    bundle.config["hooks"] = {kind: [hook(f"cat > {directory}/state.json")]}
    bundle.run("true")
    state = json.loads((directory / "state.json").read_text())
    assert (state["id"], state["annotations"]) == (bundle.id, {"key": "value"})
    assert os.path.samefile(state["bundle"], bundle.path)


@must("config.md#posix-platform-hooks", "the state says what the moment of the hook is")
@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("prestart", "creating"),
        ("createRuntime", "creating"),
        ("createContainer", "creating"),
        ("startContainer", "created"),
        ("poststart", "running"),
        ("poststop", "stopped"),
    ],
)
def test_the_status_on_the_input(bundle: Bundle, tmp_path: Path, kind: str, status: str) -> None:
    directory = shared_directory(bundle, tmp_path)
    bundle.config["hooks"] = {kind: [hook(f"cat > {directory}/state.json")]}
    bundle.run("true")
    assert json.loads((directory / "state.json").read_text())["status"] == status


@must(
    "config.md#posix-platform-hooks", "prestart, createRuntime, poststart and poststop run in the runtime's namespaces"
)
@pytest.mark.parametrize("kind", OF_THE_RUNTIME)
def test_hooks_in_the_namespaces_of_the_runtime(bundle: Bundle, tmp_path: Path, kind: str) -> None:
    bundle.config["hooks"] = {kind: [hook(f"readlink /proc/self/ns/mnt /proc/self/ns/uts > {tmp_path}/namespaces")]}
    bundle.run("true")
    own = [os.readlink(f"/proc/self/ns/{name}") for name in ("mnt", "uts")]
    assert (tmp_path / "namespaces").read_text().split() == own


@must("config.md#posix-platform-hooks", "createContainer and startContainer run in the container's namespaces")
@pytest.mark.parametrize("kind", OF_THE_CONTAINER)
def test_hooks_in_the_namespaces_of_the_container(bundle: Bundle, tmp_path: Path, kind: str) -> None:
    directory = shared_directory(bundle, tmp_path)
    script = f"for name in mnt uts net ipc; do readlink /proc/self/ns/$name; done > {directory}/namespaces"
    bundle.config["hooks"] = {kind: [hook(script)]}
    inside = bundle.sh("for name in mnt uts net ipc; do readlink /proc/self/ns/$name; done")
    assert (directory / "namespaces").read_text() == inside


@must(
    "config.md#posix-platform-hooks",
    "the path of a createContainer hook is the runtime's, of startContainer the container's",
)
@pytest.mark.parametrize(("kind", "runs"), [("createContainer", "host"), ("startContainer", "container")])
def test_where_the_path_resolves(bundle: Bundle, tmp_path: Path, kind: str, runs: str) -> None:
    directory = shared_directory(bundle, tmp_path)
    script = f"#!/bin/sh\necho %s > {directory}/who\n"
    name = f"{tmp_path}/hook"
    inside = Path(f"{bundle.rootfs}{name}")
    inside.parent.mkdir(parents=True)
    for path, who in ((Path(name), "host"), (inside, "container")):
        path.write_text(script % who)
        path.chmod(0o755)
    bundle.config["hooks"] = {kind: [{"path": name}]}
    bundle.sh("true")
    assert (directory / "who").read_text() == f"{runs}\n"


@must("config.md#prestart", "prestart hooks run before createRuntime, those before createContainer")
def test_the_order_of_the_kinds(bundle: Bundle, tmp_path: Path) -> None:
    directory = shared_directory(bundle, tmp_path)
    bundle.config["hooks"] = {kind: [hook(f"echo {kind} >> {directory}/order")] for kind in KINDS}
    bundle.create("true")
    assert (directory / "order").read_text().split() == list(KINDS[:3])


@must("config.md#createcontainer-hooks", "they run before pivot_root, with the mounts made")
def test_create_container_sees_the_host_and_the_mounts(bundle: Bundle, tmp_path: Path) -> None:
    script = (
        f"ls {bundle.path}/config.json > {tmp_path}/host; grep {bundle.rootfs}/proc /proc/self/mountinfo > {tmp_path}/m"
    )
    bundle.config["hooks"] = {"createContainer": [hook(script)]}
    bundle.create("true")
    assert (tmp_path / "host").read_text()
    assert " - proc " in (tmp_path / "m").read_text()


@must("config.md#prestart", "they run when the namespaces exist")
@pytest.mark.parametrize("kind", ["prestart", "createRuntime"])
def test_the_namespaces_exist_for_the_first_hooks(bundle: Bundle, tmp_path: Path, kind: str) -> None:
    script = f'pid=$(sed "s/.*\\"pid\\": *\\([0-9]*\\).*/\\1/"); readlink /proc/$pid/ns/net > {tmp_path}/net'
    bundle.config["hooks"] = {kind: [hook(script)]}
    inside = bundle.sh("readlink /proc/self/ns/net")
    assert (tmp_path / "net").read_text() == inside


@must("config.md#startcontainer-hooks", "they run at start, before the program")
def test_start_container_runs_before_the_program(bundle: Bundle, tmp_path: Path) -> None:
    directory = shared_directory(bundle, tmp_path)
    bundle.config["hooks"] = {"startContainer": [hook(f"echo hook >> {directory}/order")]}
    bundle.create("sh", "-c", f"echo program >> {directory}/order")
    assert not (directory / "order").exists()
    bundle.ok("start", bundle.id)
    bundle.wait_for("stopped")
    assert (directory / "order").read_text().split() == ["hook", "program"]


@must("config.md#poststart", "they run after the program has been executed, before start returns")
def test_poststart_runs_before_start_returns(bundle: Bundle, tmp_path: Path) -> None:
    script = f'pid=$(sed "s/.*\\"pid\\": *\\([0-9]*\\).*/\\1/"); cat /proc/$pid/comm > {tmp_path}/comm'
    bundle.config["hooks"] = {"poststart": [hook(script)]}
    bundle.create("sleep", "1000")
    assert not (tmp_path / "comm").exists()
    bundle.ok("start", bundle.id)
    assert (tmp_path / "comm").read_text() == "sleep\n"


@must("config.md#poststop", "they run after the container is deleted, before delete returns")
def test_poststop_runs_after_the_deletion(bundle: Bundle, tmp_path: Path) -> None:
    script = f"find /sys/fs/cgroup -name {bundle.id} > {tmp_path}/left"
    bundle.config["hooks"] = {"poststop": [hook(script)]}
    bundle.create("true")
    bundle.ok("start", bundle.id)
    bundle.wait_for("stopped")
    assert not (tmp_path / "left").exists()
    bundle.ok("delete", bundle.id)
    assert (tmp_path / "left").read_text() == ""
