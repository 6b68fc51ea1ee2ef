"""Real bundles for driving a runtime's command line: a busybox root, a config to change, and the commands.

`RUNTIME=runc` (or crun, or a path) runs the same tests against another runtime.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
RUNTIME = os.environ.get("RUNTIME", "pydock-runc")
OWN = "RUNTIME" not in os.environ
_APPLETS = """
    sh cat ls mount id true false sleep env hostname ps grep head tail wc echo mkdir touch rm ln stat readlink dd tty
    stty umask chmod mknod test printf sed awk tr sort pwd df ulimit nproc date dmesg ip setsid kill chown
"""
_CAPABILITIES = """
    CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
    AUDIT_WRITE
"""
APPLETS = _APPLETS.split()
CAPABILITIES = [f"CAP_{name}" for name in _CAPABILITIES.split()]


_LAUNCHER = Path(sys.executable).with_name("pydock-runc")
PROGRAM = (
    [RUNTIME] if not OWN else [str(_LAUNCHER)] if _LAUNCHER.exists() else [sys.executable, "-m", "runtime.cli.main"]
)
"""Ours as it is installed, and in a checkout that is not, as a module."""


class Result(NamedTuple):
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


class Bundle:
    """One bundle and one container id; `config` is written when a command needs it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "bundle"
        self.rootfs = self.path / "rootfs"
        self.state_root = directory / "state"
        self.id = f"t{os.getpid()}-{time.monotonic_ns()}"
        self.config = base_config(self.id)
        self._make_rootfs()

    def _make_rootfs(self) -> None:
        for name in ("bin", "etc", "proc", "sys", "dev", "tmp", "root"):
            (self.rootfs / name).mkdir(parents=True)
        self.rootfs.chmod(0o755)
        (self.rootfs / "tmp").chmod(0o1777)
        busybox = shutil.which("busybox")
        assert busybox is not None
        shutil.copy(busybox, self.rootfs / "bin/busybox")
        for name in APPLETS:
            (self.rootfs / "bin" / name).symlink_to("busybox")
        (self.rootfs / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n")

    @property
    def process(self) -> dict[str, Any]:
        process: dict[str, Any] = self.config["process"]
        return process

    @property
    def linux(self) -> dict[str, Any]:
        linux: dict[str, Any] = self.config["linux"]
        return linux

    def mount(self, destination: str, fs_type: str, source: str, *options: str) -> None:
        """Add a mount to the config."""
        self.config["mounts"].append(
            {"destination": destination, "type": fs_type, "source": source, "options": list(options)}
        )

    def without_namespace(self, kind: str) -> None:
        self.linux["namespaces"] = [entry for entry in self.linux["namespaces"] if entry["type"] != kind]

    def write_config(self) -> None:
        (self.path / "config.json").write_text(json.dumps(self.config))

    def command(self, *arguments: str) -> list[str]:
        """The runtime with its global options."""
        return [*PROGRAM, "--root", str(self.state_root), *arguments]

    def call(self, *arguments: str, timeout_s: float = 60, **options: Any) -> Result:
        """Run one command of the runtime."""
        options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=environment(),
            check=False,
            **options,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, **options: Any) -> str:
        """As `call`; its output, and a failed test when it failed."""
        result = self.call(*arguments, **options)
        assert result.code == 0, f"{' '.join(arguments)}: {result}"
        return result.out

    def run(self, *program: str, **options: Any) -> Result:
        """`run` the bundle with this program, in the foreground."""
        if program:
            self.process["args"] = list(program)
        self.write_config()
        return self.call("run", "--bundle", str(self.path), self.id, **options)

    def sh(self, script: str, **options: Any) -> str:
        """What a shell in the container prints; the test fails when it fails."""
        result = self.run("sh", "-c", script, **options)
        assert result.code == 0, f"{script}: {result}"
        return result.out

    def create(self, *program: str, **options: Any) -> None:
        """`create` with standard streams that the container may keep."""
        if program:
            self.process["args"] = list(program)
        self.write_config()
        options.setdefault("stdout", subprocess.DEVNULL)
        arguments = self.command("create", "--bundle", str(self.path), self.id)
        subprocess.run(arguments, stdin=subprocess.DEVNULL, env=environment(), check=True, timeout=60, **options)

    def start_running(self, *program: str) -> None:
        """A container that runs until it is killed."""
        self.create(*(program or ("sleep", "1000")))
        self.ok("start", self.id)

    def exec(self, *arguments: str, **options: Any) -> Result:
        return self.call("exec", *arguments, **options)

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.ok("state", self.id))
        return state

    def wait_for(self, status: str, timeout_s: float = 20) -> None:
        """Until `state` says so: the kernel needs a moment after a signal."""
        deadline = time.monotonic() + timeout_s
        while self.state()["status"] != status:
            assert time.monotonic() < deadline, f"still {self.state()['status']}, not {status}"
            time.sleep(0.02)

    def clean(self) -> None:
        """Remove the container, whatever became of it."""
        self.call("delete", "--force", self.id)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY)}


def base_config(container_id: str) -> dict[str, Any]:
    """A usual container: own namespaces, the usual mounts, Docker's capabilities."""
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": ["true"],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": {key: list(CAPABILITIES) for key in ("bounding", "effective", "permitted")},
        },
        "root": {"path": "rootfs"},
        "hostname": "tested",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
            },
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            },
            {
                "destination": "/sys",
                "type": "sysfs",
                "source": "sysfs",
                "options": ["nosuid", "noexec", "nodev", "ro"],
            },
        ],
        "linux": {
            "cgroupsPath": f"/pydock-test-{os.getpid()}/{container_id}",
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network", "cgroup")],
            "resources": {},
        },
    }


@contextlib.contextmanager
def fresh_bundle(directory: Path) -> Iterator[Bundle]:
    bundle = Bundle(directory)
    try:
        yield bundle
    finally:
        bundle.clean()


def remove_cgroup_parents() -> None:
    """What the runtime leaves on purpose: the parent of the containers' cgroups."""
    for found in cgroups_named(f"pydock-test-{os.getpid()}"):
        with contextlib.suppress(OSError):
            found.rmdir()


def cgroups_named(name: str) -> list[Path]:
    """Every cgroup directory of that name. Others come and go meanwhile, which `Path.glob` does not bear."""
    return [Path(folder, name) for folder, children, _files in os.walk("/sys/fs/cgroup") if name in children]
