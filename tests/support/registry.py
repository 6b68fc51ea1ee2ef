"""A real registry (Debian's docker-registry) on the loopback, and a proxy in front of it that has bad days."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WAIT_S = 15.0


def missing() -> str:
    """The program that these tests need and this machine lacks; "" when all are here."""
    return next((tool for tool in ("docker-registry", "skopeo") if shutil.which(tool) is None), "")


@contextlib.contextmanager
def run_registry(folder: Path, *, htpasswd: str = "", address: str = "") -> Iterator[str]:
    """Serve `folder`; yields `127.0.0.1:port`. `htpasswd` is the content of such a file and asks for a login."""
    folder.mkdir(parents=True, exist_ok=True)
    address = address or f"127.0.0.1:{_free_port()}"
    lines = [
        "version: 0.1",
        "log: {level: error, accesslog: {disabled: true}}",
        f"storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: true}}}}",
        f"http: {{addr: '{address}'}}",
    ]
    if htpasswd:
        (folder / "htpasswd").write_text(htpasswd)
        lines.append(f"auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}")
    config = folder / "config.yml"
    config.write_text("\n".join(lines) + "\n")
    log = (folder / "log").open("wb")
    process = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)
    try:
        _wait_for(address, process)
        yield address
    finally:
        process.kill()
        process.wait()
        log.close()


def push(layout: Path, name: str, target: str, *, user: str = "", fmt: str = "") -> None:
    """Copy `name` of an OCI layout to `registry/repository:tag` with skopeo."""
    command = ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false"]
    if user:
        command += ["--dest-creds", user]
    if fmt:
        command += ["--format", fmt]
    subprocess.run([*command, f"oci:{layout}:{name}", f"docker://{target}"], check=True, capture_output=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError("docker-registry ended at its start")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"docker-registry does not listen on {address}")


class Request:
    """What the proxy saw."""

    def __init__(self, path: str, headers: dict[str, str], method: str = "GET") -> None:
        self.path = path
        self.method = method
        self.headers = headers
        self.sent = 0

    @property
    def is_blob(self) -> bool:
        return "/blobs/" in self.path

    @property
    def is_manifest(self) -> bool:
        return "/manifests/" in self.path


class Answer:
    """What the proxy does with a request instead of passing it on unharmed."""

    def __init__(
        self,
        *,
        status: int = 0,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        cut_after: int = -1,
        stall_after: int = -1,
        flip: bool = False,
        plain: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers or {}
        self.body = body
        self.cut_after = cut_after
        self.stall_after = stall_after
        self.flip = flip
        self.plain = plain


class Proxy:
    """Forwards to a registry; `misbehave(request, number)` may return an Answer. `requests` keeps what came."""

    def __init__(self, upstream: str, misbehave: Callable[[Request, int], Answer | None]) -> None:
        self.requests: list[Request] = []
        self._misbehave = misbehave
        self._upstream = upstream
        self._lock = threading.Lock()
        self._ended = threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                proxy.serve(self)

            do_HEAD = do_POST = do_PUT = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self._server: socketserver.BaseServer = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    def blobs(self) -> list[Request]:
        return [request for request in self.requests if request.is_blob]

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        request = Request(handler.path, dict(handler.headers.items()), handler.command)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
        answer = self._misbehave(request, number) or Answer()
        if answer.status:
            self._reply(handler, answer)
            return
        connection = HTTPConnection(self._upstream, timeout=30)
        try:
            passed = {key: value for key, value in request.headers.items() if key.lower() not in ("host", "connection")}
            passed["Host"] = self.address  # so that the upload's address leads here as well
            connection.request(handler.command, handler.path, body=body or None, headers=passed)
            response = connection.getresponse()
            handler.send_response(response.status)
            for key, value in response.getheaders():
                if key.lower() not in ("connection", "date", "server"):
                    handler.send_header(key, value)
            handler.end_headers()
            self._pass_body(handler, request, answer, response.read)
        finally:
            connection.close()

    def _pass_body(
        self, handler: BaseHTTPRequestHandler, request: Request, answer: Answer, read: Callable[[int], bytes]
    ) -> None:
        while data := read(32 << 10):
            if answer.flip:
                data = bytes([data[0] ^ 0xFF]) + data[1:]
            if 0 <= answer.cut_after <= request.sent + len(data):
                handler.wfile.write(data[: answer.cut_after - request.sent])
                request.sent = answer.cut_after
                handler.close_connection = True
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            if 0 <= answer.stall_after <= request.sent + len(data):
                self._ended.wait(60)
                handler.close_connection = True
                return
            handler.wfile.write(data)
            request.sent += len(data)

    def _reply(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.send_response(answer.status)
        for key, value in answer.headers.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        handler.wfile.write(answer.body)


def docker_config(folder: Path, domain: str, user: str, password: str) -> None:
    """Write credentials as `docker login` does."""
    folder.mkdir(exist_ok=True)
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {domain: {"auth": auth}}}))
    os.chmod(folder / "config.json", 0o600)
