"""What the rows need: our engine on temporary roots, the peers, a registry, and the images in all of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from . import images, peers

if TYPE_CHECKING:
    from engine.engine import Engine

WANTED = ("dockerd", "containerd", "docker", "podman", "runc", "crun", "docker-registry", "skopeo", "busybox")


# podman raises limits by default, which needs CAP_SYS_RESOURCE; virtual machines may withhold it
PODMAN_RUN = ("run", "--rm", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")


class Stage:
    """`with Stage(large=…) as stage:`; everything it started ends with it."""

    engine: Engine

    def __init__(self, *, large: bool, firewall: bool = False) -> None:
        """`firewall`: dockerd may set its own up, as in a network namespace that goes with the bench."""
        self.base = peers.temporary_folder()
        self.run_root = self.base / "run"
        self.missing = [name for name in WANTED if peers.find(name) is None]
        self.docker: peers.Docker | None = None
        self.podman: list[str] | None = None
        self.small = ""
        self.large = ""
        self._with_large = large
        self._firewall = firewall
        self._stack = contextlib.ExitStack()
        self._environment = {
            **os.environ,
            "PYDOCK_ROOT": str(self.base / "lib"),
            "PYDOCK_RUN_ROOT": str(self.run_root),
        }
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self._command = str(Path(sys.executable).with_name("pydock"))

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def pydock(self, *words: str) -> None:
        """Run our command; it has to succeed."""
        peers.run([self._command, *words], env=self._environment)

    def _build(self) -> None:
        for name in ("docker-registry", "skopeo", "busybox"):
            if name in self.missing:
                raise SystemExit(f"bench: {name} is missing: apt-get install -y docker-registry skopeo busybox-static")
        self._stack.callback(self._clear)
        registry = peers.Registry(self.base)
        self._stack.callback(registry.close)
        layout = images.Layout(self.base / "layout")
        layout.add("small", [images.busybox_layer()], ["sh"])
        self.small = registry.push(layout.folder, "small", "bench/small:latest")
        if self._with_large:
            layout.add("large", images.large_layers(), ["sh"])
            self.large = registry.push(layout.folder, "large", "bench/large:latest")
        self._open_engine()
        if {"dockerd", "containerd", "docker"}.isdisjoint(self.missing):
            try:
                self.docker = self._stack.enter_context(peers.Docker(self.base, firewall=self._firewall))
                self.docker.cli("pull", "-q", self.small)
            except (RuntimeError, OSError) as error:
                self.missing.append(f"dockerd (does not start: {error})")
                self.docker = None
        if "podman" not in self.missing:
            self._open_podman()

    def _clear(self) -> None:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        for target in sorted((line.split()[4] for line in lines), reverse=True):
            if target.startswith(f"{self.base}/"):
                subprocess.run(["umount", "-l", target], check=False, capture_output=True)
        shutil.rmtree(self.base, ignore_errors=True)

    def _open_engine(self) -> None:
        from engine.engine import Engine

        self.pydock("pull", "-q", self.small)
        self._stack.callback(self._close_engine)
        self.engine = Engine(str(self.base / "lib"), str(self.run_root))

    def _close_engine(self) -> None:
        for container in self.engine.containers.list(all=True):
            self.engine.containers.remove(container.id, force=True)
        self.engine.networks.teardown()
        self.engine.close()
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if str(self.run_root).encode() in (folder / "cmdline").read_bytes():
                    os.kill(int(folder.name), signal.SIGTERM)

    def _open_podman(self) -> None:
        podman = [
            "podman",
            # crun refuses hosts with hybrid cgroups
            *("--runtime", "runc"),
            *("--root", str(self.base / "podman"), "--runroot", str(self.base / "podman-run")),
            *("--tmpdir", str(self.base / "podman-tmp")),
        ]
        try:
            peers.run([*podman, "pull", "-q", "--tls-verify=false", self.small])
            peers.run([*podman, *PODMAN_RUN, self.small, "true"])
        except RuntimeError as error:
            self.missing.append(f"podman (does not run: {str(error).splitlines()[-1]})")
            return
        self._stack.callback(subprocess.run, [*podman, "rm", "-af"], check=False, capture_output=True)
        self.podman = podman
