"""What the conformance tests share: the mark that names the rule, and the usual ways to ask a runtime.

The truth comes from inside, by a busybox shell as the container's program, and from outside, from /proc and the cgroup
file systems. Nothing here knows which runtime it drives.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.runtime.bundle import OWN, Bundle, Result, environment

if TYPE_CHECKING:
    from collections.abc import Callable


def must(section: str, rule: str) -> Callable[[Any], Any]:
    """The rule that a test is for: the place in the specification, and what it asks for in our own words."""
    return pytest.mark.must(section, rule)


def deviates(reason: str) -> Callable[[Any], Any]:
    """This runtime knowingly does otherwise, and the table says why; the test must go on failing, or the mark goes."""
    return pytest.mark.xfail(OWN, reason=reason, strict=True)


def refused(bundle: Bundle, place: str = "") -> None:
    """The container must not come to be: an error, no program, no state. This runtime names the place as well."""
    result = bundle.run("sh", "-c", "echo the program ran")
    assert result.code != 0, result
    assert "the program ran" not in result.out
    assert bundle.call("state", bundle.id).code != 0
    if OWN and place:
        assert place in result.err, result.err


def create(bundle: Bundle, *options: str) -> Result:
    """`create`, whatever becomes of it; what the program writes is not seen."""
    bundle.write_config()
    with tempfile.TemporaryFile("w+") as errors:
        arguments = bundle.command("create", "--bundle", str(bundle.path), *options, bundle.id)
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment(),
            timeout=60,
            check=False,
        )
        errors.seek(0)
        return Result(done.returncode, "", errors.read())


def hook(script: str, **more: Any) -> dict[str, Any]:
    """A hook that runs a shell of the namespace it finds itself in."""
    return {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"], **more}


def shared_directory(bundle: Bundle, tmp_path: Path, name: str = "shared") -> Path:
    """A directory that has the same path inside and outside."""
    directory = tmp_path / name
    directory.mkdir(exist_ok=True)
    bundle.mount(str(directory), "bind", str(directory), "bind")
    return directory


def status_of(pid: int | str) -> dict[str, str]:
    """/proc/PID/status by field."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _colon, value in (line.partition(":") for line in lines)}


def mount_flags(bundle: Bundle, destination: str) -> set[str]:
    """The options of a mount as the container's own mountinfo has them, and the propagation (shared, master, …)."""
    flags: set[str] = set()
    for line in bundle.sh("cat /proc/self/mountinfo").splitlines():
        before, _dash, after = line.partition(" - ")
        fields = before.split(" ")
        if fields[4] == destination:
            flags = {*fields[5].split(","), *(word.partition(":")[0] for word in fields[6:] if word)}
            flags |= {f"super:{word}" for word in after.split(" ")[-1].split(",")}
    return flags


def cgroup_file(pid: int, controller: str, name_v1: str, name_v2: str = "") -> Path:
    """A file of a process's cgroup, under whichever hierarchy the host has."""
    paths = {}
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _id, names, path = line.split(":", 2)
        for name in names.split(",") if names else ("",):
            paths[name.removeprefix("name=")] = path
    if on_v2():
        return Path(f"/sys/fs/cgroup{paths['']}/{name_v2 or name_v1}")
    if controller not in paths:
        pytest.skip(f"needs the {controller} controller")
    mount = next(path for path in Path("/sys/fs/cgroup").iterdir() if controller in path.name.split(","))
    return Path(f"{mount}{paths[controller]}/{name_v1}")


def cgroups_of(container_id: str) -> list[str]:
    """Every cgroup directory that is left with this name; others come and go while we look."""
    found = []
    for directory, names, _files in os.walk("/sys/fs/cgroup"):
        found += [f"{directory}/{name}" for name in names if name == container_id]
    return found


def on_v2() -> bool:
    """Whether the unified hierarchy is all there is."""
    return Path("/sys/fs/cgroup/cgroup.controllers").exists()


def features(bundle: Bundle) -> dict[str, Any]:
    """The features document; skips where the runtime has no such command."""
    result = bundle.call("features")
    if result.code != 0:
        pytest.skip("this runtime has no features command")
    document: dict[str, Any] = json.loads(result.out)
    return document
