"""checkpoint and restore through criu: a counter goes on where it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from .bundle import cgroups_named, environment

if TYPE_CHECKING:
    from pathlib import Path

    from .bundle import Bundle

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_runtime")]

COUNT = "n=0; while :; do n=$((n+1)); echo $n > /tmp/count; sleep 0.05; done"


@pytest.fixture
def criu() -> None:
    """criu, where this kernel lets it work."""
    if shutil.which("criu", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("needs criu")
    check = subprocess.run(["criu", "check"], capture_output=True, text=True, check=False)
    if check.returncode != 0:
        pytest.skip(f"criu does not work on this kernel: {check.stderr.splitlines()[0] if check.stderr else ''}")


def counted(bundle: Bundle, above: int = 0) -> int:
    """What the container has counted to, once that is above a number."""
    deadline = time.monotonic() + 60
    while True:
        try:
            number = int((bundle.rootfs / "tmp/count").read_text())
        except (OSError, ValueError):
            number = 0
        if number > above:
            return number
        assert time.monotonic() < deadline, number
        time.sleep(0.02)


def quiet(bundle: Bundle, *words: str) -> None:
    """A command whose container keeps no stream of this process."""
    null = subprocess.DEVNULL
    done = subprocess.run(
        bundle.command("--log", str(bundle.path / "log"), *words),
        stdin=null,
        stdout=null,
        stderr=null,
        env=environment(),
        check=False,
        timeout=100,
    )
    if done.returncode:
        logs = "".join(path.read_text()[-3000:] for path in bundle.path.parent.rglob("*.log"))
        raise AssertionError((bundle.path / "log").read_text() + logs)


@pytest.mark.usefixtures("criu")
@pytest.mark.parametrize("leave", [False, True])
def test_a_counter_goes_on_where_it_was(bundle: Bundle, tmp_path: Path, leave: bool) -> None:
    (tmp_path / "shared").mkdir()
    bundle.mount("/shared", "bind", str(tmp_path / "shared"), "bind")
    bundle.linux["maskedPaths"] = ["/proc/kcore", "/proc/timer_list", "/sys/firmware"]
    bundle.process["args"] = ["sh", "-c", COUNT]
    bundle.write_config()
    quiet(bundle, "run", "--detach", "--bundle", str(bundle.path), bundle.id)
    counted(bundle, 5)
    images = str(tmp_path / "images")
    quiet(bundle, "checkpoint", "--image-path", images, *(["--leave-running"] if leave else []), bundle.id)
    if leave:
        counted(bundle, counted(bundle) + 5)
        bundle.ok("delete", "--force", bundle.id)
    assert bundle.call("state", bundle.id).code == 1
    assert cgroups_named(bundle.id) == []
    at = counted(bundle)
    (bundle.rootfs / "tmp/count").write_text("0")
    quiet(bundle, "restore", "--detach", "--image-path", images, "--bundle", str(bundle.path), bundle.id)
    assert bundle.state()["status"] == "running"
    assert counted(bundle, 1) >= (1 if leave else at)
    assert bundle.exec(bundle.id, "ls", "/shared").code == 0
    assert bundle.state()["pid"] in json.loads(bundle.ok("ps", "--format", "json", bundle.id))
    bundle.ok("delete", "--force", bundle.id)
    assert cgroups_named(bundle.id) == []


@pytest.mark.usefixtures("criu")
def test_a_restore_in_the_foreground_ends_as_its_program(bundle: Bundle, tmp_path: Path) -> None:
    bundle.process["args"] = ["sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 7"]
    bundle.write_config()
    quiet(bundle, "run", "--detach", "--bundle", str(bundle.path), bundle.id)
    images = str(tmp_path / "images")
    quiet(bundle, "checkpoint", "--image-path", images, bundle.id)
    (bundle.rootfs / "tmp/go").touch()
    assert bundle.call("restore", "--image-path", images, "--bundle", str(bundle.path), bundle.id).code == 7
    assert bundle.ok("list", "--quiet") == ""


def test_what_cannot_be_done_is_told(bundle: Bundle, tmp_path: Path) -> None:
    images = str(tmp_path / "images")
    assert "does not exist" in bundle.call("checkpoint", "--image-path", images, bundle.id).err
    bundle.start_running()
    result = bundle.call("--criu", "/no/such/criu", "checkpoint", "--image-path", images, bundle.id)
    assert result.code == 1
    assert "/no/such/criu is not installed" in result.err
    assert bundle.state()["status"] == "running"
    bundle.ok("delete", "--force", bundle.id)
    result = bundle.call("restore", "--image-path", str(tmp_path / "none"), "--bundle", str(bundle.path), bundle.id)
    assert result.code == 1
    assert "no checkpoint" in result.err
    assert bundle.ok("list", "--quiet") == ""


FAKE = """#!/bin/sh
# stands for criu where it does not work: fails with a log, or "restores" a sleep
verb=$1
while [ "$1" ]; do
    case $1 in --work-dir) work=$2;; --pidfile) pid_file=$2;; --root) root=$2;; esac
    shift
done
if [ $verb = restore ] && [ -e ${0%/*}/works ]; then
    [ -e $root/bin/busybox ] || exit 2
    sleep 1000 & echo $! > $pid_file
    exit 0
fi
echo "(00.1) Error (x.c:1): no luck" > $work/$verb.log
exit 1
"""


@pytest.fixture
def fake_criu(tmp_path: Path) -> Path:
    path = tmp_path / "criu"
    path.write_text(FAKE)
    path.chmod(0o755)
    return path


def test_a_failed_checkpoint_is_told_with_its_reason_and_the_container_goes_on(
    bundle: Bundle, tmp_path: Path, fake_criu: Path
) -> None:
    bundle.start_running()
    result = bundle.call("--criu", str(fake_criu), "checkpoint", "--image-path", str(tmp_path / "images"), bundle.id)
    assert result.code == 1
    assert "no luck" in result.err
    assert "dump.log" in result.err
    assert bundle.state()["status"] == "running"


def test_a_failed_restore_leaves_nothing(bundle: Bundle, tmp_path: Path, fake_criu: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "descriptors.json").write_text('["/dev/null", "/dev/null", "/dev/null"]')
    bundle.write_config()
    words = ("restore", "--image-path", str(images), "--bundle", str(bundle.path), bundle.id)
    result = bundle.call("--criu", str(fake_criu), *words)
    assert result.code == 1
    assert "no luck" in result.err
    assert bundle.ok("list", "--quiet") == ""
    assert cgroups_named(bundle.id) == []


def test_what_criu_has_restored_is_a_container_again(bundle: Bundle, tmp_path: Path, fake_criu: Path) -> None:
    """With a stand-in for criu: the state, the pid file and the way out are ours."""
    images = tmp_path / "images"
    images.mkdir()
    (images / "descriptors.json").write_text('["/dev/null", "/dev/null", "/dev/null"]')
    (tmp_path / "works").touch()
    bundle.write_config()
    pid_file = tmp_path / "pid"
    words = ("restore", "--detach", "--pid-file", str(pid_file), "--image-path", str(images))
    quiet(bundle, "--criu", str(fake_criu), *words, "--bundle", str(bundle.path), bundle.id)
    state = bundle.state()
    assert (state["status"], state["pid"]) == ("running", int(pid_file.read_text()))
    bundle.ok("delete", "--force", bundle.id)
    assert bundle.ok("list", "--quiet") == ""
    with open("/proc/self/mountinfo") as file:
        assert "criu-root" not in file.read()
