"""Debian's dockerd and podman with roots of their own, holding our toolbox: what `pydock --host` is tried against.

Neither makes a bridge or a firewall rule: dockerd runs without a default network, and containers take
`--network none` on both.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.engine import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.engine import EngineRoot

START_S = 90


def program(name: str) -> str | None:
    """Its path; administrators' folders too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@contextlib.contextmanager
def dockerd(root: EngineRoot | None, network: Sequence[str] = ("--bridge=none", "--ip-forward=false")) -> Iterator[str]:
    """Its address, from when it has the toolbox of `root`, if any, until it has ended."""
    with base_folder() as base, Processes(base) as processes:
        (base / "containerd.toml").write_text(
            'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n', encoding="ascii"
        )
        (base / "docker.json").write_text("{}", encoding="ascii")
        processes.start(
            "containerd",
            *("--config", base / "containerd.toml", "--address", base / "c.sock"),
            *("--root", base / "containerd", "--state", base / "containerd-run"),
        )
        wait_until("containerd's socket", (base / "c.sock").exists, START_S)
        address = f"unix://{base}/docker.sock"
        processes.start(
            "dockerd",
            *("--host", address, "--containerd", base / "c.sock", "--config-file", base / "docker.json"),
            *("--data-root", base / "docker", "--exec-root", base / "docker-run", "--pidfile", base / "docker.pid"),
            *("--iptables=false", "--ip6tables=false", *network),
        )
        _load(root, base, address)
        yield address


@contextlib.contextmanager
def podman(root: EngineRoot) -> Iterator[str]:
    """The address of its system service, as with dockerd."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    with base_folder() as base, Processes(base) as processes:
        # crun takes no hybrid cgroups, and higher limits than ours may not be set here
        (base / "containers.conf").write_text(
            f'[containers]\ndefault_ulimits = ["nofile={min(files, 1024)}:{min(files, 1024)}", "nproc=1000:1000"]\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "runc"\n',
            encoding="ascii",
        )
        address = f"unix://{base}/podman.sock"
        folders = {"root": "lib", "runroot": "run", "tmpdir": "tmp", "network-config-dir": "net"}
        options = [word for name, folder in folders.items() for word in (f"--{name}", f"{base}/{folder}")]
        processes.environment["CONTAINERS_CONF"] = str(base / "containers.conf")
        processes.start("podman", *options, "system", "service", "--time", "0", address)
        _load(root, base, address)
        yield address


@contextlib.contextmanager
def served(root: EngineRoot) -> Iterator[str]:
    """The address of our own `pydock serve` over the session's engine."""
    path = root.base / "remote.sock"
    process = root.popen("serve", "--host", f"unix://{path}")
    try:
        wait_until("the socket of pydock serve", lambda: path.exists() or process.poll() is not None, START_S)
        assert process.poll() is None
        yield f"unix://{path}"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _load(root: EngineRoot | None, base: Path, address: str) -> None:
    """Wait until it answers, and give it the toolbox of our own store."""
    sock = address.removeprefix("unix://")
    curl = ["curl", "-sS", "--unix-socket", sock]
    wait_until(
        f"an answer at {address}",
        lambda: subprocess.run([*curl, "http://d/_ping"], capture_output=True, check=False).stdout == b"OK",
        START_S,
    )
    if root is None:
        return
    archive = base / "toolbox.tar"
    subprocess.run(
        [
            "skopeo",
            "copy",
            "-q",
            f"oci:{root.root}/oci:docker.io/library/toolbox:latest",
            f"docker-archive:{archive}:toolbox:latest",
        ],
        check=True,
    )
    done = subprocess.run(
        [
            *curl,
            "-f",
            "-X",
            "POST",
            "-H",
            "Content-Type: application/x-tar",
            "-T",
            str(archive),
            "http://d/images/load",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    archive.unlink()


@contextlib.contextmanager
def base_folder() -> Iterator[Path]:
    base = Path(tempfile.mkdtemp(prefix="other-"))
    try:
        yield base
    finally:
        mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
        for target in sorted((target for target in mounts if target.startswith(f"{base}/")), reverse=True):
            subprocess.run(["umount", "-l", target], check=False, capture_output=True)
        shutil.rmtree(base, ignore_errors=True)


class Processes:
    """Started in order, ended in reverse; what they started with their folder in the command line ends with them."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._started: list[subprocess.Popen[bytes]] = []
        self.environment = dict(os.environ)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_error: object) -> None:
        for process in reversed(self._started):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for folder in Path("/proc").glob("[0-9]*"):  # shims and monitors outlive their engines on purpose
            with contextlib.suppress(OSError):
                if str(self._base).encode() in (folder / "cmdline").read_bytes():
                    os.kill(int(folder.name), 9)

    def start(self, name: str, *words: object) -> None:
        path = program(name)
        assert path
        with (self._base / f"{name}.log").open("wb") as log:
            self._started.append(
                subprocess.Popen(
                    [path, *map(str, words)],
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
