"""Files of containers over the API: what a path is, out, in, all of it, and what has changed."""

from __future__ import annotations

import base64
import io
import json
import stat
import tarfile
import threading
from typing import Any

import pytest

from tests.api.client import Api, connect, read_head

pytestmark = pytest.mark.root

GO_FOLDER, GO_LINK = 1 << 31, 1 << 27


def tar_of(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def path_stat(headers: dict[str, str]) -> dict[str, Any]:
    data = json.loads(base64.b64decode(headers["x-docker-container-path-stat"]))
    assert isinstance(data, dict)
    return data


def test_what_a_path_is(api: Api) -> None:
    identifier = api.run("sh", "-c", "mkdir /d; printf hello > /d/f; ln -s d/f /l; sleep 100")
    api("GET", f"/containers/{identifier}/top")
    api.root.ok("exec", identifier, "sh", "-c", "while [ ! -e /l ]; do sleep 0.05; done")
    head = api("HEAD", f"/containers/{identifier}/archive?path=/d/f")
    assert (head.status, head.body) == (200, b"")
    found = path_stat(head.headers)
    assert (found["name"], found["size"], found["linkTarget"]) == ("f", 5, "")
    assert found["mode"] == 0o644
    assert found["mtime"].endswith("Z")
    assert path_stat(api("HEAD", f"/containers/{identifier}/archive?path=/d").headers)["mode"] & GO_FOLDER
    link = path_stat(api("HEAD", f"/containers/{identifier}/archive?path=/l").headers)
    assert link["mode"] & GO_LINK
    assert link["linkTarget"] == "/d/f"
    assert api("HEAD", f"/containers/{identifier}/archive?path=/absent").status == 404
    assert api("HEAD", f"/containers/{identifier}/archive").status == 400
    assert api("HEAD", "/containers/absent/archive?path=/").status == 404


def test_out_and_in_whether_it_runs_or_not(api: Api) -> None:
    identifier = api.create("cat", "/root/sub/in.txt")
    data = tar_of("sub/in.txt", b"typed\n")
    assert api("PUT", f"/containers/{identifier}/archive?path=/root", data).status == 200
    api("POST", f"/containers/{identifier}/start")
    api("POST", f"/containers/{identifier}/wait")
    assert api("GET", f"/containers/{identifier}/logs?stdout=1").body[8:] == b"typed\n"
    reply = api("GET", f"/containers/{identifier}/archive?path=/root/sub")
    assert reply.headers["content-type"] == "application/x-tar"
    assert path_stat(reply.headers)["name"] == "sub"
    with tarfile.open(fileobj=io.BytesIO(reply.body)) as archive:
        names = [entry.name.rstrip("/") for entry in archive]
        assert names == ["sub", "sub/in.txt"]
    assert api("PUT", f"/containers/{identifier}/archive?path=/absent", data).status == 404
    assert api("PUT", f"/containers/{identifier}/archive?path=/etc/passwd", data).status == 400
    assert api("PUT", f"/containers/{identifier}/archive?path=/root", b"no tar" * 1000).status == 400
    assert api("GET", f"/containers/{identifier}/archive?path=/absent").status == 404


def test_a_large_body_comes_chunked_and_is_not_kept_in_memory(api: Api) -> None:
    identifier = api.run("sleep", "100")
    size = 40 << 20
    entry = tarfile.TarInfo("big")
    entry.size = size
    head = entry.tobuf()
    with connect(api.path) as sock:
        sock.sendall(
            f"PUT /containers/{identifier}/archive?path=/root HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        assert read_head(sock)[0] == 100

        def send() -> None:
            piece = b"x" * (1 << 20)
            sock.sendall(b"%x\r\n%s\r\n" % (len(head), head))
            for _ in range(size >> 20):
                sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            end = bytes(1024)
            sock.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(end), end))

        sender = threading.Thread(target=send)
        sender.start()
        assert read_head(sock)[0] == 200
        sender.join(20)
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_head(sock)[0] == 200
    assert api.root.ok("exec", identifier, "wc", "-c", "/root/big").split()[0] == str(size)


def test_a_client_that_goes_in_the_middle_leaves_the_server_well(api: Api) -> None:
    identifier = api.run("sleep", "100")
    with connect(api.path) as sock:
        request = f"PUT /containers/{identifier}/archive?path=/root HTTP/1.1\r\nHost: x\r\nContent-Length: 100000"
        sock.sendall(f"{request}\r\n\r\n".encode())
        sock.sendall(bytes(5000))
    with connect(api.path) as sock:
        sock.sendall(f"GET /containers/{identifier}/archive?path=/usr HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert read_head(sock)[0] == 200
    assert api("GET", f"/containers/{identifier}/archive?path=/etc/passwd").status == 200


def test_a_body_that_nobody_wants_does_not_hide_the_answer(api: Api) -> None:
    """The status comes although the client is still sending, and the connection serves on."""
    with connect(api.path) as sock:
        sock.sendall(b"PUT /containers/absent/archive?path=/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
        sock.sendall(bytes(3_000_000))
        status, headers = read_head(sock)
        assert status == 404
        sock.recv(int(headers["content-length"]))
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_head(sock)[0] == 200


def test_changes(api: Api) -> None:
    identifier = api.create("sh", "-c", "echo x > /root/new; rm /etc/passwd; chmod 700 /etc")
    assert api("GET", f"/containers/{identifier}/changes").json is None
    api("POST", f"/containers/{identifier}/start")
    api("POST", f"/containers/{identifier}/wait")
    found = {entry["Path"]: entry["Kind"] for entry in api("GET", f"/containers/{identifier}/changes").json}
    assert found == {"/root": 0, "/root/new": 1, "/etc": 0, "/etc/passwd": 2}
    assert api("GET", "/containers/absent/changes").status == 404


def test_export_is_the_whole_root(api: Api) -> None:
    identifier = api.run("sh", "-c", "echo x > /root/new; sleep 100")
    api.root.ok("exec", identifier, "sh", "-c", "while [ ! -s /root/new ]; do sleep 0.05; done")
    reply = api("GET", f"/containers/{identifier}/export")
    with tarfile.open(fileobj=io.BytesIO(reply.body)) as archive:
        members = {entry.name.rstrip("/"): entry for entry in archive}
        file = archive.extractfile(members["root/new"])
        assert file
        assert file.read() == b"x\n"
    assert "etc/passwd" in members
    assert stat.S_IMODE(members["tmp"].mode) == 0o1777
    assert api("GET", "/containers/absent/export").status == 404


def test_update(api: Api) -> None:
    identifier = api.run("sleep", "100", host={"Memory": 64 << 20})
    body = {
        "Memory": 96 << 20,
        "MemorySwap": 192 << 20,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
    }
    reply = api("POST", f"/containers/{identifier}/update", body)
    assert reply.status == 200
    host = api("GET", f"/containers/{identifier}/json").json["HostConfig"]
    assert host["Memory"] == 96 << 20
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    assert api("POST", f"/containers/{identifier}/update", {"Memory": 1}).status == 400
    assert api("POST", f"/containers/{identifier}/update", {"RestartPolicy": {"Name": "sometimes"}}).status == 400
    assert api("POST", "/containers/absent/update", {}).status == 404
