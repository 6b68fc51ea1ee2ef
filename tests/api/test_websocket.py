"""Attaching by WebSocket: the handshake, frames of every kind and length, and clients that break the protocol."""

from __future__ import annotations

import os
import socket
import struct

import pytest

from tests.api.client import Api, read_head

pytestmark = pytest.mark.root

BINARY, TEXT, CLOSE, PING, PONG = 2, 1, 8, 9, 10
QUERY = "stream=1&stdin=1&stdout=1&stderr=1"


class WebSocketClient:
    def __init__(self, api: Api, target: str) -> None:
        self.sock = api.send(
            f"GET {target} HTTP/1.1\nHost: x\nUpgrade: websocket\nConnection: Upgrade\nOrigin: http://x\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n\n"
        )
        self.status, self.headers = read_head(self.sock)

    def __enter__(self) -> WebSocketClient:
        return self

    def __exit__(self, *_error: object) -> None:
        self.sock.close()

    def send(self, opcode: int, payload: bytes, *, final: bool = True) -> None:
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([opcode | (0x80 if final else 0)])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 1 << 16:
            head += b"\xfe" + struct.pack(">H", size)
        else:
            head += b"\xff" + struct.pack(">Q", size)
        self.sock.sendall(head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)))

    def receive(self) -> tuple[int, bytes]:
        head = self._exactly(2)
        assert not head[1] & 0x80, "a server does not mask"
        size = head[1]
        if size == 126:
            (size,) = struct.unpack(">H", self._exactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._exactly(8))
        return head[0] & 0x0F, self._exactly(size)

    def receive_data_until_close(self) -> bytes:
        data = b""
        while True:
            opcode, payload = self.receive()
            if opcode == CLOSE:
                return data
            assert opcode == BINARY
            data += payload

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.sock.recv(size - len(data))
            assert piece, f"closed after {data!r}"
            data += piece
        return data


def test_the_handshake_is_that_of_the_specification(api: Api) -> None:
    identifier = api.create("true")
    with WebSocketClient(api, f"/containers/{identifier}/attach/ws?{QUERY}") as client:
        assert client.status == 101
        assert client.headers["upgrade"] == "websocket"
        assert client.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_output_comes_as_plain_bytes_and_the_end_closes(api: Api) -> None:
    identifier = api.create("sh", "-c", "echo out; seq 1 30000; echo err >&2")
    with WebSocketClient(api, f"/containers/{identifier}/attach/ws?{QUERY}") as client:
        assert api("POST", f"/containers/{identifier}/start").status == 204
        data = client.receive_data_until_close()
    assert data.startswith(b"out\n1\n2\n")
    assert b"29999\n30000\n" in data
    assert b"err\n" in data


def test_input_in_frames_of_every_length(api: Api) -> None:
    identifier = api.create("wc", "-c", OpenStdin=True, StdinOnce=True)
    with WebSocketClient(api, f"/containers/{identifier}/attach/ws?{QUERY}") as client:
        api("POST", f"/containers/{identifier}/start")
        client.send(TEXT, b"x" * 100)
        client.send(BINARY, b"")
        client.send(BINARY, b"x" * 1_000, final=False)
        client.send(0, b"x" * 100_000)
        client.send(PING, b"are you there")
        opcode, payload = client.receive()
        assert (opcode, payload) == (PONG, b"are you there")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.receive_data_until_close().strip() == b"101100"


def test_a_terminal_echoes(api: Api) -> None:
    identifier = api.create("cat", Tty=True, OpenStdin=True)
    with WebSocketClient(api, f"/containers/{identifier}/attach/ws?{QUERY}") as client:
        api("POST", f"/containers/{identifier}/start")
        client.send(BINARY, b"hello\n")
        data = b""
        while data.count(b"hello") < 2:
            data += client.receive()[1]
        client.send(CLOSE, b"\x03\xe8")
        while True:
            opcode, payload = client.receive()
            if opcode == CLOSE:
                assert payload == b"\x03\xe8"
                break
    assert api("GET", f"/containers/{identifier}/json").json["State"]["Running"]


@pytest.mark.parametrize(
    "frame",
    [b"\x82\x05hello", b"\xf2\x80\0\0\0\0", b"\x83\x80\0\0\0\0", b"\x89\xfe\x01\x00\0\0\0\0"],
    ids=["not masked", "reserved bits", "reserved opcode", "long ping"],
)
def test_a_client_that_breaks_the_protocol_is_cut_off(api: Api, frame: bytes) -> None:
    identifier = api.run("sleep", "100", OpenStdin=True)
    with WebSocketClient(api, f"/containers/{identifier}/attach/ws?{QUERY}") as client:
        client.sock.sendall(frame)
        try:
            assert client.sock.recv(100) == b""
        except ConnectionResetError:
            pass


def test_what_is_no_handshake_is_refused(api: Api) -> None:
    identifier = api.create("true")
    assert api("GET", f"/containers/{identifier}/attach/ws?{QUERY}").status == 400
    with WebSocketClient(api, f"/containers/absent/attach/ws?{QUERY}") as client:
        assert client.status == 404
