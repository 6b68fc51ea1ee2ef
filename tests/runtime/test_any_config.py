"""`create` with configs of all kinds: a container, or one line with the place of the fault and nothing half-made."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from runtime.schema import CONFIG_SCHEMA
from tests.support.configs import applied, changes

from .bundle import base_config, cgroups_named

if TYPE_CHECKING:
    from .bundle import Bundle

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_runtime")]

NAMES = [name.rstrip("!") for name in CONFIG_SCHEMA]
# what would make something of the host's the container's
HARMFUL = (("root",), ("mounts", 0, "source"), ("linux", "cgroupsPath"), ("hooks",), ("linux", "netDevices"))


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(changed=changes(but=HARMFUL))
def test_a_container_or_an_error_with_its_place(bundle: Bundle, changed: list[Any]) -> None:
    usual = base_config(bundle.id)
    usual["process"]["args"] = ["sleep", "1000"]
    bundle.config = applied(usual, changed)
    bundle.write_config()
    log = bundle.path / "log"
    log.unlink(missing_ok=True)
    words = bundle.command("--log", str(log), "create", "--bundle", str(bundle.path), bundle.id)
    null = subprocess.DEVNULL
    code = subprocess.run(words, stdin=null, stdout=null, stderr=null, timeout=60, check=False).returncode
    if code == 0:
        assert bundle.state()["status"] in ("created", "stopped")
        bundle.ok("delete", "--force", bundle.id)
    else:
        assert code == 1
        lines = [line for line in log.read_text().splitlines() if "level=error" in line]
        assert len(lines) == 1, lines
        assert "internal error" not in lines[0]
        assert any(name in lines[0] for name in NAMES) or "exec: " in lines[0], lines
    assert bundle.ok("list", "--quiet") == ""
    assert cgroups_named(bundle.id) == []
    assert not list(processes_with(bundle.id))


def processes_with(word: str) -> list[str]:
    """The command lines that have this word in them."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes()
        except OSError:
            continue
        if word.encode() in line:
            found.append(repr(line))
    return found
