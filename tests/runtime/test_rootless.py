"""An ordinary user's containers: one id mapped by the kernel, or a range by newuidmap; no cgroup."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .bundle import APPLETS, REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_runtime")]

SOME_UID = 54321


class User:
    """A bundle, state root and copy of the runtime that all belong to one user who is not root."""

    def __init__(self, base: Path, uid: int) -> None:
        self.base = base
        self.uid = uid
        self.bundle = base / "bundle"
        shutil.copytree(REPOSITORY / "runtime", base / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
        rootfs = self.bundle / "rootfs"
        for name in ("bin", "etc", "proc", "sys", "dev", "tmp"):
            (rootfs / name).mkdir(parents=True)
        shutil.copy(str(shutil.which("busybox")), rootfs / "bin/busybox")
        for name in APPLETS:
            (rootfs / "bin" / name).symlink_to("busybox")
        for path in (base, *base.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)
        base.chmod(0o755)

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """pydock-runc as that user; the container keeps no pipe of ours."""
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                ["/usr/bin/python3", "-m", "runtime.cli.main", "--root", f"{self.base}/state", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.bundle,
                env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(self.base)},
                user=self.uid,
                group=self.uid,
                extra_groups=[],
                timeout=60,
                check=False,
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read(), "")

    def ok(self, *words: str) -> str:
        done = self.call(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}"
        return done.stdout

    def configure(self, *program: str, **linux: Any) -> None:
        """The config that `spec --rootless` gives, with this program."""
        (self.bundle / "config.json").unlink(missing_ok=True)
        self.ok("spec", "--rootless")
        config = json.loads((self.bundle / "config.json").read_text())
        config["process"].update(terminal=False, args=list(program), env=["PATH=/bin"])
        config["root"]["readonly"] = False
        config["linux"].update(linux)
        (self.bundle / "config.json").write_text(json.dumps(config))


def make_user(uid: int) -> Iterator[User]:
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    if shutil.which("busybox") is None:
        pytest.skip("needs a static busybox")
    too_old = "import sys; sys.exit(sys.version_info < (3, 11))"
    if subprocess.run(["/usr/bin/python3", "-c", too_old], check=False, capture_output=True).returncode:
        pytest.skip("needs a Python 3.11 that every user can start")
    unshare = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "unshare", "--user", "true"]
    if subprocess.run(unshare, check=False, capture_output=True).returncode:
        pytest.skip("needs a host that allows user namespaces to everybody")
    base = Path(tempfile.mkdtemp(prefix="pydock-rootless-"))
    user = User(base, uid)
    try:
        yield user
    finally:
        user.call("delete", "--force", "c1")
        shutil.rmtree(base)


@pytest.fixture
def user() -> Iterator[User]:
    yield from make_user(SOME_UID)


@pytest.fixture
def user_with_ids() -> Iterator[tuple[User, int]]:
    """A user to whom /etc/subuid gives a range, and its first id."""
    if shutil.which("newuidmap") is None:
        pytest.skip("needs newuidmap")
    try:
        ranges = [line.split(":") for line in Path("/etc/subuid").read_text().splitlines() if line.count(":") == 2]
    except OSError:
        ranges = []
    for name, first, count in ranges:
        try:
            uid = pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
        if uid and int(count) >= 1000:
            for made in make_user(uid):
                yield made, int(first)
            return
    pytest.skip("needs a user with a range of ids in /etc/subuid")


def test_a_life(user: User) -> None:
    user.configure("sh", "-c", "id -u; touch /tmp/mine; sleep 1000")
    user.ok("create", "c1")
    assert json.loads(user.ok("state", "c1"))["status"] == "created"
    user.ok("start", "c1")
    assert user.ok("exec", "c1", "id", "-u") == "0\n"
    assert user.call("exec", "c1", "sh", "-c", "exit 5").returncode == 5
    assert "sleep" in user.ok("ps", "c1")
    assert "c1" in user.ok("list", "--quiet")
    user.ok("kill", "c1", "KILL")
    user.ok("delete", "--force", "c1")
    assert (user.bundle / "rootfs/tmp/mine").stat().st_uid == SOME_UID


def test_root_inside_has_the_capabilities_of_the_config(user: User) -> None:
    user.configure("grep", "CapEff", "/proc/self/status")
    # kill, net_bind_service and audit_write
    assert int(user.ok("run", "c1").split()[1], 16) == 1 << 5 | 1 << 10 | 1 << 29


def test_groups_cannot_be_dropped(user: User) -> None:
    user.configure("cat", "/proc/self/setgroups")
    assert user.ok("run", "c1") == "deny\n"


def test_more_ids_than_one_without_a_range_are_refused(user: User) -> None:
    mappings = [{"containerID": 0, "hostID": SOME_UID, "size": 1}, {"containerID": 1, "hostID": 700000, "size": 10}]
    user.configure("true", uidMappings=mappings, gidMappings=mappings)
    done = user.call("run", "c1")
    assert done.returncode == 1
    assert "newuidmap" in done.stdout


def test_newuidmap_maps_the_users_range(user_with_ids: tuple[User, int]) -> None:
    user, first = user_with_ids
    mappings = [
        {"containerID": 0, "hostID": user.uid, "size": 1},
        {"containerID": 1, "hostID": first, "size": 1000},
    ]
    user.configure("sh", "-c", "cat /proc/self/uid_map", uidMappings=mappings, gidMappings=mappings)
    lines = [line.split() for line in user.ok("run", "c1").splitlines()]
    assert lines == [["0", str(user.uid), "1"], ["1", str(first), "1000"]]
