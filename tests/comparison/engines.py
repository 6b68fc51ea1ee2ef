"""The two engines that are compared, each with docker's client, the same small image, and a registry."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.api.client import serving
from tests.support import other_engines, registry
from tests.support.engine import EngineRoot
from tests.support.pty_program import PtyProgram

from .step import Outcome, Step, outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSYBOX = "/bin/busybox"
BRIDGE = "pdk-compare0"
PATIENCE_S = 60


class Client:
    """docker's client at one engine."""

    def __init__(self, host: str, base: Path, registry_address: str, private: dict[str, str]) -> None:
        self._environment = {
            **os.environ,
            "DOCKER_HOST": host,
            "DOCKER_CONFIG": str(base / "docker-config"),
            "DOCKER_CLI_HINTS": "false",
            "TERM": "xterm",
            "COLUMNS": "400",
        }
        self._directory = base / "files"
        self._directory.mkdir(exist_ok=True)
        self._registry = registry_address
        self._private = {**private, str(self._directory): "<dir>", registry_address: "<registry>"}
        self.begun = time.time()

    def begin(self) -> None:
        """A new case: its events begin now, and its files are not there yet."""
        self.begun = time.time()
        for path in sorted(self._directory.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        (self._directory / "file").write_text("of the host\n")

    def run(self, step: Step) -> Outcome:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            code, out, err = self._once(step)
            if not step.until or step.until in out or time.monotonic() > deadline:
                return outcome(step, code, out, err, self._private)
            time.sleep(0.1)

    def clean(self) -> None:
        """No container, network, volume or further image is left."""
        for kind, list_words in (("rm -fv", "ps -aq"), ("network rm", "network ls -q -f type=custom")):
            self._each(kind, list_words)
        self._each("volume rm", "volume ls -q")
        images = self._docker("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").splitlines()
        for line in images:
            name, _, identifier = line.partition(" ")
            if name not in ("box:1", "toolbox:latest"):
                self._docker("rmi", "-f", identifier if "<none>" in name else name)

    def version(self) -> str:
        return self._docker("version", "-f", "{{.Server.Version}}").strip()

    def _each(self, action: str, listing: str) -> None:
        found = self._docker(*listing.split()).split()
        if found:
            self._docker(*action.split(), *found)

    def _docker(self, *words: str) -> str:
        done = subprocess.run(
            ["docker", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return done.stdout

    def _once(self, step: Step) -> tuple[int, str, str]:
        places = {
            "dir": str(self._directory),
            "registry": self._registry,
            "begun": f"{self.begun:.3f}",
            "now": f"{time.time() + 0.001:.3f}",
        }
        words = step.words(places)
        if step.types:
            with PtyProgram(words, self._environment, rows=33, columns=99) as program:
                for expected, typed in step.types:
                    program.expect(expected)
                    program.type(typed)
                code = program.wait(PATIENCE_S)
                return code, program.screen(), ""
        try:
            done = subprocess.run(
                words,
                env=self._environment,
                input=step.input,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 124, "", f"no end within {PATIENCE_S} s"
        return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def pydock(root: EngineRoot) -> Iterator[Client]:
    """Our server over an engine root."""
    with tempfile.TemporaryDirectory(prefix="compare-") as folder:
        base = Path(folder)
        path = root.base / "compare.sock"
        with registry.run_registry(base / "registry") as address, serving(root, path):
            private = {str(root.root): "<root>", str(root.run_root): "<run root>"}
            client = Client(f"unix://{path}", base, address, private)
            make_image(client, base)
            yield client
            client.clean()


@contextlib.contextmanager
def dockerd() -> Iterator[Client]:
    """Debian's dockerd, on a bridge of its own; it makes no firewall rules."""
    with tempfile.TemporaryDirectory(prefix="compare-") as folder, _bridge():
        base = Path(folder)
        options = (
            f"--bridge={BRIDGE}",
            *("--default-address-pool", "base=10.231.0.0/16,size=24"),
        )
        with registry.run_registry(base / "registry") as address, other_engines.dockerd(None, options) as host:
            root = host.removeprefix("unix://").rpartition("/")[0]
            client = Client(host, base, address, {f"{root}/docker": "<root>", root: "<run root>"})
            make_image(client, base)
            yield client
            client.clean()


def make_image(client: Client, base: Path) -> None:
    """`box:1`: Debian's static busybox and nothing else, imported, so that both engines have the same."""
    archive = base / "box.tar"
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    with tarfile.open(archive, "w") as tar:
        for name in ("bin", "etc", "root", "tmp"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            tar.addfile(entry)
        tar.add(BUSYBOX, "bin/busybox", filter=_owned_by_root)
        for name in applets:
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            if name != "busybox":
                tar.addfile(entry)
        for name, text in (
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/tmp:/bin/sh\n"),
            ("etc/group", "root:x:0:\nann:x:1000:\nstaff:x:50:ann\n"),
        ):
            data = base / "text"
            data.write_text(text)
            tar.add(data, name, filter=_owned_by_root)
    words = ("import", "--change", 'CMD ["sh"]', "--change", "ENV KIND=box", "--change", "LABEL maker=test")
    client._docker(*words, "-m", "made of busybox", str(archive), "box:1")


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 1_700_000_000
    return entry


@contextlib.contextmanager
def _bridge() -> Iterator[None]:
    for words in (("add", BRIDGE, "type", "bridge"), ("set", BRIDGE, "up")):
        subprocess.run(["ip", "link", *words], check=True, capture_output=True)
    subprocess.run(["ip", "address", "add", "10.230.0.1/24", "dev", BRIDGE], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "delete", BRIDGE], check=False, capture_output=True)
