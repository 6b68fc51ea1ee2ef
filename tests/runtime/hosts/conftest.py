"""What the hosts share: this runtime as a program they can start, and a root file system for their images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.runtime.bundle import APPLETS, REPOSITORY
from tests.support.other_engines import program

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def runtime_program() -> Iterator[Path]:
    """`pydock-runc` as it is installed beside the interpreter, else this checkout's as one executable file."""
    installed = Path(sys.executable).parent / "pydock-runc"
    if installed.exists():
        yield installed
        return
    with tempfile.TemporaryDirectory(prefix="pydock-runc-") as directory:
        path = Path(directory) / "pydock-runc"
        path.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n"
            "from runtime.cli.main import main\nsys.exit(main())\n",
            encoding="utf-8",
        )
        path.chmod(0o755)
        yield path


@pytest.fixture(scope="session")
def rootfs_archive() -> Iterator[Path]:
    """A busybox root file system as a tar file, to be imported as an image."""
    if shutil.which("busybox") is None:
        pytest.skip("needs a static busybox")
    with tempfile.TemporaryDirectory(prefix="pydock-rootfs-") as directory:
        rootfs = Path(directory) / "rootfs"
        for name in ("bin", "etc", "proc", "sys", "dev", "tmp", "root", "run", "var"):
            (rootfs / name).mkdir(parents=True)
        shutil.copy(str(shutil.which("busybox")), rootfs / "bin/busybox")
        for name in APPLETS:
            (rootfs / "bin" / name).symlink_to("busybox")
        (rootfs / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n")
        (rootfs / "etc/group").write_text("root:x:0:\nuser:x:1000:\n")
        archive = Path(directory) / "rootfs.tar"
        subprocess.run(["tar", "-C", str(rootfs), "-cf", str(archive), "."], check=True)
        yield archive


def needs(*names: str) -> None:
    """Skip where one of these programs is not installed."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for name in names:
        if program(name) is None:
            pytest.skip(f"needs {name}")


class Client:
    """A host's command line with the options that lead to the host of the tests."""

    def __init__(self, *command: str, environment: dict[str, str] | None = None) -> None:
        self._command = command
        self._environment = {**os.environ, **(environment or {})}

    def command(self, *words: str) -> list[str]:
        """The whole command line."""
        return [*self._command, *words]

    def call(self, *words: str, stdin: str = "", timeout_s: float = 180) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=self._environment,
            check=False,
        )

    def ok(self, *words: str, stdin: str = "") -> str:
        """As `call`; its output, and a failed test when it failed."""
        done = self.call(*words, stdin=stdin)
        assert done.returncode == 0, f"{' '.join(words)}: {done.returncode} {done.stdout} {done.stderr}"
        return done.stdout
