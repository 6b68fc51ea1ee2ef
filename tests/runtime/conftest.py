"""Fixtures of the runtime's tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .bundle import OWN, RUNTIME, Bundle, fresh_bundle, remove_cgroup_parents

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def _cgroup_parents() -> Iterator[None]:
    yield
    remove_cgroup_parents()


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Bundle]:
    """A bundle with a busybox root; its container is removed afterwards and must leave no mount behind."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if shutil.which("busybox") is None:
        pytest.skip("needs a static busybox")
    if not OWN and shutil.which(RUNTIME) is None:
        pytest.skip(f"needs {RUNTIME}")
    # Not below pytest's folder: another session closes that to all but root, and so to root of a user namespace.
    with tempfile.TemporaryDirectory(prefix="pydock-bundle-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        with fresh_bundle(Path(directory)) as made:
            yield made
        with open("/proc/self/mountinfo") as file:
            mounts = file.read()
        assert directory not in mounts
        assert str(tmp_path) not in mounts


@pytest.fixture
def own_runtime() -> None:
    """For what only this runtime promises."""
    if not OWN:
        pytest.skip(f"a promise of this runtime, not of {RUNTIME}")
