"""The name service as a program inside a container meets it, in a network namespace of the test's own."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dnslib import QTYPE, RR, A, DNSRecord  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.containers import rows
from engine.models import Container, CreateRequest, Endpoint
from engine.networks import attach as network
from engine.networks.namespace import InNetwork
from engine.networks.rows import write_endpoint
from engine.paths import Paths
from engine.shim.dns import NameService
from engine.shim.loop import Loop
from engine.store import Store
from tests.support.engine import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

NAME_SERVER = ("127.0.0.11", 53)
RESOLVER = "127.0.0.77"
"""In the namespace: answers what ends in .example, is silent about the rest."""


class Served:
    """A namespace, a database with containers, and the service on a thread with its loop."""

    def __init__(self, base: Path, pid: int) -> None:
        self.pid = pid
        self.paths = Paths(str(base / "root"), str(base / "run"))
        self.paths.create()
        self.store = Store(self.paths.database)
        self.ids = {name: os.urandom(32).hex() for name in ("web", "db", "other")}
        self.failed: list[BaseException] = []
        with self.store.transaction() as tx:
            for index, (name, container_id) in enumerate(self.ids.items()):
                row = Container(id=container_id, name=name, image="x", image_id="x", command=(), created_ns=index)
                rows.insert(tx, row, CreateRequest(image="x"))
        self.join("web", "one", "10.9.0.2")
        self.join("db", "one", "10.9.0.3", "store", "Data.Base")
        self.join("other", "two", "10.9.1.2")
        self._stopping = False
        self.turns = 0
        self._loop = Loop()
        self.service = NameService(self._loop, self.paths, self.ids["web"], (RESOLVER,))
        self._thread = threading.Thread(target=self._serve)

    def join(self, name: str, network_name: str, address: str, *aliases: str) -> None:
        place = Endpoint(network=network_name, address=address, prefix_length=24, aliases=aliases)
        with self.store.transaction() as tx:
            write_endpoint(tx, self.ids[name], place)

    def leave(self, name: str) -> None:
        with self.store.transaction() as tx:
            tx.execute("DELETE FROM endpoints WHERE container_id = ?", (self.ids[name],))

    def start(self) -> None:
        began = threading.Event()
        self._loop.later(0, began.set)
        self._thread.start()
        assert began.wait(10)

    def stop(self) -> None:
        self._stopping = True
        self._thread.join(10)
        self.store.close()
        assert self.failed == []

    def socket(self, kind: int = socket.SOCK_DGRAM) -> socket.socket:
        """A socket inside the namespace, connected to the service."""
        with InNetwork(self.pid):
            made = socket.socket(socket.AF_INET, kind)
        made.settimeout(8)
        made.connect(NAME_SERVER)
        return made

    def ask(self, name: str, kind: str = "A") -> DNSRecord:
        with self.socket() as asker:
            asker.send(bytes(DNSRecord.question(name, kind).pack()))
            return DNSRecord.parse(asker.recv(65535))

    def addresses(self, name: str, kind: str = "A") -> list[str]:
        return [str(record.rdata) for record in self.ask(name, kind).rr]

    def _serve(self) -> None:
        def turn() -> None:
            self.turns += 1
            self._loop.later(0.02, turn)

        try:
            self.service.start(self.pid)
            turn()
            self._loop.run(lambda: self._stopping)
        except BaseException as error:
            self.failed.append(error)
            raise
        finally:
            self.service.close()
            self._loop.close()


def resolve(pid: int) -> None:
    with InNetwork(pid):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((RESOLVER, 53))
    with server:
        while True:
            data, asker = server.recvfrom(4096)
            with contextlib.suppress(Exception):
                read = DNSRecord.parse(data)
                if str(read.q.qname) == "end.example.":
                    return
                if str(read.q.qname).endswith(".example."):
                    reply = read.reply()
                    reply.add_answer(RR(read.q.qname, QTYPE.A, rdata=A("192.0.2.1")))
                    server.sendto(bytes(reply.pack()), asker)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert place.stdin is not None
    assert place.stdout is not None
    place.stdin.write(b"ready\n")
    place.stdin.flush()
    assert place.stdout.readline() == b"ready\n"  # it is cat by now, and in its namespace
    network.loopback(place.pid)
    resolver = threading.Thread(target=resolve, args=(place.pid,), daemon=True)
    resolver.start()
    made = Served(tmp_path_factory.mktemp("names"), place.pid)
    made.start()
    yield made
    made.stop()
    with InNetwork(place.pid):
        last = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with last:
        last.sendto(bytes(DNSRecord.question("end.example").pack()), (RESOLVER, 53))
    resolver.join(10)
    place.kill()
    place.communicate()


def test_names_aliases_and_short_ids(served: Served) -> None:
    for name in ("db", "DB", "store", "data.base", "db.one", "store.one", served.ids["db"][:12]):
        assert served.addresses(name) == ["10.9.0.3"], name
    assert served.addresses("web") == ["10.9.0.2"]


def test_a_known_name_has_no_other_records(served: Served) -> None:
    for kind in ("AAAA", "MX", "TXT"):
        reply = served.ask("db", kind)
        assert (reply.header.rcode, reply.rr) == (0, [])


def test_an_address_leads_back_to_a_name(served: Served) -> None:
    assert served.addresses("3.0.9.10.in-addr.arpa", "PTR") == ["db.one."]
    assert served.ask("9.0.9.10.in-addr.arpa", "PTR").header.rcode == 3  # ours, and nobody's


def test_other_names_are_passed_on(served: Served) -> None:
    assert served.addresses("www.example") == ["192.0.2.1"]


def test_a_name_on_another_network_is_not_known(served: Served) -> None:
    assert served.addresses("other.example") == ["192.0.2.1"]
    reply = served.ask("other")  # the resolver is silent about it
    assert (reply.header.rcode, reply.rr) == (2, [])


def test_answers_are_true_the_moment_somebody_comes_or_goes(served: Served) -> None:
    for _ in range(10):
        served.join("other", "one", "10.9.0.4", "passing.example")
        assert served.addresses("passing.example") == ["10.9.0.4"]
        served.leave("other")
        assert served.addresses("passing.example") == ["192.0.2.1"]
    served.join("other", "two", "10.9.1.2")


def test_several_of_one_name_take_turns(served: Served) -> None:
    served.join("other", "one", "10.9.0.4", "store")
    try:
        found = [served.addresses("store") for _ in range(4)]
    finally:
        served.leave("other")
        served.join("other", "two", "10.9.1.2")
    assert {tuple(sorted(addresses)) for addresses in found} == {("10.9.0.3", "10.9.0.4")}
    assert len({addresses[0] for addresses in found}) == 2


def test_over_tcp_in_pieces_and_several_at_once(served: Served) -> None:
    questions = [bytes(DNSRecord.question(name).pack()) for name in ("db", "web", "db.one")]
    wire = b"".join(struct.pack(">H", len(question)) + question for question in questions)
    with served.socket(socket.SOCK_STREAM) as asker:
        for piece in (wire[:1], wire[1:20], wire[20:]):
            asker.sendall(piece)
        with asker.makefile("rb") as replies:
            read = [DNSRecord.parse(replies.read(int.from_bytes(replies.read(2), "big"))) for _ in questions]
    assert [str(reply.rr[0].rdata) for reply in read] == ["10.9.0.3", "10.9.0.2", "10.9.0.3"]


def test_a_waiting_question_holds_nobody_up(served: Served) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(300):  # far more than are kept under way
            waiting = stack.enter_context(served.socket())
            waiting.send(bytes(DNSRecord.question(f"silent{number}").pack()))
        began_s = time.monotonic()
        assert served.addresses("db") == ["10.9.0.3"]
        assert time.monotonic() - began_s < 1
        codes = {DNSRecord.parse(waiting.recv(4096)).header.rcode}
    assert codes == {2}


def test_idle_connections_do_not_keep_others_out(served: Served) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(served.socket(socket.SOCK_STREAM))
        assert served.addresses("db") == ["10.9.0.3"]


def test_port_53_is_free_for_a_server_in_the_container(served: Served) -> None:
    with InNetwork(served.pid):
        mine = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with mine:
        mine.bind(("0.0.0.0", 53))
        mine.listen()
        assert served.addresses("db") == ["10.9.0.3"]


@settings(deadline=None, max_examples=150)
@given(st.lists(st.binary(max_size=700), min_size=1, max_size=5), st.booleans())
def test_whatever_a_container_sends_the_service_goes_on(served: Served, noise: list[bytes], stream: bool) -> None:
    with contextlib.suppress(OSError), served.socket(socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as asker:
        for data in noise:
            asker.send(data)
            if stream:
                asker.send(struct.pack(">H", len(data)) + data)
    assert served.addresses("db") == ["10.9.0.3"]


def test_both_families_and_the_way_back(served: Served) -> None:
    place = Endpoint(
        network="one", address="10.9.0.9", prefix_length=24, address6="fd00:9::9", prefix_length6=64, aliases=("six",)
    )
    with served.store.transaction() as tx:
        write_endpoint(tx, served.ids["other"], place)
    assert served.addresses("six") == ["10.9.0.9"]
    assert served.addresses("six", "AAAA") == ["fd00:9::9"]
    reverse = ".".join(reversed("fd000009000000000000000000000009")) + ".ip6.arpa"
    assert served.addresses(reverse, "PTR") == ["other.one."]
    assert served.ask(".".join(reversed("fd000009000000000000000000000008")) + ".ip6.arpa", "PTR").header.rcode == 3
    served.leave("other")
    assert served.addresses("six", "AAAA") == []


def test_an_answer_that_is_kept_is_for_its_question_alone(served: Served) -> None:
    """The same question of many: each has its own number in the reply; other questions, other replies; no reply is
    older than the table."""
    with served.socket() as asker:
        question = bytes(DNSRecord.question("db").pack())[2:]
        for number in (b"\0\1", b"\xff\xff", b"\0\0"):
            asker.send(number + question)
            assert asker.recv(512)[:2] == number
        shouted = bytes(DNSRecord.question("DB").pack())
        asker.send(shouted)
        assert asker.recv(512)[12 : len(shouted)] == shouted[12:]
    assert served.addresses("db", "AAAA") == []
    for turn in range(4):
        served.leave("db")
        served.join("db", "one", f"10.9.0.{100 + turn}")
        assert served.addresses("db") == [f"10.9.0.{100 + turn}"]
    served.join("db", "one", "10.9.0.3", "store", "Data.Base")


def test_a_link_is_a_name_for_one_alone(served: Served) -> None:
    place = Endpoint(network="one", address="10.9.0.2", prefix_length=24, links=("db:Boss", "nobody:x"))
    with served.store.transaction() as tx:
        write_endpoint(tx, served.ids["web"], place)
    assert served.addresses("boss") == served.addresses("boss.one") == ["10.9.0.3"]
    with served.store.transaction() as tx:
        write_endpoint(tx, served.ids["web"], place.replace(links=()))
        write_endpoint(tx, served.ids["db"], place.replace(address="10.9.0.3", links=("web:boss",)))
    assert served.addresses("boss") == []
    served.join("db", "one", "10.9.0.3", "store", "Data.Base")


@pytest.mark.parametrize("size", [513, 4095, 4096, 4097, 65000])
def test_questions_that_are_too_long(served: Served, size: int) -> None:
    """Whatever follows the question is not looked at, or the whole is no question: the next one is answered."""
    plain = bytes(DNSRecord.question("db").pack())
    with served.socket() as asker:
        asker.send(plain + b"\0" * (size - len(plain)))
        assert asker.recv(65535)[:2] == plain[:2]
        asker.send(b"\0\1\1\0\0\1\0\0\0\0\0\0" + b"\x3f" + b"a" * (size - 13))  # a label without an end
        assert DNSRecord.parse(asker.recv(65535)).header.rcode == 1
    with served.socket(socket.SOCK_STREAM) as asker:
        long = plain + b"\0" * (size - len(plain))
        asker.sendall(struct.pack(">H", len(long)) + long)
        assert asker.recv(2)
    assert served.addresses("db") == ["10.9.0.3"]


def test_a_flood_of_questions_holds_nothing_up(served: Served) -> None:
    """While one asks as fast as he can, timers of the same loop are served, and another gets his answers."""
    question = bytes(DNSRecord.question("db").pack())
    stop = threading.Event()

    def flood() -> None:
        with served.socket() as asker:
            asker.setblocking(False)
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    asker.send(question)

    flooder = threading.Thread(target=flood)
    before = served.turns
    flooder.start()
    try:
        for _ in range(20):
            with served.socket() as asker:
                asker.settimeout(2)
                for _attempt in range(20):
                    asker.send(question)
                    with contextlib.suppress(TimeoutError):
                        assert asker.recv(512)[:2] == question[:2]
                        break
                else:
                    pytest.fail("no answer in twenty tries")
        wait_until("a timer of the same loop", lambda: served.turns > before)
    finally:
        stop.set()
        flooder.join(10)
