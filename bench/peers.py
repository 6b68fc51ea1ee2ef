"""The programs that pydock is measured against. Each is found or reported missing; nothing is installed here."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

START_LIMIT_S = 30


def find(name: str) -> str | None:
    """The path of a program, looked for in the administrator's folders too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class Registry:
    """Debian's docker-registry on a free loopback port, storing in a temporary folder."""

    def __init__(self, base: Path) -> None:
        self.port = _free_port()
        folder = base / "registry"
        folder.mkdir()
        config = folder / "config.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
            f"http: {{addr: '127.0.0.1:{self.port}'}}\n"
        )
        program = find("docker-registry")
        assert program
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen([program, "serve", config], stdout=self._log, stderr=self._log)
        _wait_for(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close(), "docker-registry")

    def push(self, layout: Path, tag: str, name: str) -> str:
        """Copy an image of an OCI layout into the registry; its reference."""
        reference = f"127.0.0.1:{self.port}/{name}"
        run(["skopeo", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}:{tag}", f"docker://{reference}"])
        return reference

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()


class Docker:
    """dockerd and containerd of the system's packages, on temporary folders and sockets of their own.

    iptables is off unless `firewall` is asked for, because its rules would outlive the bench; a container without
    published ports needs none.
    """

    def __init__(self, base: Path, *, firewall: bool = False) -> None:
        self._base = base
        self._firewall = firewall
        self.socket = base / "docker.sock"
        self.host = f"unix://{self.socket}"
        self._had_bridge = Path("/sys/class/net/docker0").exists()
        self._log = (base / "docker.log").open("wb")
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._start_both()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_both(self) -> None:
        base = self._base
        containerd, dockerd = find("containerd"), find("dockerd")
        assert containerd
        assert dockerd
        (base / "docker.json").write_text("{}")
        config = base / "containerd.toml"
        config.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        address = base / "containerd.sock"
        self._start(
            containerd,
            *("--config", config, "--address", address),
            *("--root", base / "containerd", "--state", base / "containerd-run"),
        )
        _wait_for(lambda: _connect(address).close(), "containerd")
        self._start(
            dockerd,
            *("--host", self.host, "--containerd", address, "--data-root", base / "docker"),
            *(
                "--exec-root",
                base / "docker-run",
                "--pidfile",
                base / "docker.pid",
                "--config-file",
                base / "docker.json",
            ),
            *(() if self._firewall else ("--iptables=false", "--ip6tables=false")),
            *("--bip", "172.31.250.1/24"),
        )
        _wait_for(lambda: self.api("GET", "/_ping"), "dockerd")

    def __exit__(self, *_error: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()
        if not self._had_bridge:
            subprocess.run(["ip", "link", "delete", "docker0"], check=False, capture_output=True)

    def pids(self) -> list[int]:
        """dockerd and containerd."""
        return [process.pid for process in self._processes]

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request over the socket; raises on an error status."""
        connection = _UnixConnection(str(self.socket))
        try:
            connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            if response.status >= 400:
                raise RuntimeError(f"{method} {path}: {response.status} {text.decode(errors='replace')}")
            return json.loads(text) if text.startswith((b"{", b"[")) else text
        finally:
            connection.close()

    def cli(self, *words: str) -> None:
        run(["docker", "-H", self.host, *words])

    def _start(self, *words: object) -> None:
        self._processes.append(
            subprocess.Popen([str(word) for word in words], stdout=self._log, stderr=self._log, start_new_session=True)
        )


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = _connect(Path(self._path))


def run(words: list[Any], **options: Any) -> None:
    """Run a program that has to succeed; its output is shown when it does not."""
    done = subprocess.run(
        [str(word) for word in words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        check=False,
        **options,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout.decode()}")


def temporary_folder() -> Path:
    """A folder on a disk with a file system that overlay can lie on."""
    return Path(tempfile.mkdtemp(prefix="pydock-bench-", dir="/var/tmp"))


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(path))
    return connection


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(attempt: Any, what: str) -> None:
    end = time.monotonic() + START_LIMIT_S
    while True:
        try:
            attempt()
        except (OSError, RuntimeError, http.client.HTTPException):
            if time.monotonic() > end:
                raise RuntimeError(f"{what} did not start within {START_LIMIT_S} s") from None
            time.sleep(0.1)
        else:
            return
