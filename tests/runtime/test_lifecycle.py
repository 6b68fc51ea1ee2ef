"""runtime.md, "Lifecycle" and "Operations": create, start, state, kill, delete, and what each refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .bundle import cgroups_named

if TYPE_CHECKING:
    from .bundle import Bundle

pytestmark = pytest.mark.root


def test_run_passes_output_and_exit_code(bundle: Bundle) -> None:
    result = bundle.run("sh", "-c", "echo to-out; echo to-err >&2; exit 7")
    assert (result.code, result.out) == (7, "to-out\n")
    assert "to-err" in result.err


def test_run_leaves_nothing(bundle: Bundle) -> None:
    bundle.run("true")
    assert bundle.call("state", bundle.id).code != 0
    assert cgroups_named(bundle.id) == []


def test_a_signal_ends_run_with_128_and_its_number(bundle: Bundle) -> None:
    # Process 1 of a pid namespace ignores what it has no handler for, so its child dies.
    assert bundle.run("sh", "-c", "sh -c 'kill -TERM $$'; exit $?").code == 128 + signal.SIGTERM


def test_create_waits_for_start(bundle: Bundle) -> None:
    marker = bundle.rootfs / "tmp/started"
    bundle.create("sh", "-c", "touch /tmp/started; sleep 1000")
    state = bundle.state()
    assert state["status"] == "created"
    assert not marker.exists()
    os.kill(state["pid"], 0)
    bundle.ok("start", bundle.id)
    assert bundle.state()["status"] == "running"
    for _ in range(200):
        if marker.exists():
            break
        subprocess.run(["sleep", "0.02"], check=True)
    assert marker.exists()


def test_state_has_what_the_specification_wants(bundle: Bundle) -> None:
    bundle.config["annotations"] = {"org.example.key": "value"}
    bundle.start_running()
    state = bundle.state()
    assert state["id"] == bundle.id
    assert state["bundle"] == str(bundle.path)
    assert state["ociVersion"].startswith("1.")
    assert state["annotations"] == {"org.example.key": "value"}
    assert state["pid"] > 0


def test_an_id_is_taken_once(bundle: Bundle) -> None:
    bundle.start_running()
    result = bundle.call("create", "--bundle", str(bundle.path), bundle.id)
    assert result.code != 0
    assert "exist" in result.err
    assert bundle.state()["status"] == "running"


def test_start_twice_is_refused(bundle: Bundle) -> None:
    bundle.start_running()
    assert bundle.call("start", bundle.id).code != 0


def test_kill_sends_the_signal(bundle: Bundle) -> None:
    bundle.start_running("sh", "-c", "trap 'touch /tmp/got-usr1' USR1; while :; do sleep 0.05; done")
    marker = bundle.rootfs / "tmp/got-usr1"
    for _ in range(100):
        bundle.ok("kill", bundle.id, "USR1")
        if marker.exists():
            break
    assert marker.exists()


@pytest.mark.parametrize("name", ["KILL", "SIGKILL", "9"])
def test_kill_takes_names_and_numbers(bundle: Bundle, name: str) -> None:
    bundle.start_running()
    bundle.ok("kill", bundle.id, name)
    bundle.wait_for("stopped")
    bundle.ok("delete", bundle.id)


def test_kill_of_a_stopped_container_is_refused(bundle: Bundle) -> None:
    bundle.start_running()
    bundle.ok("kill", bundle.id, "KILL")
    bundle.wait_for("stopped")
    assert bundle.call("kill", bundle.id, "KILL").code != 0


def test_kill_all_reaches_every_process(bundle: Bundle) -> None:
    bundle.start_running("sh", "-c", "setsid sleep 999 & setsid sleep 998 & wait; sleep 1000")
    bundle.ok("kill", "--all", bundle.id, "KILL")
    bundle.wait_for("stopped")


def test_delete_of_a_running_container_needs_force(bundle: Bundle) -> None:
    bundle.start_running()
    pid = bundle.state()["pid"]
    assert bundle.call("delete", bundle.id).code != 0
    assert bundle.state()["status"] == "running"
    bundle.ok("delete", "--force", bundle.id)
    assert bundle.call("state", bundle.id).code != 0
    assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]


def test_delete_of_a_created_container_works(bundle: Bundle) -> None:
    bundle.create("true")
    bundle.ok("delete", bundle.id)
    assert bundle.call("state", bundle.id).code != 0


def test_delete_force_of_nothing_is_quiet(bundle: Bundle) -> None:
    result = bundle.call("delete", "--force", bundle.id)
    assert (result.code, result.out) == (0, "")
    assert bundle.call("delete", bundle.id).code != 0


def test_the_config_of_creation_counts(bundle: Bundle) -> None:
    """runtime.md, "Lifecycle": changes of config.json after create have no effect."""
    bundle.create("sleep", "1000")
    bundle.process["args"] = ["false"]
    bundle.write_config()
    bundle.ok("start", bundle.id)
    assert bundle.state()["status"] == "running"


def test_list_shows_containers(bundle: Bundle) -> None:
    bundle.start_running()
    rows = bundle.ok("list").splitlines()
    assert rows[0].split()[:3] == ["ID", "PID", "STATUS"]
    assert [bundle.id in row and "running" in row for row in rows[1:]] == [True]
    assert bundle.ok("list", "--quiet").split() == [bundle.id]
    assert json.loads(bundle.ok("list", "--format", "json"))[0]["status"] == "running"


def test_ps_shows_the_processes_by_host_pid(bundle: Bundle) -> None:
    bundle.start_running()
    pid = bundle.state()["pid"]
    assert json.loads(bundle.ok("ps", "--format", "json", bundle.id)) == [pid]
    table = bundle.ok("ps", bundle.id)
    assert str(pid) in table
    assert "sleep" in table


def test_pause_stops_and_resume_goes_on(bundle: Bundle) -> None:
    bundle.start_running()
    bundle.ok("pause", bundle.id)
    assert bundle.state()["status"] == "paused"
    assert bundle.call("exec", bundle.id, "true").code != 0
    bundle.ok("resume", bundle.id)
    assert bundle.state()["status"] == "running"
    assert bundle.call("resume", bundle.id).code != 0


def test_a_paused_container_can_be_deleted_by_force(bundle: Bundle) -> None:
    bundle.start_running()
    bundle.ok("pause", bundle.id)
    bundle.ok("delete", "--force", bundle.id)


def test_pid_file_holds_inits_pid(bundle: Bundle, tmp_path: Path) -> None:
    bundle.process["args"] = ["sleep", "1000"]
    bundle.write_config()
    pid_file = tmp_path / "pid"
    arguments = ("run", "--detach", "--bundle", str(bundle.path), "--pid-file", str(pid_file), bundle.id)
    subprocess.run(bundle.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    assert int(pid_file.read_text()) == bundle.state()["pid"]


def test_spec_writes_a_config_that_runs(bundle: Bundle, tmp_path: Path) -> None:
    bundle.ok("spec", "--bundle", str(bundle.path))
    config = json.loads((bundle.path / "config.json").read_text())
    config["process"]["terminal"] = False
    config["process"]["args"] = ["sh", "-c", "echo works"]
    bundle.config = config
    assert bundle.run().out == "works\n"
    assert bundle.call("spec", "--bundle", str(bundle.path)).code != 0


@pytest.mark.usefixtures("own_runtime")
def test_a_killed_create_can_be_deleted(bundle: Bundle) -> None:
    """kill -9 of the runtime while it makes a container: `delete --force` finds all that there is."""
    bundle.write_config()
    arguments = bundle.command("create", "--bundle", str(bundle.path), bundle.id)
    for attempt in range(12):
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            process.wait(timeout=0.02 + attempt * 0.012)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        bundle.ok("delete", "--force", bundle.id)
        assert bundle.ok("list", "--quiet") == ""
        assert cgroups_named(bundle.id) == []
