"""runtime.md: state, life cycle, errors and operations."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .spec import cgroup_file, cgroups_of, create, deviates, hook, must, shared_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.runtime.bundle import Bundle

pytestmark = pytest.mark.root


@must("runtime.md#state", "the state has version, id, status, pid, bundle and the annotations")
def test_state_has_the_required_properties(bundle: Bundle) -> None:
    bundle.config["annotations"] = {"com.example.key": "value"}
    bundle.start_running()
    state = bundle.state()
    assert state["ociVersion"].split(".")[0] == "1"
    assert state["id"] == bundle.id
    assert state["status"] == "running"
    assert os.path.isabs(state["bundle"])
    assert os.path.samefile(state["bundle"], bundle.path)
    assert state["annotations"] == {"com.example.key": "value"}
    assert "sleep" in Path(f"/proc/{state['pid']}/cmdline").read_text()


@must("runtime.md#state", "created: the program has not been executed, and there is a pid")
def test_status_is_created_before_start(bundle: Bundle) -> None:
    bundle.create("sleep", "1000")
    state = bundle.state()
    assert state["status"] == "created"
    assert "sleep" not in Path(f"/proc/{state['pid']}/comm").read_text()


@must("runtime.md#state", "stopped: the container process has exited")
def test_status_is_stopped_after_the_exit(bundle: Bundle) -> None:
    bundle.create("true")
    bundle.ok("start", bundle.id)
    bundle.wait_for("stopped")


@must("runtime.md#state", "creating: while the container is being made")
def test_status_is_creating_for_create_runtime_hooks(bundle: Bundle, tmp_path: Path) -> None:
    bundle.config["hooks"] = {"createRuntime": [hook(f"cat > {tmp_path}/state.json")]}
    bundle.create("true")
    assert json.loads((tmp_path / "state.json").read_text())["status"] == "creating"


@must("runtime.md#state", "hooks in the runtime's namespace get the pid as the runtime sees it")
def test_pid_for_hooks_of_the_runtime(bundle: Bundle, tmp_path: Path) -> None:
    bundle.config["hooks"] = {"createRuntime": [hook(f"cat > {tmp_path}/state.json")]}
    bundle.create("true")
    assert json.loads((tmp_path / "state.json").read_text())["pid"] == bundle.state()["pid"]


@must("runtime.md#state", "hooks in the container's namespace get the pid as the container sees it")
@pytest.mark.parametrize("kind", ["createContainer", "startContainer"])
def test_pid_for_hooks_of_the_container(bundle: Bundle, tmp_path: Path, kind: str) -> None:
    directory = shared_directory(bundle, tmp_path)
    bundle.config["hooks"] = {kind: [hook(f"cat > {directory}/state")]}
    bundle.create("true")
    bundle.ok("start", bundle.id)
    assert json.loads((directory / "state").read_text())["pid"] == 1


@must("runtime.md#lifecycle", "create makes the environment and does not run the program")
def test_create_does_not_run_the_program(bundle: Bundle, tmp_path: Path) -> None:
    directory = shared_directory(bundle, tmp_path)
    bundle.create("touch", f"{directory}/ran")
    assert not (directory / "ran").exists()
    bundle.ok("start", bundle.id)
    bundle.wait_for("stopped")
    assert (directory / "ran").exists()


@must("runtime.md#lifecycle", "what changes in config.json after create does not concern the container")
def test_later_changes_of_the_config_have_no_effect(bundle: Bundle, tmp_path: Path) -> None:
    directory = shared_directory(bundle, tmp_path)
    bundle.create("touch", f"{directory}/first")
    bundle.process["args"] = ["touch", f"{directory}/second"]
    bundle.write_config()
    bundle.ok("start", bundle.id)
    bundle.wait_for("stopped")
    assert [path.name for path in directory.iterdir()] == ["first"]


@must("runtime.md#lifecycle", "a failing prestart, createRuntime or createContainer hook: error, stopped, undone")
@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_failing_hook_of_create_undoes_the_container(bundle: Bundle, kind: str) -> None:
    bundle.config["hooks"] = {kind: [hook("exit 1")]}
    assert create(bundle).code != 0
    assert bundle.call("state", bundle.id).code != 0
    assert cgroups_of(bundle.id) == []


@must("runtime.md#lifecycle", "after a failing hook of create the poststop hooks run, as at every end")
@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_failing_hook_of_create_leads_to_poststop(bundle: Bundle, tmp_path: Path, kind: str) -> None:
    bundle.config["hooks"] = {kind: [hook("exit 1")], "poststop": [hook(f"touch {tmp_path}/poststop")]}
    assert create(bundle).code != 0
    assert (tmp_path / "poststop").exists()


@must("runtime.md#lifecycle", "after a hook that failed, those behind it do not run")
def test_hooks_behind_a_failing_one_do_not_run(bundle: Bundle, tmp_path: Path) -> None:
    bundle.config["hooks"] = {"createRuntime": [hook("exit 1"), hook(f"touch {tmp_path}/second")]}
    assert create(bundle).code != 0
    assert not (tmp_path / "second").exists()


@must("runtime.md#lifecycle", "a failing startContainer hook: error, and the program does not run")
def test_a_failing_start_container_hook_stops_the_container(bundle: Bundle, tmp_path: Path) -> None:
    directory = shared_directory(bundle, tmp_path)
    bundle.config["hooks"] = {"startContainer": [hook("exit 1")], "poststop": [hook(f"touch {tmp_path}/poststop")]}
    bundle.create("touch", f"{directory}/ran")
    assert bundle.call("start", bundle.id).code != 0
    state = bundle.call("state", bundle.id)
    assert state.code != 0 or json.loads(state.out)["status"] == "stopped"
    assert not (directory / "ran").exists()
    bundle.clean()
    assert (tmp_path / "poststop").exists()


@must("runtime.md#lifecycle", "a failing poststart hook: error, and the container is stopped")
def test_a_failing_poststart_hook_stops_the_container(bundle: Bundle) -> None:
    bundle.config["hooks"] = {"poststart": [hook("exit 1")]}
    bundle.create("sleep", "1000")
    assert bundle.call("start", bundle.id).code != 0
    state = bundle.call("state", bundle.id)
    assert state.code != 0 or json.loads(state.out)["status"] == "stopped"


@must("runtime.md#lifecycle", "a failing poststop hook is a warning: the others run, delete succeeds")
def test_a_failing_poststop_hook_is_a_warning(bundle: Bundle, tmp_path: Path) -> None:
    bundle.config["hooks"] = {"poststop": [hook("exit 1"), hook(f"touch {tmp_path}/second")]}
    bundle.create("true")
    bundle.ok("start", bundle.id)
    bundle.wait_for("stopped")
    assert bundle.call("delete", bundle.id).code == 0
    assert (tmp_path / "second").exists()
    assert bundle.call("state", bundle.id).code != 0


@must("runtime.md#errors", "an operation that fails leaves everything as it was")
def test_a_failed_create_leaves_nothing(bundle: Bundle) -> None:
    bundle.mount("/data", "bind", "/no/such/source", "bind")
    assert create(bundle).code != 0
    assert bundle.call("state", bundle.id).code != 0
    assert cgroups_of(bundle.id) == []
    assert str(bundle.path) not in Path("/proc/self/mountinfo").read_text()


@must("runtime.md#query-state", "state without an id, or of an unknown one, is an error")
@pytest.mark.parametrize("arguments", [("state",), ("state", "nobody-has-this-id")])
def test_state_needs_an_existing_container(bundle: Bundle, arguments: tuple[str, ...]) -> None:
    assert bundle.call(*arguments).code != 0


@must("runtime.md#create", "create without an id is an error")
def test_create_needs_an_id(bundle: Bundle) -> None:
    bundle.write_config()
    assert bundle.call("create", "--bundle", str(bundle.path)).code != 0


@must("runtime.md#create", "create without a bundle is an error")
def test_create_needs_a_bundle(bundle: Bundle, tmp_path: Path) -> None:
    assert bundle.call("create", "--bundle", str(tmp_path / "no-bundle"), bundle.id).code != 0
    assert bundle.call("state", bundle.id).code != 0


@must("runtime.md#create", "an id that is taken is an error, and the container that has it is not touched")
def test_an_id_is_unique(bundle: Bundle) -> None:
    bundle.start_running()
    before = bundle.state()
    assert create(bundle).code != 0
    assert bundle.state() == before


@must("runtime.md#create", "an id that is not valid is an error")
@pytest.mark.parametrize("container_id", ["", "a/b", "..", "a b"])
def test_an_invalid_id_is_refused(bundle: Bundle, container_id: str) -> None:
    bundle.write_config()
    assert bundle.call("create", "--bundle", str(bundle.path), container_id).code != 0


@must("runtime.md#create", "a property that cannot be applied: error, and no container")
def test_a_property_that_cannot_be_applied(bundle: Bundle) -> None:
    bundle.linux["sysctl"] = {"net.ipv4.no_such_key": "1"}
    assert create(bundle).code != 0
    assert bundle.call("state", bundle.id).code != 0


@must("runtime.md#start", "start without an id, or of an unknown one, is an error")
@pytest.mark.parametrize("arguments", [("start",), ("start", "nobody-has-this-id")])
def test_start_needs_an_existing_container(bundle: Bundle, arguments: tuple[str, ...]) -> None:
    assert bundle.call(*arguments).code != 0


@must("runtime.md#start", "start of a container that runs is an error without effect")
def test_start_of_a_running_container(bundle: Bundle) -> None:
    bundle.start_running()
    before = bundle.state()
    assert bundle.call("start", bundle.id).code != 0
    assert bundle.state() == before


@must("runtime.md#start", "start of a container that has stopped is an error without effect")
def test_start_of_a_stopped_container(bundle: Bundle) -> None:
    bundle.create("true")
    bundle.ok("start", bundle.id)
    bundle.wait_for("stopped")
    assert bundle.call("start", bundle.id).code != 0
    assert bundle.state()["status"] == "stopped"


@must("runtime.md#start", "start is an error when process was not set")
def test_start_without_a_process(bundle: Bundle) -> None:
    del bundle.config["process"]
    if create(bundle).code == 0:
        assert bundle.call("start", bundle.id).code != 0
    else:
        pytest.fail("create refuses a config without process, which is required only for start")


@must("runtime.md#kill", "kill without an id, or of an unknown one, is an error")
@pytest.mark.parametrize("arguments", [("kill",), ("kill", "nobody-has-this-id", "TERM")])
def test_kill_needs_an_existing_container(bundle: Bundle, arguments: tuple[str, ...]) -> None:
    assert bundle.call(*arguments).code != 0


@must("runtime.md#kill", "kill of a container that has stopped is an error without effect")
def test_kill_of_a_stopped_container(bundle: Bundle) -> None:
    bundle.create("true")
    bundle.ok("start", bundle.id)
    bundle.wait_for("stopped")
    assert bundle.call("kill", bundle.id, "KILL").code != 0
    assert bundle.state()["status"] == "stopped"


@must("runtime.md#kill", "kill sends the signal that is asked for to the container process")
def test_kill_sends_the_signal(bundle: Bundle, tmp_path: Path) -> None:
    directory = shared_directory(bundle, tmp_path)
    script = f"trap 'touch {directory}/usr1; exit' USR1; touch {directory}/ready; while :; do sleep 0.05; done"
    bundle.start_running("sh", "-c", script)
    _wait_until(lambda: (directory / "ready").exists())
    bundle.ok("kill", bundle.id, "USR1")
    bundle.wait_for("stopped")
    assert (directory / "usr1").exists()


@must("runtime.md#kill", "a created container may be killed")
def test_kill_of_a_created_container(bundle: Bundle) -> None:
    bundle.create("sleep", "1000")
    bundle.ok("kill", bundle.id, "KILL")
    bundle.wait_for("stopped")


@must("runtime.md#delete", "delete without an id, or of an unknown one, is an error")
@pytest.mark.parametrize("arguments", [("delete",), ("delete", "nobody-has-this-id")])
def test_delete_needs_an_existing_container(bundle: Bundle, arguments: tuple[str, ...]) -> None:
    assert bundle.call(*arguments).code != 0


@must("runtime.md#delete", "delete of a container that runs is an error without effect")
def test_delete_of_a_running_container(bundle: Bundle) -> None:
    bundle.start_running()
    before = bundle.state()
    assert bundle.call("delete", bundle.id).code != 0
    assert bundle.state() == before


@must("runtime.md#delete", "delete of a created container is an error without effect")
@deviates("podman and containerd delete created containers without force, which runc and crun let them")
def test_delete_of_a_created_container(bundle: Bundle) -> None:
    bundle.create("sleep", "1000")
    assert bundle.call("delete", bundle.id).code != 0
    assert bundle.state()["status"] == "created"


@must("runtime.md#delete", "delete removes what create has made")
def test_delete_removes_what_create_made(bundle: Bundle) -> None:
    bundle.create("true")
    directory = cgroup_file(bundle.state()["pid"], "pids", "pids.max").parent
    assert directory.is_dir()
    bundle.ok("start", bundle.id)
    bundle.wait_for("stopped")
    bundle.ok("delete", bundle.id)
    assert not directory.exists()
    assert not list(bundle.state_root.glob(bundle.id))


@must("runtime.md#delete", "delete leaves alone what the container did not make")
def test_delete_leaves_what_is_not_the_containers(bundle: Bundle, tmp_path: Path) -> None:
    directory = shared_directory(bundle, tmp_path)
    (directory / "kept").write_text("x")
    bundle.create("true")
    bundle.ok("start", bundle.id)
    bundle.wait_for("stopped")
    bundle.ok("delete", bundle.id)
    assert (directory / "kept").read_text() == "x"
    assert (bundle.path / "config.json").exists()
    assert (bundle.rootfs / "bin/busybox").exists()


@must("runtime.md#delete", "the id of a deleted container may be used again")
def test_an_id_may_be_used_again(bundle: Bundle) -> None:
    for _ in range(2):
        bundle.create("true")
        bundle.ok("start", bundle.id)
        bundle.wait_for("stopped")
        bundle.ok("delete", bundle.id)


@must("runtime-linux.md#file-descriptors", "0, 1 and 2 alone are open in the program")
def test_no_descriptors_but_the_standard_ones(bundle: Bundle) -> None:
    # the listing itself has one open
    assert set(bundle.sh("ls /proc/self/fd").split()) <= {"0", "1", "2", "3"}


@must("runtime-linux.md#dev-symbolic-links", "the links to the standard streams are in /dev")
def test_links_in_dev(bundle: Bundle) -> None:
    out = bundle.sh("for name in fd stdin stdout stderr; do readlink /dev/$name; done").split()
    assert out == ["/proc/self/fd", *(f"/proc/self/fd/{number}" for number in range(3))]


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
