"""What every start asks of nf_tables, said to the kernel directly: is the table there, an element more or less
in a map.

libnftables takes 2 to 3 ms for its first command in a freshly forked process, one message 0.1 ms. Whole rule sets
are for `nftables.py`. Sources: linux/netfilter/nf_tables.h, nfnetlink.h; values of a concatenation are
padded to four bytes each.
"""

from __future__ import annotations

import os
import socket
import struct

from .netlink import attribute, attributes, nested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_NETLINK_NETFILTER = 12
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_SUBSYSTEM = 10
_GETTABLE, _DELTABLE, _GETCHAIN, _NEWSETELEM, _DELSETELEM = 1, 2, 4, 12, 14
_NFTA_TABLE_NAME = 1
_NFTA_CHAIN_TABLE, _NFTA_CHAIN_NAME, _NFTA_CHAIN_POLICY = 1, 3, 5
_NFTA_SET_ELEM_LIST_TABLE, _NFTA_SET_ELEM_LIST_SET, _NFTA_SET_ELEM_LIST_ELEMENTS = 1, 2, 3
_NFTA_LIST_ELEM, _NFTA_SET_ELEM_KEY, _NFTA_SET_ELEM_DATA, _NFTA_DATA_VALUE = 1, 1, 2, 1
_NFPROTO_UNSPEC, _NFPROTO_INET, _NFPROTO_IPV4 = 0, 1, 2
_REQUEST, _ACK, _CREATE = 1, 4, 0x400
_ERROR = 2
_ANSWER_S = 10.0

#: (map, key, value), the key and value as the kernel has them
Element = tuple[str, bytes, bytes]


def table_exists(name: str) -> bool:
    """Whether the kernel has `table inet NAME`."""
    with _open() as door:
        payload = _family(_NFPROTO_INET) + attribute(_NFTA_TABLE_NAME, _name(name))
        door.send(_message(_SUBSYSTEM << 8 | _GETTABLE, _REQUEST, 1, payload))
        kind: int = struct.unpack_from("=H", door.recv(1 << 14), 4)[0]
    return kind != _ERROR


def chain_policy(table: str, chain: str) -> int | None:
    """The policy of a base chain of `table ip TABLE`, NF_DROP (0) or NF_ACCEPT (1); None when there is no such
    chain, -1 when it has none."""
    with _open() as door:
        payload = _family(_NFPROTO_IPV4)
        payload += attribute(_NFTA_CHAIN_TABLE, _name(table)) + attribute(_NFTA_CHAIN_NAME, _name(chain))
        door.send(_message(_SUBSYSTEM << 8 | _GETCHAIN, _REQUEST, 1, payload))
        answer = door.recv(1 << 14)
    length, kind = struct.unpack_from("=IH", answer)
    if kind == _ERROR:
        return None
    policy = dict(attributes(answer[20:length])).get(_NFTA_CHAIN_POLICY)
    return int.from_bytes(policy, "big") if policy else -1


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
    inner = nested(
        _NFTA_LIST_ELEM,
        nested(_NFTA_SET_ELEM_KEY, attribute(_NFTA_DATA_VALUE, key)),
        nested(_NFTA_SET_ELEM_DATA, attribute(_NFTA_DATA_VALUE, value)),
    )
    return (
        attribute(_NFTA_SET_ELEM_LIST_TABLE, _name(table))
        + attribute(_NFTA_SET_ELEM_LIST_SET, _name(map_name))
        + nested(_NFTA_SET_ELEM_LIST_ELEMENTS, inner)
    )


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


def _name(text: str) -> bytes:
    return os.fsencode(text) + b"\0"
