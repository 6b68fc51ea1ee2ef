"""A person without root's rights: told what would do, and let in through the socket of `pydock serve`."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.engine import REPOSITORY, EngineRoot, wait_until

pytestmark = pytest.mark.root

NOBODY = 65534
PYTHON = "/usr/bin/python3"
MAIN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from engine.cli.main import main; main()"


def as_nobody(root: EngineRoot, *words: str, group: int = NOBODY) -> subprocess.CompletedProcess[str]:
    """Run pydock with an ordinary user's rights, by the system's Python: ours may lie where only root can read."""
    person = ("setpriv", f"--reuid={NOBODY}", f"--regid={group}", "--clear-groups")
    return subprocess.run(
        [*person, PYTHON, "-IB", "-c", MAIN, str(REPOSITORY), *words],
        env={
            **root.environment,
            **dict.fromkeys(("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "DOCKER_CONFIG"), "/nonexistent"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",
    )


@pytest.fixture
def open_root(pydock: EngineRoot) -> Iterator[EngineRoot]:
    """The session's engine in a folder that others may pass through."""
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv")
    pydock.base.chmod(0o711)
    version = "import sys; sys.exit(sys.version_info < (3, 11))"
    probe = subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", "--clear-groups", PYTHON, "-IBc", f"{version}"], check=False, cwd="/"
    )
    readable = subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", "--clear-groups", "cat", f"{REPOSITORY}/engine/cli/main.py"],
        capture_output=True,
        check=False,
        cwd="/",
    )
    if probe.returncode or readable.returncode:
        pytest.skip("needs a Python 3.11 and a checkout that others than root may read")
    yield pydock
    pydock.base.chmod(0o700)


def test_without_a_socket_it_says_what_would_do(open_root: EngineRoot) -> None:
    done = as_nobody(open_root, "ps")
    assert done.returncode == 1
    assert done.stderr.startswith(f"pydock: this needs root: {open_root.root}")
    assert f"pydock serve --group GROUP': then {open_root.run_root}/pydock.sock is used" in done.stderr
    assert as_nobody(open_root, "version").returncode == 0
    assert as_nobody(open_root, "run", "--help").returncode == 0


def test_a_member_of_the_group_needs_no_sudo(open_root: EngineRoot) -> None:
    """The same commands go through the socket; who is not in its group is told its name."""
    group = 60  # "games" where there is one; a number does as well
    server = open_root.popen("serve", "--group", str(group))
    try:
        socket_path = open_root.run_root / "pydock.sock"
        wait_until("the socket", lambda: socket_path.exists() or server.poll() is not None)
        wait_until("its group", lambda: socket_path.stat().st_gid == group)
        inside = as_nobody(open_root, "run", "--rm", "toolbox", "sh", "-c", "id -u; exit 3", group=group)
        assert (inside.returncode, inside.stdout) == (3, "0\n"), inside.stderr
        assert as_nobody(open_root, "ps", "-q", group=group).stdout == ""
        outside = as_nobody(open_root, "ps")
        assert outside.returncode == 1
        assert "join the group that owns" in outside.stderr
    finally:
        server.terminate()
        server.communicate(timeout=30)
