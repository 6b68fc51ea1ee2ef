"""Whole systems as images: Debian by debootstrap, and a busybox alone; made here and kept between runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from tests.support.images import Layout, archive, member

SUITE = "bookworm"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pydock-tests"


def debian(layout: Layout, name: str) -> None:
    """Add a minimal Debian; skips the test where debootstrap cannot get one."""
    tar = _CACHE / f"debian-{SUITE}.tar"
    if not tar.exists():
        _bootstrap(tar)
    layout.image(name, tar.read_bytes(), run={"Cmd": ["bash"], "Env": ["LANG=C.UTF-8"]})


def busybox(layout: Layout, name: str) -> None:
    """Add a single static program with its applets as links."""
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("needs busybox-static")
    applets = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
    folders = [member(folder, tarfile.DIRTYPE) for folder in ("bin", "etc", "tmp")]
    links = [member(f"bin/{applet}", tarfile.SYMTYPE, linkname="busybox") for applet in applets if applet != "busybox"]
    binary = member("bin/busybox", data=Path(program).read_bytes(), mode=0o755)
    layout.image(name, archive(*folders, binary, *links), run={"Cmd": ["sh"]})


def _bootstrap(tar: Path) -> None:
    if shutil.which("debootstrap") is None:
        pytest.skip("needs debootstrap")
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", SUITE, f"{folder}/root"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"debootstrap found no Debian mirror: {done.stdout.strip().splitlines()[-1:]}")
        shutil.rmtree(f"{folder}/root/var/cache/apt", ignore_errors=True)
        shutil.rmtree(f"{folder}/root/var/lib/apt/lists", ignore_errors=True)
        new = tar.with_suffix(".new")
        subprocess.run(
            ["tar", "-C", f"{folder}/root", "--numeric-owner", "--xattrs", "--one-file-system", "-cf", new, "."],
            check=True,
        )
        new.rename(tar)
