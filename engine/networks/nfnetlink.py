"""What every start asks of nf_tables, said to the kernel directly: is the table there, an element more or less
in a set or map, which chains of others judge what is forwarded.

libnftables takes 2 to 3 ms for its first command in a freshly forked process, one message 0.1 ms. Whole rule sets
are for `nftables.py`. Sources: linux/netfilter/nf_tables.h, nfnetlink.h; values of a concatenation are
padded to four bytes each.
"""

from __future__ import annotations

import os
import socket
import struct

from ..record import Record
from .netlink import attribute, attributes, nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_NETLINK_NETFILTER = 12
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_SUBSYSTEM = 10
_GETTABLE, _DELTABLE, _GETCHAIN, _GETRULE, _NEWSETELEM, _GETSETELEM, _DELSETELEM = 1, 2, 4, 7, 12, 13, 14
_NFTA_TABLE_NAME = 1
_NFTA_CHAIN_TABLE, _NFTA_CHAIN_NAME, _NFTA_CHAIN_HOOK, _NFTA_CHAIN_POLICY = 1, 3, 4, 5
_NFTA_HOOK_HOOKNUM, _FORWARD_HOOK = 1, 2
_NFTA_RULE_TABLE, _NFTA_RULE_CHAIN, _NFTA_RULE_HANDLE, _NFTA_RULE_EXPRESSIONS, _NFTA_RULE_USERDATA = 1, 2, 3, 4, 7
_NFTA_EXPR_NAME, _NFTA_EXPR_DATA = 1, 2
_NFTA_IMMEDIATE_DATA, _NFTA_DATA_VERDICT, _NFTA_VERDICT_CODE, _NFTA_VERDICT_CHAIN = 2, 2, 1, 2
_NFTA_SET_ELEM_LIST_TABLE, _NFTA_SET_ELEM_LIST_SET, _NFTA_SET_ELEM_LIST_ELEMENTS = 1, 2, 3
_NFTA_LIST_ELEM, _NFTA_SET_ELEM_KEY, _NFTA_SET_ELEM_DATA, _NFTA_DATA_VALUE = 1, 1, 2, 1
_NFPROTO_UNSPEC, _NFPROTO_INET = 0, 1
_REQUEST, _ACK, _CREATE, _DUMP = 1, 4, 0x400, 0x300
_ERROR, _DONE = 2, 3
_ANSWER_S = 10.0

NF_DROP = 0
FAMILIES = {1: "inet", 2: "ip", 10: "ip6"}

#: (set or map, key, value or b"" in a set), the key and value as the kernel has them
Element = tuple[str, bytes, bytes]


class Chain(Record):
    """A base chain at the forward hook; `policy` NF_DROP (0) or NF_ACCEPT (1)."""

    family: str
    table: str
    name: str
    policy: int = 1


class Rule(Record):
    """A rule, as far as it is looked at: `unconditional` when nothing is compared before its verdict: "drop", "accept",
    "reject", "jump CHAIN", or "" for none. `body` is all of it, as the kernel tells it."""

    handle: int
    unconditional: bool
    verdict: str
    body: bytes


def table_exists(name: str) -> bool:
    """Whether the kernel has `table inet NAME`."""
    with _open() as door:
        payload = _family(_NFPROTO_INET) + attribute(_NFTA_TABLE_NAME, _name(name))
        door.send(_message(_SUBSYSTEM << 8 | _GETTABLE, _REQUEST, 1, payload))
        kind: int = struct.unpack_from("=H", door.recv(1 << 14), 4)[0]
    return kind != _ERROR


def forward_chains() -> list[Chain]:
    """All base chains at the forward hook, of every table that sees IP packets."""
    found = []
    for family, body in dump(_SUBSYSTEM, _GETCHAIN, _NFPROTO_UNSPEC, b""):
        values = dict(attributes(body))
        if family not in FAMILIES or _NFTA_CHAIN_HOOK not in values:
            continue
        hook = dict(attributes(values[_NFTA_CHAIN_HOOK])).get(_NFTA_HOOK_HOOKNUM, b"")
        if int.from_bytes(hook, "big") != _FORWARD_HOOK:
            continue
        found.append(
            Chain(
                family=FAMILIES[family],
                table=_text(values.get(_NFTA_CHAIN_TABLE, b"")),
                name=_text(values.get(_NFTA_CHAIN_NAME, b"")),
                policy=int.from_bytes(values.get(_NFTA_CHAIN_POLICY, b"\1"), "big"),
            )
        )
    return found


def chain_rules(family: str, table: str, chain: str) -> list[Rule]:
    """The rules of a chain in their order; none when there is no such chain."""
    number = next(number for number, name in FAMILIES.items() if name == family)
    asked = attribute(_NFTA_RULE_TABLE, _name(table)) + attribute(_NFTA_RULE_CHAIN, _name(chain))
    try:
        dumped = dump(_SUBSYSTEM, _GETRULE, number, asked)
    except FileNotFoundError:
        return []
    found = []
    for _, body in dumped:
        values = dict(attributes(body))
        # An older kernel sends the whole table.
        if _text(values.get(_NFTA_RULE_CHAIN, b"")) == chain and _text(values.get(_NFTA_RULE_TABLE, b"")) == table:
            unconditional, verdict = _judged(values.get(_NFTA_RULE_EXPRESSIONS, b""))
            handle = int.from_bytes(values.get(_NFTA_RULE_HANDLE, b""), "big")
            found.append(Rule(handle=handle, unconditional=unconditional, verdict=verdict, body=body))
    return found


def _judged(expressions: bytes) -> tuple[bool, str]:
    """Whether a rule compares nothing, and its verdict."""
    unconditional, verdict = True, ""
    for _, element in attributes(expressions):
        parts = dict(attributes(element))
        name, data = _text(parts.get(_NFTA_EXPR_NAME, b"")), parts.get(_NFTA_EXPR_DATA, b"")
        if name == "immediate":
            value = dict(attributes(dict(attributes(data)).get(_NFTA_IMMEDIATE_DATA, b""))).get(_NFTA_DATA_VERDICT)
            if value is not None:
                said = dict(attributes(value))
                code = struct.unpack(">i", said.get(_NFTA_VERDICT_CODE, bytes(4)))[0]
                target = _text(said.get(_NFTA_VERDICT_CHAIN, b""))
                verdict = f"jump {target}" if target else {0: "drop", 1: "accept"}.get(code, "")
        elif name == "reject" or (name == "target" and b"REJECT" in data):
            verdict = "reject"
        elif name not in ("counter", "log"):
            unconditional = False
    return unconditional, verdict


def has_element(table: str, element: Element) -> bool:
    """Whether a set of `table inet TABLE` has the key; False when there is no such table too."""
    with _open() as door:
        payload = _family(_NFPROTO_INET) + _element(table, (element[0], element[1], b""))
        door.send(_message(_SUBSYSTEM << 8 | _GETSETELEM, _REQUEST, 1, payload))
        kind: int = struct.unpack_from("=H", door.recv(1 << 14), 4)[0]
    return kind != _ERROR


def add_elements(table: str, elements: Sequence[Element]) -> None:
    """Add to maps, all or none; the same element again is no error. Raises OSError: FileExistsError when a key
    has another value, FileNotFoundError when the table is not there."""
    _transact([(_NEWSETELEM, _CREATE, _element(table, element)) for element in elements])


def delete_elements(table: str, elements: Sequence[Element]) -> None:
    """Take from maps, all or none. Raises OSError: FileNotFoundError when one is not there."""
    _transact([(_DELSETELEM, 0, _element(table, element)) for element in elements])


def delete_table(name: str) -> bool:
    """Delete `table inet NAME` with all in it; False when it is not there. Raises OSError."""
    try:
        _transact([(_DELTABLE, 0, attribute(_NFTA_TABLE_NAME, _name(name)))])
    except FileNotFoundError:
        return False
    return True


def _element(table: str, element: Element) -> bytes:
    map_name, key, value = element
    parts = [nested(_NFTA_SET_ELEM_KEY, attribute(_NFTA_DATA_VALUE, key))]
    if value:
        parts.append(nested(_NFTA_SET_ELEM_DATA, attribute(_NFTA_DATA_VALUE, value)))
    inner = nested(_NFTA_LIST_ELEM, *parts)
    return (
        attribute(_NFTA_SET_ELEM_LIST_TABLE, _name(table))
        + attribute(_NFTA_SET_ELEM_LIST_SET, _name(map_name))
        + nested(_NFTA_SET_ELEM_LIST_ELEMENTS, inner)
    )


def dump(subsystem: int, kind: int, family: int, payload: bytes) -> list[tuple[int, bytes]]:
    """Family and attributes of each answer to a question for all. Raises OSError."""
    found: list[tuple[int, bytes]] = []
    with _open() as door:
        door.send(_message(subsystem << 8 | kind, _REQUEST | _DUMP, 1, _family(family) + payload))
        while True:
            data = door.recv(1 << 18)
            offset = 0
            while offset + 16 <= len(data):
                length, answer = struct.unpack_from("=IH", data, offset)
                if answer == _DONE:
                    return found
                if answer == _ERROR:
                    number = -int(struct.unpack_from("=i", data, offset + 16)[0])
                    raise OSError(number, os.strerror(number).lower())
                found.append((data[offset + 16], data[offset + 20 : offset + length]))
                offset += length + (-length % 4)


def send(subsystem: int, kind: int, family: int, payload: bytes) -> None:
    """One request that stands alone. Raises OSError."""
    with _open() as door:
        door.send(_message(subsystem << 8 | kind, _REQUEST | _ACK, 1, _family(family) + payload))
        data = door.recv(1 << 14)
    number = -int(struct.unpack_from("=i", data, 16)[0])
    if number:
        raise OSError(number, os.strerror(number).lower())


def _transact(requests: list[tuple[int, int, bytes]]) -> None:
    marker = struct.pack(">BBH", _NFPROTO_UNSPEC, 0, _SUBSYSTEM)
    packet = _message(_BATCH_BEGIN, _REQUEST, 0, marker)
    for sequence, (kind, flags, payload) in enumerate(requests, 1):
        body = _family(_NFPROTO_INET) + payload
        packet += _message(_SUBSYSTEM << 8 | kind, _REQUEST | _ACK | flags, sequence, body)
    packet += _message(_BATCH_END, _REQUEST, len(requests) + 1, marker)
    failed = 0
    with _open() as door:
        door.send(packet)
        answered = 0
        while answered < len(requests):
            data = door.recv(1 << 16)
            offset = 0
            while offset + 20 <= len(data):
                length, kind, _, sequence, _, number = struct.unpack_from("=IHHIIi", data, offset)
                offset += max(length + (-length % 4), 16)
                if kind != _ERROR:
                    continue
                answered += 1
                failed = failed or -number
                if sequence == 0 and number:
                    # The batch itself is refused, as without CAP_NET_ADMIN; no other answer comes.
                    answered = len(requests)
    if failed:
        raise OSError(failed, os.strerror(failed).lower())


def _open() -> socket.socket:
    door = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
    door.settimeout(_ANSWER_S)
    door.bind((0, 0))
    return door


def _message(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload + bytes(-len(payload) % 4)


def _family(family: int) -> bytes:
    return struct.pack(">BBH", family, 0, 0)


def _text(value: bytes) -> str:
    return os.fsdecode(value.rstrip(b"\0"))


def _name(text: str) -> bytes:
    return os.fsencode(text) + b"\0"
