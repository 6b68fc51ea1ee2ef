"""What runs in the shim, the zygote and a cold command loads nothing that costs milliseconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import runtime

EXPENSIVE = {
    "argparse",
    "asyncio",
    "dataclasses",
    "hashlib",
    "inspect",
    "logging",
    "pathlib",
    "shutil",
    "subprocess",
    "tempfile",
    "typing",
}
CHECKOUT = str(Path(runtime.__file__).parent.parent)


def loaded_by(modules: str) -> set[str]:
    program = f"import sys; sys.path.insert(0, {CHECKOUT!r}); import {modules}; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-ISc", program], stdout=subprocess.PIPE, text=True, check=True)
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "modules",
    [
        "runtime.cgroups.open, runtime.cgroups.systemd, runtime.cgroups.stats",
        "runtime.security.seccomp, runtime.security.seccomp_compiler",
        "runtime.security.capabilities, runtime.security.rlimits",
        "engine.stats.meter, engine.stats.ring, engine.stats.derive",
        "engine.bundle.seccomp, engine.bundle.capabilities",
    ],
)
def test_cheap_imports_only(modules: str) -> None:
    assert loaded_by(modules) & EXPENSIVE == set()


def test_naming_the_package_loads_nothing_of_it() -> None:
    assert {name for name in loaded_by("runtime.cgroups") if name.startswith("runtime.cgroups.")} == set()


def test_checking_capability_names_needs_no_system_calls() -> None:
    assert "ctypes" not in loaded_by("engine.bundle.capabilities, engine.bundle.seccomp")


def test_a_cached_filter_needs_no_compiler(tmp_path: Path) -> None:
    program = f"""
import sys; sys.path.insert(0, {CHECKOUT!r})
from runtime.security import seccomp
profile = {{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}}
for _ in range(2):
    if "again" in sys.argv:
        assert seccomp.cached({str(tmp_path)!r}, profile)
        assert "runtime.security.seccomp_compiler" not in sys.modules
    else:
        seccomp.cached({str(tmp_path)!r}, profile)
"""
    for arguments in ([], ["again"]):
        subprocess.run([sys.executable, "-ISc", program, *arguments], check=True, env=dict(os.environ))
