"""What holds for every request: versions, limits, errors, half-close, and the socket itself."""

from __future__ import annotations

import os
import signal
import socket
import stat

import pytest

from tests.api.client import Api, Stream, connect, read_head, serving
from tests.support.engine import EngineRoot, wait_until

pytestmark = pytest.mark.root


def test_ping_tells_the_version_and_head_has_no_body(api: Api) -> None:
    reply = api("GET", "/_ping")
    assert (reply.status, reply.body) == (200, b"OK")
    assert reply.headers["api-version"] == "1.47"
    assert reply.headers["ostype"] == "linux"
    assert reply.headers["builder-version"] == "1"
    assert reply.headers["swarm"] == "inactive"
    head = api("HEAD", "/_ping")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize("version", ["/v1.24", "/v1.41", "/v1.47", ""])
def test_paths_work_with_and_without_a_version(api: Api, version: str) -> None:
    assert api("GET", f"{version}/containers/json").json == []


def test_versions_outside_the_range_are_refused_in_dockers_words(api: Api) -> None:
    new, old = api("GET", "/v1.99/version"), api("GET", "/v1.12/version")
    assert new.status == old.status == 400
    assert new.message == "client version 1.99 is too new. Maximum supported API version is 1.47"
    assert old.message.startswith("client version 1.12 is too old. Minimum supported API version is 1.24")


def test_unknown_paths_and_methods_are_told_apart(api: Api) -> None:
    assert api("GET", "/nonsense").status == 404
    assert api("DELETE", "/version").status == 405


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"text"', b'{"Image": 5}', b'{"Image":"toolbox","Env":"A=b"}', b"[" * 100_000],
    ids=["torn", "list", "string", "number for a string", "string for a list", "deep"],
)
def test_a_wrong_body_is_a_400(api: Api, body: bytes) -> None:
    reply = api("POST", "/containers/create", body)
    assert reply.status == 400
    assert reply.message


def test_malformed_http_is_answered_and_closed(api: Api) -> None:
    with api.send("GET / HTTP/1.1\nno colon here\n\n") as sock:
        status, _headers = read_head(sock)
        assert status == 400
        assert Stream(sock).read_all().endswith(b"}\n")


def test_headers_and_bodies_have_limits(api: Api) -> None:
    with connect(api.path) as sock:
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * (80 << 10))
        assert read_head(sock)[0] == 431
    with connect(api.path) as sock:
        sock.sendall(b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n")
        try:
            sock.sendall(b"x" * 9_000_000)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all of it was sent
        assert read_head(sock)[0] == 413


def test_a_client_that_waits_for_100_continue_gets_it(api: Api) -> None:
    with api.send("POST /containers/create HTTP/1.1\nHost: x\nExpect: 100-continue\nContent-Length: 2\n\n") as sock:
        assert read_head(sock)[0] == 100
        sock.sendall(b"{}")
        assert read_head(sock)[0] == 400


def test_requests_sent_ahead_are_answered_in_order(api: Api) -> None:
    with api.send("GET /_ping HTTP/1.1\nHost: x\n\nGET /nonsense HTTP/1.1\nHost: x\n\n") as sock:
        assert read_head(sock)[0] == 200
        assert sock.recv(2) == b"OK"
        assert read_head(sock)[0] == 404


def test_a_client_that_closes_its_sending_side_is_still_answered(api: Api) -> None:
    with api.send("GET /version HTTP/1.1\nHost: x\n\n") as sock:
        sock.shutdown(socket.SHUT_WR)
        assert read_head(sock)[0] == 200


def test_the_socket_is_for_root_alone(api: Api) -> None:
    assert stat.S_IMODE(os.stat(api.path).st_mode) == 0o600


def test_a_group_may_be_let_in_and_one_socket_has_one_server(pydock: EngineRoot) -> None:
    path = pydock.base / "group.sock"
    with serving(pydock, path, "--group", "daemon"):
        status = os.stat(path)
        assert stat.S_IMODE(status.st_mode) == 0o660
        assert status.st_gid == 1
        second = pydock.pydock("serve", "--host", f"unix://{path}")
        assert second.returncode != 0
        assert "another pydock serves" in second.stderr
    assert not path.exists()


def test_a_wrong_address_or_group_is_refused(pydock: EngineRoot) -> None:
    assert "clients with a certificate only" in pydock.pydock("serve", "--host", "tcp://0.0.0.0:0").stderr
    done = pydock.pydock("serve", "--host", f"unix://{pydock.base}/g.sock", "--group", "no-such-group")
    assert "No such group" in done.stderr


def test_the_server_ends_at_once_with_streams_open_and_containers_live_on(pydock: EngineRoot) -> None:
    with serving(pydock, pydock.base / "end.sock") as api:
        identifier = api.run("sleep", "100")
        streams = [
            api.send("GET /events HTTP/1.1\nHost: x\n\n"),
            api.send(f"GET /containers/{identifier}/logs?stdout=1&follow=1 HTTP/1.1\nHost: x\n\n"),
            api.hijack(f"/containers/{identifier}/attach?stream=1&stdout=1")[2].sock,
        ]
        for sock in streams[:2]:
            assert read_head(sock)[0] == 200
        api.process.send_signal(signal.SIGTERM)
        assert api.process.wait(20) == 0
        for sock in streams:
            sock.close()
    assert identifier[:12] in pydock.ok("ps", "-q")


def test_clients_that_go_leave_nothing_in_the_server(api: Api) -> None:
    identifier = api.run("sleep", "100")
    folder = f"/proc/{api.process.pid}/fd"
    api("GET", f"/containers/{identifier}/logs?stdout=1")
    before = len(os.listdir(folder))
    socks = []
    for _ in range(20):
        socks.append(api.send("GET /events HTTP/1.1\nHost: x\n\n"))
        socks.append(api.send(f"GET /containers/{identifier}/logs?stdout=1&follow=1 HTTP/1.1\nHost: x\n\n"))
        socks.append(api.send(f"POST /containers/{identifier}/wait HTTP/1.1\nHost: x\nContent-Length: 0\n\n"))
    for sock in socks:
        assert read_head(sock)[0] == 200
    stream = api.hijack(f"/containers/{identifier}/attach?stream=1&stdout=1&stdin=1")[2]
    stream.end()  # half-closed, and then gone altogether
    for sock in (*socks, stream.sock):
        sock.close()
    wait_until("no connection is left", lambda: connections(api.path) == 0, 20)
    # threads that served a stream keep their database connection (three descriptors) for the next one
    threads = len(os.listdir(f"/proc/{api.process.pid}/task"))
    assert len(os.listdir(folder)) <= before + 3 * threads


def connections(path: str) -> int:
    """Accepted connections of a listening socket, as the kernel counts them (state 03)."""
    with open("/proc/net/unix") as file:
        return sum(line.split()[5] == "03" and line.rstrip().endswith(path) for line in file)
