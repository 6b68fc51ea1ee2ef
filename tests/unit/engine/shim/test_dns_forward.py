"""Questions passed on to resolvers that are slow, silent, lying, refusing or talkative."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING

import pytest
from dnslib import QTYPE, RR, A, DNSRecord  # type: ignore[import-untyped]

from engine.shim import dns_forward
from engine.shim.dns_forward import Exchange, HostResolvers
from engine.shim.loop import Loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

QUESTION = bytes(DNSRecord.question("example.org").pack())
SHORT_S = 0.2


@pytest.fixture(autouse=True)
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """One port, free on all addresses used here, in place of 53; and little patience."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        number = int(probe.getsockname()[1])
    monkeypatch.setattr(dns_forward, "PORT", number)
    monkeypatch.setattr(dns_forward, "TRY_S", SHORT_S)
    return number


@contextlib.contextmanager
def resolver(
    address: str, port: int, replies: Callable[[bytes], list[bytes]], *, stream: bool = False
) -> Iterator[None]:
    """Answers each question with these messages; over TCP with these pieces."""
    kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        if stream:
            server.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    if stream:
                        peer, _ = server.accept()
                        with peer:
                            length = struct.unpack(">H", peer.recv(2))[0]
                            for piece in replies(peer.recv(length)):
                                peer.sendall(piece)
                    else:
                        data, asker = server.recvfrom(4096)
                        if not data:  # shut down
                            return
                        for message in replies(data):
                            server.sendto(message, asker)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)


def answer(question: bytes, address: str = "192.0.2.7", *, code: int = 0) -> bytes:
    read = DNSRecord.parse(question)
    reply = read.reply()
    reply.header.rcode = code
    if not code:
        reply.add_answer(RR(read.q.qname, QTYPE.A, rdata=A(address)))
    return bytes(reply.pack())


def exchange(*servers: str, stream: bool = False) -> DNSRecord | None:
    """What comes back, read by dnslib; None for nothing."""
    loop = Loop()
    got: list[bytes | None] = []
    Exchange(loop, QUESTION, list(servers), got.append, stream=stream).start()
    try:
        loop.run(lambda: bool(got))
    finally:
        loop.close()
    assert len(got) == 1
    if got[0] is None:
        return None
    assert got[0][:2] == QUESTION[:2]
    return DNSRecord.parse(got[0])


def test_the_answer_of_a_resolver(port: int) -> None:
    with resolver("127.0.0.1", port, lambda question: [answer(question)]):
        read = exchange("127.0.0.1")
    assert read is not None
    assert str(read.rr[0].rdata) == "192.0.2.7"


def test_silence_is_told_in_little_time(port: int) -> None:
    began_s = time.monotonic()
    with resolver("127.0.0.1", port, lambda _question: []):
        assert exchange("127.0.0.1") is None
    assert time.monotonic() - began_s < 2 * SHORT_S + 0.5


def test_one_that_is_not_there_makes_way_at_once(port: int) -> None:
    began_s = time.monotonic()
    with resolver("127.0.0.2", port, lambda question: [answer(question)]):
        assert exchange("127.0.0.1", "127.0.0.2") is not None
    assert time.monotonic() - began_s < SHORT_S


def test_one_that_fails_makes_way(port: int) -> None:
    with (
        resolver("127.0.0.1", port, lambda question: [answer(question, code=2)]),
        resolver("127.0.0.2", port, lambda question: [answer(question)]),
    ):
        read = exchange("127.0.0.1", "127.0.0.2")
    assert read is not None
    assert read.rr


def test_a_refusal_by_all_is_passed_on(port: int) -> None:
    with resolver("127.0.0.1", port, lambda question: [answer(question, code=5)]):
        read = exchange("127.0.0.1")
    assert read is not None
    assert read.header.rcode == 5


def test_forged_replies_do_not_count(port: int) -> None:
    def replies(question: bytes) -> list[bytes]:
        wrong_id = bytes([question[0] ^ 0xFF]) + answer(question, "203.0.113.1")[1:]
        other = bytes(DNSRecord.question("evil.example").pack())
        return [b"", b"x", wrong_id, question[:2] + answer(other, "203.0.113.2")[2:], question, answer(question)]

    with resolver("127.0.0.1", port, replies):
        read = exchange("127.0.0.1")
    assert read is not None
    assert str(read.rr[0].rdata) == "192.0.2.7"


def test_a_long_answer_over_tcp_in_pieces(port: int) -> None:
    def replies(question: bytes) -> list[bytes]:
        read = DNSRecord.parse(question)
        reply = read.reply()
        for number in range(200):
            reply.add_answer(RR(read.q.qname, QTYPE.A, rdata=A(f"192.0.2.{number}")))
        packed = bytes(reply.pack())
        whole = struct.pack(">H", len(packed)) + packed
        return [whole[:1], whole[1:700], whole[700:]]

    with resolver("127.0.0.1", port, replies, stream=True):
        read = exchange("127.0.0.1", stream=True)
    assert read is not None
    assert len(read.rr) == 200


def test_a_connection_that_breaks_off_is_tried_again_and_told(port: int) -> None:
    with resolver("127.0.0.1", port, lambda _question: [b"\1\0abc"], stream=True):
        assert exchange("127.0.0.1", stream=True) is None
    assert exchange("127.0.0.1", stream=True) is None
    assert exchange("no address", "127.0.0.1%eth9") is None


def test_the_hosts_resolvers_are_read_again_when_they_change(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    resolvers = HostResolvers(str(path))
    assert resolvers.servers() == []
    path.write_text("# none\nsearch lan\nnameserver 192.0.2.1\nnameserver\n")
    assert resolvers.servers() == ["192.0.2.1"]
    (tmp_path / "new").write_text("nameserver 192.0.2.2\nnameserver 2001:db8::1\n")
    (tmp_path / "new").rename(path)
    assert resolvers.servers() == ["192.0.2.2", "2001:db8::1"]
