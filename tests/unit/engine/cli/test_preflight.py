"""The check of the host tells the truth, leaves nothing behind, and names a cure for what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine import preflight
from engine.models import HostCheck


def test_every_kind_of_thing_is_looked_at(tmp_path: Path) -> None:
    names = [check.name for check in preflight.checks(str(tmp_path))]
    for name in ("python", "root", "overlay", "cgroups", "nftables", "libseccomp", "pidfd", "openat2", "terminal"):
        assert name in names
    assert len([name for name in names if name.endswith("namespaces")]) == 7


def test_what_is_missing_has_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_loads", lambda _library: False)
    monkeypatch.setattr("shutil.which", lambda *_args, **_options: None)
    monkeypatch.setattr(preflight, "_controllers", lambda: ("v2", {"cpu", "pids"}))
    checks = {check.name: check for check in preflight.checks(str(tmp_path))}
    assert not checks["nftables"].ok
    assert "apt install nftables" in checks["nftables"].cure
    assert "apt install libseccomp2" in checks["libseccomp"].cure
    assert "missing: memory cpuset" in checks["cgroups"].detail
    assert checks["cgroups"].cure


def test_a_kernel_without_a_namespace_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_flags: int) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(preflight, "_unshare", refuse)
    check = preflight._namespace("user namespaces", 0x10000000)
    assert not check.ok
    assert check.detail == "invalid argument (EINVAL)"
    assert "user.max_user_namespaces" in check.cure


@pytest.mark.root
def test_the_trial_leaves_nothing(tmp_path: Path) -> None:
    """No mount of its own, no folder, no namespace of this process changed."""
    before = os.readlink("/proc/self/ns/mnt")
    check = preflight._overlay(str(tmp_path / "not/there/yet"))
    assert check.ok, check.detail
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert os.readlink("/proc/self/ns/mnt") == before


@pytest.mark.root
def test_overlay_that_cannot_work_is_found(tmp_path: Path) -> None:
    """On a file system that no overlay can have its upper layer on (here: proc)."""
    check = preflight._overlay("/proc")
    assert not check.ok
    assert "/proc" in check.detail


def test_what_only_costs_a_feature_is_not_vital() -> None:
    assert preflight.is_vital(HostCheck(name="overlay", ok=False))
    assert not preflight.is_vital(HostCheck(name="libseccomp", ok=False))


def test_as_a_person_without_rights(tmp_path: Path) -> None:
    """No traceback, and sudo as the cure."""
    if os.geteuid() != 0:
        pytest.skip("needs root to give it up")
    code = (
        "import engine.preflight as preflight, os, sys\n"
        "import encodings.idna, ctypes\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "found = {check.name: check for check in preflight.checks()}\n"
        "assert not found['root'].ok and 'sudo' in found['root'].cure\n"
        "assert not found['mount namespaces'].ok\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
