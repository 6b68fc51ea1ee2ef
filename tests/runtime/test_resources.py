"""config-linux.md, "Control groups" and "Seccomp", as the container and the host see them; `update`, `events`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .bundle import cgroups_named

if TYPE_CHECKING:
    from .bundle import Bundle

pytestmark = pytest.mark.root

V2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
HELD = "x=$(head -c 60000000 /dev/zero | tr '\\0' a); echo survived"


def limit_file(bundle: Bundle, v1: str, v2: str) -> Path:
    controller = v1.partition(".")[0]
    files = [folder / (v2 if V2 else v1) for folder in cgroups_named(bundle.id)]
    found = [file for file in files if file.exists()]
    if not found:
        pytest.skip(f"this host has no {controller} controller")
    return found[0]


def test_memory_limit_kills(bundle: Bundle) -> None:
    bundle.linux["resources"]["memory"] = {"limit": 16 << 20, "swap": 16 << 20}
    result = bundle.run("sh", "-c", HELD)
    assert result.code == 137
    assert "survived" not in result.out


def test_memory_limit_is_set_before_the_program_runs(bundle: Bundle) -> None:
    bundle.linux["resources"]["memory"] = {"limit": 64 << 20}
    bundle.create("true")
    assert int(limit_file(bundle, "memory.limit_in_bytes", "memory.max").read_text()) == 64 << 20


def test_pids_limit(bundle: Bundle) -> None:
    bundle.linux["resources"]["pids"] = {"limit": 4}
    result = bundle.run("sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait")
    assert "fork" in result.err


def test_update_changes_a_limit(bundle: Bundle) -> None:
    bundle.linux["resources"]["memory"] = {"limit": 64 << 20, "swap": 64 << 20}
    bundle.start_running()
    file = limit_file(bundle, "memory.limit_in_bytes", "memory.max")
    bundle.ok("update", "--memory", str(32 << 20), bundle.id)
    assert int(file.read_text()) == 32 << 20
    resources = json.dumps({"memory": {"limit": 48 << 20}})
    subprocess.run(bundle.command("update", "--resources", "-", bundle.id), input=resources, text=True, check=True)
    assert int(file.read_text()) == 48 << 20


def test_update_of_cpu_and_pids(bundle: Bundle) -> None:
    bundle.start_running()
    bundle.ok("update", "--cpu-quota", "50000", "--cpu-period", "100000", "--pids-limit", "33", bundle.id)
    assert limit_file(bundle, "pids.max", "pids.max").read_text().strip() == "33"
    if V2:
        assert limit_file(bundle, "cpu.max", "cpu.max").read_text().split() == ["50000", "100000"]
    else:
        assert limit_file(bundle, "cpu.cfs_quota_us", "cpu.max").read_text().strip() == "50000"


def test_events_show_statistics(bundle: Bundle) -> None:
    bundle.start_running()
    event = json.loads(bundle.ok("events", "--stats", bundle.id))
    assert (event["type"], event["id"]) == ("stats", bundle.id)
    assert event["data"]["cpu"]["usage"]["total"] > 0
    assert event["data"]["pids"]["current"] == 1


def test_seccomp_denies_with_the_errno_asked_for(bundle: Bundle) -> None:
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}],
    }
    result = bundle.run("mkdir", "/tmp/x")
    assert result.code != 0
    assert "No space left" in result.err


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_seccomp_kills(bundle: Bundle, no_new_privileges: bool) -> None:
    bundle.process["noNewPrivileges"] = no_new_privileges
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}],
    }
    assert bundle.run("sh", "-c", "mkdir /tmp/x; exit $?").code == 128 + 31
    assert not (bundle.rootfs / "tmp/x").exists()


def test_seccomp_holds_for_exec(bundle: Bundle) -> None:
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}],
    }
    bundle.start_running()
    assert bundle.exec(bundle.id, "mkdir", "/tmp/x").code != 0
    assert not (bundle.rootfs / "tmp/x").exists()


def test_an_unusable_seccomp_action_names_its_place(bundle: Bundle) -> None:
    bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_NONSENSE"}
    result = bundle.run("true")
    assert result.code != 0
    assert "SCMP_ACT_NONSENSE" in result.err


@pytest.mark.usefixtures("own_runtime")
def test_device_rules_of_updates_follow_those_in_force(bundle: Bundle, tmp_path: Path) -> None:
    """One update allows a device, the next says nothing of it: it stays allowed, and so do the default ones."""
    bundle.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}]}
    bundle.start_running()
    attempt = ("sh", "-c", "mknod /dev/d c 60 7 2>/dev/null; cat /dev/d 2>&1; echo x > /dev/null")
    assert "not permitted" in bundle.exec(bundle.id, *attempt).out
    for number in (7, 8):
        rules = [{"allow": True, "type": "c", "major": 60, "minor": number, "access": "rwm"}]
        (tmp_path / "update.json").write_text(json.dumps({"devices": rules}))
        bundle.ok("update", "--resources", str(tmp_path / "update.json"), bundle.id)
        result = bundle.exec(bundle.id, *attempt)
        assert result.code == 0, result
        assert "not permitted" not in result.out
    # without m: v1 has no exception from the wildcard that lets nodes be made
    rules = [{"allow": False, "type": "c", "major": 60, "minor": 7, "access": "rw"}]
    (tmp_path / "update.json").write_text(json.dumps({"devices": rules}))
    bundle.ok("update", "--resources", str(tmp_path / "update.json"), bundle.id)
    assert "not permitted" in bundle.exec(bundle.id, *attempt).out
