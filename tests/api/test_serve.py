"""Where the server listens and whom it lets in: TLS, several addresses, sockets of systemd."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.tls import TLSConfig

from tests.api.certificates import Authority
from tests.api.client import Api, Stream, connect, joined, read_head, serving
from tests.support.engine import PYDOCK, EngineRoot, wait_until
from tests.support.pty_program import PtyProgram

pytestmark = [pytest.mark.root, pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")]


class TlsServer:
    def __init__(self, api: Api, port: int, authority: Authority) -> None:
        self.api = api
        self.port = port
        self.authority = authority
        self.client_folder = authority.sign("client", "clientAuth")

    def context(self, certificate: Path | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority.ca))
        if certificate:
            context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        return context

    def get(self, target: str, certificate: Path | None) -> int:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context(certificate), timeout=20)
        try:
            connection.request("GET", target)
            return connection.getresponse().status
        finally:
            connection.close()

    def docker(self, *words: str, input: str = "") -> subprocess.CompletedProcess[str]:
        environment = {
            **self.api.root.environment,
            "DOCKER_HOST": f"tcp://127.0.0.1:{self.port}",
            "DOCKER_TLS_VERIFY": "1",
            "DOCKER_CERT_PATH": str(self.client_folder),
        }
        return subprocess.run(
            ["docker", *words], env=environment, input=input, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def tls(pydock: EngineRoot, tmp_path: Path) -> Iterator[TlsServer]:
    authority = Authority(tmp_path / "ca")
    server = authority.sign("server", "serverAuth")
    path = pydock.base / "tls.sock"
    options = ["--host", "tcp://127.0.0.1:0", "--tlsverify", "--tlscacert", str(authority.ca)]
    options += ["--tlscert", str(server / "cert.pem"), "--tlskey", str(server / "key.pem")]
    with serving(pydock, path, *options) as api:
        found = re.search(r"tcp://127\.0\.0\.1:(\d+)", path.with_suffix(".log").read_text())
        assert found
        yield TlsServer(api, int(found[1]), authority)


def test_a_certificate_lets_in_and_nothing_else_does(tls: TlsServer, tmp_path: Path) -> None:
    assert tls.get("/_ping", tls.client_folder) == 200
    assert tls.api("GET", "/_ping").status == 200
    stranger = Authority(tmp_path / "other").sign("stranger", "clientAuth")
    wrong_use = tls.authority.sign("peer", "serverAuth")
    for certificate in (None, stranger, wrong_use):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            tls.get("/_ping", certificate)
    with socket.create_connection(("127.0.0.1", tls.port), timeout=20) as plain:
        plain.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            assert b"HTTP" not in Stream(plain).read_all()
        except ConnectionError:
            pass
    assert tls.get("/_ping", tls.client_folder) == 200


def test_input_ends_and_output_goes_on_through_tls(tls: TlsServer) -> None:
    """close_notify is the end of what the client types, and not of what it reads."""
    identifier = tls.api.create("sh", "-c", "wc -c; sleep 0.3; echo after", OpenStdin=True, StdinOnce=True)
    raw = socket.create_connection(("127.0.0.1", tls.port), timeout=20)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls.context(tls.client_folder).wrap_bio(incoming, outgoing, server_hostname="localhost")

    def exchange(action: object) -> bytes:
        while True:
            try:
                result = action()  # type: ignore[operator]
                raw.sendall(outgoing.read())
                return result if isinstance(result, bytes) else b""
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                data = raw.recv(1 << 16)
                incoming.write(data) if data else incoming.write_eof()

    exchange(client.do_handshake)
    head = f"POST /containers/{identifier}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\n"
    client.write((head + "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n").encode())
    answer = exchange(lambda: client.read(1 << 16))
    assert answer.startswith(b"HTTP/1.1 101")
    assert answer.endswith(b"\r\n\r\n")
    assert tls.api("POST", f"/containers/{identifier}/start").status == 204
    client.write(b"x" * 300_000)
    raw.sendall(outgoing.read())
    with pytest.raises(ssl.SSLWantReadError):
        client.unwrap()
    raw.sendall(outgoing.read())
    data = b""
    while b"after" not in data:
        piece = exchange(lambda: client.read(1 << 16))
        assert piece, data
        data += piece
    assert joined(data, 1).split() == [b"300000", b"after"]
    raw.close()


@pytest.mark.skipif(shutil.which("docker") is None, reason="needs the docker client")
def test_dockers_client_through_tls(tls: TlsServer) -> None:
    done = tls.docker("run", "--rm", "-i", "toolbox", "sh", "-c", "wc -c; exit 5", input="y" * 1_000_000)
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("1000000", "", 5)


def test_pydock_itself_through_tls(tls: TlsServer, tmp_path: Path) -> None:
    """By variables and by a context: input and its end, a terminal, and who has no certificate."""
    address, folder = f"tcp://127.0.0.1:{tls.port}", tls.client_folder
    by_variables = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(folder), "PYDOCK_HOST": address}
    run = ("run", "--rm", "-i", "toolbox", "sh", "-c", "wc -c; exit 5")
    done = tls.api.root.pydock(*run, input="y" * 1_000_000, environment=by_variables)
    assert (done.stdout.strip(), done.stderr, done.returncode) == ("1000000", "", 5)
    ours = {"XDG_CONFIG_HOME": str(tmp_path)}
    files = f"ca={folder}/ca.pem,cert={folder}/cert.pem,key={folder}/key.pem"
    made = tls.api.root.pydock("context", "create", "lab", "--docker", f"host={address},{files}", environment=ours)
    assert made.returncode == 0, made.stderr
    environment = {**tls.api.root.environment, **ours}
    with PtyProgram([*PYDOCK, "-c", "lab", "run", "--rm", "-it", "toolbox", "sh"], environment) as shell:
        shell.type("echo a$((40+2))z; head -c 300000 /dev/zero | tr '\\0' x; echo; exit 3\n")
        shell.expect("a42z")
        shell.expect("xxxxx")
        assert shell.wait() == 3
        assert shell.restored()
    assert shell.output.count(b"x") >= 300_000
    refused = tls.api.root.pydock("--host", address, "--tlsverify", "--tlscacert", f"{folder}/ca.pem", "ps")
    assert refused.returncode == 1
    assert "certificate" in refused.stderr
    plain = tls.api.root.pydock("--host", address, "ps")
    assert plain.returncode == 1
    assert "--tlsverify" in plain.stderr


def test_docker_py_through_tls(tls: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # would come before the CA that is given
        monkeypatch.delenv(name, raising=False)
    folder = tls.client_folder
    config = TLSConfig(
        client_cert=(str(folder / "cert.pem"), str(folder / "key.pem")), ca_cert=str(tls.authority.ca), verify=True
    )
    client = docker.DockerClient(base_url=f"tcp://127.0.0.1:{tls.port}", tls=config, timeout=30)
    try:
        container = client.containers.run("toolbox", ["sleep", "100"], detach=True)
        assert container.exec_run(["echo", "hi"]) == (0, b"hi\n")
        container.remove(force=True)
    finally:
        client.close()


def test_handshakes_that_do_not_go_on_keep_nobody_out(tls: TlsServer) -> None:
    waiting = [socket.create_connection(("127.0.0.1", tls.port), timeout=20) for _ in range(50)]
    waiting[0].sendall(b"\x16\x03\x01")
    assert tls.get("/version", tls.client_folder) == 200
    for sock in waiting:
        sock.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "tcp://127.0.0.1:0"], "clients with a certificate only"),
        (["--host", "tcp://127.0.0.1:0", "--tls"], "alone would let in anyone"),
        (["--host", "tcp://127.0.0.1:0", "--tlsverify"], "annot read /etc/pydock/tls/ca.pem"),
        (["--host", "fd://"], "without a socket from systemd"),
        (["--host", "tcp://127.0.0.1:none", "--tlsverify"], "written as"),
        (["--host", "127.0.0.1"], "written as"),
    ],
)
def test_what_cannot_be_served_is_refused_in_words(pydock: EngineRoot, options: list[str], message: str) -> None:
    done = pydock.pydock("serve", *options)
    assert done.returncode != 0
    assert message in done.stderr


def test_a_file_that_is_no_certificate_is_named(pydock: EngineRoot, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no pem")
    options = ["--tlsverify", "--tlscacert", str(wrong), "--tlscert", str(wrong), "--tlskey", str(wrong)]
    done = pydock.pydock("serve", "--host", "tcp://127.0.0.1:0", *options)
    assert done.returncode != 0
    assert f"{wrong} is no certificate authority" in done.stderr


def test_several_addresses_have_one_server(pydock: EngineRoot) -> None:
    second = pydock.base / "second.sock"
    with serving(pydock, pydock.base / "first.sock", "--host", f"unix://{second}") as api:
        identifier = api.create("true")
        with connect(str(second)) as sock:
            sock.sendall(f"GET /containers/{identifier}/json HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert read_head(sock)[0] == 200
    assert not second.exists()


def test_the_sockets_of_systemd_are_served(pydock: EngineRoot) -> None:
    """Two of them, from descriptor 3 on, for the process whose id is in LISTEN_PID."""
    paths = [pydock.base / "systemd-a.sock", pydock.base / "systemd-b.sock"]
    listeners = []
    for path in paths:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        listeners.append(listener)
    script = (
        "import fcntl, os, sys\n"
        "fds = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 10) for fd in sys.argv[1:3]]\n"
        "for place, fd in enumerate(fds): os.dup2(fd, 3 + place); os.set_inheritable(3 + place, True)\n"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='2')\n"
        "os.execv(sys.argv[3], sys.argv[3:])\n"
    )
    numbers = [str(listener.fileno()) for listener in listeners]
    log = (pydock.base / "systemd.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-c", script, *numbers, *PYDOCK, "serve"],
        env=pydock.environment,
        pass_fds=[listener.fileno() for listener in listeners],
        stdout=log,
        stderr=log,
    )
    try:
        for path in paths:
            with connect(str(path)) as sock:
                sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
                assert read_head(sock)[0] == 200
    finally:
        process.terminate()
        assert process.wait(20) == 0
        log.close()
        for listener in listeners:
            listener.close()
    assert all(path.exists() for path in paths), "they are systemd's"
    assert b"the socket of systemd" in (pydock.base / "systemd.log").read_bytes()


def test_a_client_that_begins_a_request_and_no_more_is_let_go(api: Api) -> None:
    """Half of a header costs its bytes and no more: others are served meanwhile."""
    waiting = [connect(api.path) for _ in range(100)]
    for sock in waiting:
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: ")
    assert api("GET", "/_ping").status == 200
    for sock in waiting:
        sock.sendall(b"x\r\n\r\n")
    assert [read_head(sock)[0] for sock in waiting] == [200] * 100
    for sock in waiting:
        sock.close()


def test_two_hundred_clients_at_once(api: Api) -> None:
    """Half of them with streams that nobody reads, half of them asking; each is answered and memory stays flat."""
    identifier = api.run("sh", "-c", "seq 1 100000; sleep 1000")
    wait_until(
        "it has printed", lambda: api("GET", f"/containers/{identifier}/logs?stdout=1&tail=1").body[8:] == b"100000\n"
    )
    before = resident_bytes(api.process.pid)
    streams = [
        api.send(f"GET /containers/{identifier}/logs?stdout=1&follow=1 HTTP/1.1\nHost: x\n\n") for _ in range(100)
    ]
    asking = [connect(api.path) for _ in range(100)]
    for sock in asking:
        sock.sendall(f"GET /containers/{identifier}/json HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert [read_head(sock)[0] for sock in asking] == [200] * 100
    assert [read_head(sock)[0] for sock in streams] == [200] * 100
    assert api("GET", "/_ping").status == 200
    assert resident_bytes(api.process.pid) - before < 250 << 20
    for sock in (*asking, *streams):
        sock.close()
    api("DELETE", f"/containers/{identifier}?force=1")


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
