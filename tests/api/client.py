"""A raw client of the API: single requests, and sockets that have left HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.engine import PYDOCK, EngineRoot, wait_until

TIMEOUT_S = 20.0


class Reply:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json["message"])


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = connect(self._path)


class Api:
    """One running `pydock serve`."""

    def __init__(self, root: EngineRoot, path: Path, process: subprocess.Popen[bytes]) -> None:
        self.root = root
        self.path = str(path)
        self.process = process

    def __call__(self, method: str, target: str, body: object = None, **headers: str) -> Reply:
        """One request on a connection of its own; a body is sent as JSON."""
        connection = _Connection(self.path)
        try:
            data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
            connection.request(method, target, data, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            return Reply(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def create(self, *command: str, name: str = "", host: dict[str, object] | None = None, **config: object) -> str:
        """The id of a new container of the toolbox."""
        query = f"?name={name}" if name else ""
        body = {"Image": "toolbox", "Cmd": list(command), "HostConfig": host or {}, **config}
        reply = self("POST", f"/containers/create{query}", body)
        assert reply.status == 201, reply.body
        return str(reply.json["Id"])

    def run(self, *command: str, **options: Any) -> str:
        """The id of a container that has been started."""
        identifier = self.create(*command, **options)
        assert self("POST", f"/containers/{identifier}/start").status == 204
        return identifier

    def send(self, request: str) -> socket.socket:
        """A connection on which these lines of a request were sent."""
        sock = connect(self.path)
        sock.sendall(request.replace("\n", "\r\n").encode())
        return sock

    def hijack(self, target: str, body: object = None, *, upgrade: bool = True) -> tuple[int, dict[str, str], Stream]:
        """(status, headers, stream) of a POST that leaves HTTP."""
        data = b"" if body is None else json.dumps(body).encode()
        lines = [f"POST {target} HTTP/1.1", "Host: x", "Content-Type: application/json"]
        lines += ["Connection: Upgrade", "Upgrade: tcp"] if upgrade else []
        sock = connect(self.path)
        sock.sendall("\r\n".join([*lines, f"Content-Length: {len(data)}", "", ""]).encode() + data)
        status, headers = read_head(sock)
        return status, headers, Stream(sock)

    def docker(self, *words: str, input: str | None = None, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
        """The real docker client against this server."""
        return subprocess.run(
            ["docker", *words],
            env={**self.root.environment, "DOCKER_HOST": f"unix://{self.path}", "DOCKER_CONFIG": "/nonexistent"},
            input=input if input is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def docker_ok(self, *words: str, input: str | None = None) -> str:
        done = self.docker(*words, input=input)
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.rstrip("\n")


class Stream:
    """What comes after the head of a hijacked request."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_error: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def end(self) -> None:
        """No more input; output goes on."""
        self.sock.shutdown(socket.SHUT_WR)

    def read_all(self) -> bytes:
        parts = []
        while data := self.sock.recv(1 << 16):
            parts.append(data)
        return b"".join(parts)

    def read_until(self, text: bytes) -> bytes:
        seen = b""
        while text not in seen:
            data = self.sock.recv(1 << 16)
            assert data, f"the stream ended before {text!r}: {seen[-500:]!r}"
            seen += data
        return seen


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """The multiplexed stream taken apart; fails on a torn one."""
    found = []
    while data:
        stream, length = struct.unpack(">BxxxL", data[:8])
        assert len(data) >= 8 + length
        found.append((stream, data[8 : 8 + length]))
        data = data[8 + length :]
    return found


def joined(data: bytes, stream: int) -> bytes:
    """All that came on one stream (1 stdout, 2 stderr)."""
    return b"".join(payload for number, payload in frames(data) if number == stream)


def connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(TIMEOUT_S)
    sock.connect(path)
    return sock


def read_head(sock: socket.socket) -> tuple[int, dict[str, str]]:
    """Status and headers; not one byte more is taken."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        assert byte, f"closed inside the head: {head!r}"
        head += byte
    first, *rest = head.decode().split("\r\n")
    pairs = (line.partition(":")[::2] for line in rest if line)
    return int(first.split()[1]), {key.lower(): value.strip() for key, value in pairs}


@contextlib.contextmanager
def serving(root: EngineRoot, path: Path, *options: str) -> Any:
    """`pydock serve` on a socket of its own; its first line is in a log beside the socket."""
    log = path.with_suffix(".log").open("wb")
    process = subprocess.Popen(
        [*PYDOCK, "serve", "--host", f"unix://{path}", *options], env=root.environment, stdout=log, stderr=log
    )
    try:
        wait_until(
            "the server listens",
            lambda: process.poll() is not None or b"serving" in path.with_suffix(".log").read_bytes(),
        )
        assert process.poll() is None, path.with_suffix(".log").read_text()
        yield Api(root, path, process)
    finally:
        process.terminate()
        process.wait(10)
        log.close()
        sys.stderr.write(path.with_suffix(".log").read_text())
