"""Which modules a cold `state` and `create` load, all of them by name: every one costs each start of a container.

A module that is new here has to be worth its tenth of a millisecond (those of the standard library cost up to five).
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .bundle import REPOSITORY

if TYPE_CHECKING:
    from .bundle import Bundle

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("own_runtime")]

_SCRIPT = """
import sys
before = set(sys.modules)
home, target, *words = sys.argv[1:]
sys.path.insert(0, home)
from runtime.cli.main import main
code = main(words)
import json
open(target, "w").write(json.dumps(sorted(loaded)))
sys.exit(code)
""".replace("import json\n", "loaded = set(sys.modules) - before\nimport json\n")

# what the interpreter and `os` bring along
_ALWAYS = """
    __future__ _collections_abc _json gc _stat errno genericpath os os.path posixpath select stat
    _ctypes _struct ctypes ctypes._endian struct types
"""
_STATE = f"""
    {_ALWAYS} fcntl
    runtime runtime.cli runtime.cli.main runtime.cli.options runtime.cli.report runtime.cli.state runtime.errors
    runtime.jsontext runtime.container runtime.state runtime.status runtime.spec runtime.schema runtime.validate
    runtime.hooks
    runtime.cgroups runtime.cgroups.base runtime.cgroups.fault runtime.cgroups.files runtime.cgroups.processes
    runtime.cgroups.hosts runtime.cgroups.open runtime.cgroups.freezer runtime.cgroups.devices
    runtime.cgroups.device_filter runtime.cgroups.v1 runtime.cgroups.v1_limits runtime.cgroups.v2
    runtime.cgroups.v2_limits runtime.cgroups.convert math
    runtime.kernel runtime.kernel.signals runtime.kernel.constants runtime.kernel.bpf runtime.kernel.calls
    runtime.kernel.prototypes runtime.kernel.structs
"""
_CREATE = f"""
    {_STATE} _socket runtime.cli.create
    runtime.process runtime.process.become runtime.process.birth runtime.process.creation runtime.process.init
    runtime.process.messages runtime.process.plan runtime.process.start
    runtime.rootfs runtime.rootfs.cgroup_mounts runtime.rootfs.devices runtime.rootfs.mask runtime.rootfs.mounting
    runtime.rootfs.options runtime.rootfs.pivot runtime.rootfs.plan runtime.rootfs.resolve
    runtime.security runtime.security.capabilities runtime.security.capability_names runtime.security.lsm
    runtime.security.notify runtime.security.rlimits runtime.security.seccomp
    runtime.kernel.caps runtime.kernel.mounts runtime.kernel.seccomp runtime.kernel.sockets
    runtime.idmap runtime.lists runtime.namespaces runtime.sysctl runtime.terminal
"""


def loaded_by(bundle: Bundle, *words: str) -> set[str]:
    """The modules that a command has loaded when it is done."""
    report = bundle.path / "modules.json"
    command = [sys.executable, "-IS", "-c", _SCRIPT, str(REPOSITORY), str(report)]
    command += ["--root", str(bundle.state_root), *words]
    null = subprocess.DEVNULL
    subprocess.run(command, stdin=null, stdout=null, stderr=null, check=True, timeout=60)
    return set(json.loads(report.read_text()))


def test_create_and_state_load_what_they_need(bundle: Bundle) -> None:
    bundle.process["args"] = ["sleep", "1000"]
    bundle.write_config()
    assert loaded_by(bundle, "create", "--bundle", str(bundle.path), bundle.id) - set(_CREATE.split()) == set()
    assert loaded_by(bundle, "state", bundle.id) - set(_STATE.split()) == set()
