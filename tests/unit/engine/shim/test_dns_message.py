"""DNS messages as read and written by the name service, with dnslib as the second opinion, and with noise."""

from __future__ import annotations

import struct

import pytest
from dnslib import DNSRecord  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from engine.shim import dns_message as message
from engine.shim.dns_message import MalformedError, Query

LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=63)
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(".".join)


def asked(name: str, kind: str = "A", *, room: int = 0) -> bytes:
    record = DNSRecord.question(name, kind)
    if room:
        from dnslib import EDNS0

        record.add_ar(EDNS0(udp_len=room))
    return bytes(record.pack())


@given(NAMES)
def test_a_question_is_read_as_it_was_asked(name: str) -> None:
    query = Query(asked(name.upper(), "AAAA"))
    assert (query.name, query.kind) == (name, message.AAAA)


@given(NAMES, st.lists(st.binary(min_size=4, max_size=4), max_size=100), st.sampled_from([512, 1232, 4096, 65535]))
def test_an_answer_is_read_as_it_was_given(name: str, addresses: list[bytes], room: int) -> None:
    data = asked(name)
    reply = Query(data).answer(message.NO_ERROR, [(message.A, packed) for packed in addresses], room)
    assert len(reply) <= room
    read = DNSRecord.parse(reply)
    assert read.header.id == DNSRecord.parse(data).header.id
    assert (read.header.qr, read.header.ra, read.header.rcode) == (1, 1, 0)
    assert str(read.q.qname).rstrip(".") == name
    found = [bytes(record.rdata.data) for record in read.rr]
    assert found == addresses[: len(found)]
    assert bool(read.header.tc) == (len(found) < len(addresses))
    assert all(record.ttl == 0 for record in read.rr)


@given(st.binary(max_size=600))
def test_noise_is_a_question_or_refused(data: bytes) -> None:
    try:
        reply: bytes | None = Query(data).answer(message.SERVER_FAILURE, [], message.PLAIN_BYTES)
    except MalformedError as error:
        reply = error.answer
    assert reply is None or 12 <= len(reply) <= message.PLAIN_BYTES


@given(NAMES, st.data())
def test_a_damaged_question_does_no_harm(name: str, draw: st.DataObject) -> None:
    data = bytearray(asked(name, room=1232))
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    cut = bytes(data[: draw.draw(st.integers(0, len(data)))])
    try:
        Query(cut).answer(message.NO_ERROR, [], message.PLAIN_BYTES)
    except MalformedError:
        pass


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", None),
        (b"\0" * 11, None),
        (struct.pack(">HHHHHH", 7, 0x8180, 1, 0, 0, 0) + b"\1a\0\0\1\0\1", None),  # an answer
        (struct.pack(">HHHHHH", 7, 0x0100, 0, 0, 0, 0), message.FORMAT_ERROR),  # no question
        (struct.pack(">HHHHHH", 7, 0x0100, 2, 0, 0, 0) + b"\1a\0\0\1\0\1" * 2, message.FORMAT_ERROR),
        (struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1", message.FORMAT_ERROR),  # points at itself
        (struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\x3f" + b"a" * 20, message.FORMAT_ERROR),  # ends early
        (struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + (b"\x3f" + b"a" * 63) * 5 + b"\0", message.FORMAT_ERROR),
        (struct.pack(">HHHHHH", 7, 0x2100, 1, 0, 0, 0) + b"\1a\0\0\6\0\1", message.NOT_IMPLEMENTED),  # NOTIFY
    ],
)
def test_what_is_no_question_is_answered_as_that_or_not_at_all(data: bytes, code: int | None) -> None:
    with pytest.raises(MalformedError) as caught:
        Query(data)
    assert (caught.value.answer and caught.value.answer[3] & 0xF) == code


def test_room_is_what_the_asker_says_within_reason() -> None:
    rooms = [Query(asked("web", room=room)).room_bytes for room in (100, 1232, 65535)]
    assert rooms == [512, 1232, 4096]
    assert Query(asked("web")).room_bytes == 512


def test_a_dot_inside_a_label_is_not_one_between_labels() -> None:
    data = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + b"\7web.one\0\0\1\0\1"
    assert Query(data).name != "web.one"


def test_reversed_addresses() -> None:
    assert message.reversed_address("2.0.213.10.in-addr.arpa") == "10.213.0.2"
    for name in ("in-addr.arpa", "1.2.3.in-addr.arpa", "1.2.3.256.in-addr.arpa", "1.2.3.x.in-addr.arpa", "web"):
        assert message.reversed_address(name) == ""


@given(st.binary(max_size=300))
def test_only_the_reply_to_what_was_sent_counts(reply: bytes) -> None:
    sent = asked("web")
    if message.answers(reply, sent):
        assert reply[:2] == sent[:2]
    good = Query(sent).answer(message.NO_ERROR, [], 512)
    assert message.answers(good, sent)
    assert not message.answers(bytes([good[0] ^ 1]) + good[1:], sent)
    assert not message.answers(Query(asked("other")).answer(0, [], 512)[:2] + good[2:12] + b"\5other", sent)
