"""Writes each test's outcome to the file that CONFORMANCE_RESULTS names, for table.py."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_RESULTS = os.environ.get("CONFORMANCE_RESULTS", "")
_outcomes: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if not _RESULTS or "PYTEST_XDIST_WORKER" in os.environ or "/conformance/" not in report.nodeid:
        return
    name = report.nodeid.partition("/conformance/")[2]
    if hasattr(report, "wasxfail"):
        _outcomes[name] = f"deviates: {report.wasxfail.removeprefix('reason: ')}"
    elif report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _outcomes[name] = reason.replace("Skipped: ", "skipped: ", 1)
    elif report.failed:
        _outcomes[name] = "failed"
    elif report.when == "call":
        _outcomes.setdefault(name, "passed")
    # each time, so that a run that is cut off leaves what it has seen
    Path(_RESULTS).write_text(json.dumps(dict(sorted(_outcomes.items())), indent=1) + "\n")


@pytest.fixture
def disk_path() -> Iterator[Path]:
    """A directory on a disk: older kernels have no id-mapped mounts of a tmpfs."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        yield Path(directory)
