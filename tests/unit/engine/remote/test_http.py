"""HTTP as the remote engine speaks it: bodies in every framing, answers cut anywhere, what is no HTTP."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import (
    Conflict,
    ContainerNotFound,
    EngineError,
    ImageNotFound,
    InvalidRequest,
    NameInUse,
    NetworkNotFound,
    VolumeNotFound,
    WrongState,
)
from engine.remote.api import Api, quoted, refusal
from engine.remote.http import Body, BrokenAnswer, Client
from engine.remote.target import Target


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    """The data in pieces."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    start = 0
    for end in ends:
        yield data[start:end]
        start = end


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.lists(st.integers(0, 10_000), max_size=12))
def test_chunks_survive_any_cut(parts: list[bytes], places: list[int]) -> None:
    wire = b"".join(b"%X;ext=1\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    body = Body({"transfer-encoding": "chunked"})
    assert b"".join(body.feed(piece) for piece in cut(wire, places)) == b"".join(parts)
    assert body.done


def test_a_length_ends_the_body_and_no_more_is_taken() -> None:
    body = Body({"content-length": "5"})
    assert body.feed(b"abc") == b"abc"
    assert not body.done
    assert body.feed(b"defgh") == b"de"
    assert body.done


def test_a_body_without_framing_ends_with_the_connection() -> None:
    body = Body({})
    assert body.feed(b"x" * 10) == b"x" * 10
    assert not body.done
    assert not body.framed


def test_a_broken_chunk_is_an_error() -> None:
    with pytest.raises(BrokenAnswer, match="broken chunk"):
        Body({"transfer-encoding": "chunked"}).feed(b"zz\r\nabc\r\n")


class Server:
    """Answers each connection with the bytes of one script, and keeps what it was asked."""

    def __init__(self, path: Path, *scripts: bytes) -> None:
        self.asked: list[bytes] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve, args=(scripts,), daemon=True)
        self._thread.start()

    def _serve(self, scripts: tuple[bytes, ...]) -> None:
        for script in scripts:
            connection, _ = self._socket.accept()
            with connection:
                for answer in script.split(b"|"):
                    asked = b""
                    while b"\r\n\r\n" not in asked:
                        data = connection.recv(65536)
                        if not data:
                            return
                        asked += data
                    self.asked.append(asked)
                    connection.sendall(answer)

    def close(self) -> None:
        self._thread.join(10)
        self._socket.close()


PING = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"


def api_of(path: Path) -> Api:
    return Api(Target(text=f"unix://{path}", path=str(path)))


def test_the_version_of_both_is_spoken_on_one_connection(tmp_path: Path) -> None:
    path = tmp_path / "s"
    document = json.dumps({"Id": "x"}).encode()
    server = Server(
        path, PING + b"|HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n" + document + b"\r\n0\r\n\r\n"
    )
    api = api_of(path)
    assert api.json("GET", "/containers/a b/json", {"size": True, "no": False, "f": {"a": ["b&c"]}}) == {"Id": "x"}
    assert api.version == (1, 41)
    first = server.asked[1].split(b"\r\n")[0]
    assert first == b"GET /v1.41/containers/a b/json?size=1&f=%7B%22a%22%3A%20%5B%22b%26c%22%5D%7D HTTP/1.1"
    api.close()
    server.close()


def test_a_refusal_is_raised_as_what_it_means(tmp_path: Path) -> None:
    path = tmp_path / "s"
    text = b'{"message":"No such container: x"}'
    server = Server(path, PING + b"|HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
    with pytest.raises(ContainerNotFound, match="no such container: x"):
        api_of(path).json("GET", "/containers/x/json")
    server.close()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", b"SSH-2.0-hello\r\n\r\n"])
def test_what_is_cut_off_or_no_http_is_one_error(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "s"
    server = Server(path, answer or b"")
    client = Client(Target(text="unix:///s", path=str(path)))
    with pytest.raises(BrokenAnswer), client.request("GET", "/x") as response:
        response.read()
    server.close()


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "No such container: x", ContainerNotFound),
        (404, 'no container with name or ID "x" found: no such container', ContainerNotFound),
        (404, "No such image: x:latest", ImageNotFound),
        (404, "network x not found", NetworkNotFound),
        (404, "get x: no such volume", VolumeNotFound),
        (409, 'Conflict. The container name "/x" is already in use by container y', NameInUse),
        (409, "Container x is not running", WrongState),
        (409, "remove x: volume is in use - [y]", Conflict),
        (400, "invalid reference format", InvalidRequest),
        (500, "something", EngineError),
    ],
)
def test_refusals(status: int, message: str, kind: type[EngineError]) -> None:
    assert type(refusal(status, message)) is kind


def test_paths_are_quoted() -> None:
    assert quoted("a/b c?é") == "a%2Fb%20c%3F%C3%A9"
