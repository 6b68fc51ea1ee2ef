"""Who the container's program runs as: `--user name|uid[:group|gid]` by the image's own passwd and group.

The image's files are read from its layers (`layers.py`), never from a mounted root. Numbers are parsed strictly:
runtimes once read "1000:" or 4294967296 as root (CVE-2026-30892 and its kin).
"""

from __future__ import annotations

import re

from ..errors import EngineError, InvalidRequest
from ..record import Record
from .layers import read_file

_ID_MAX = (1 << 31) - 1
_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)


class User(Record):
    """Numbers for the kernel, and the home directory for `HOME`."""

    uid: int = 0
    gid: int = 0
    additional_gids: tuple[int, ...] = ()
    home: str = "/"
    name: str = ""


def resolve(user: str, group_add: tuple[str, ...], layers: tuple[str, ...]) -> User:
    """Resolve as Docker does; `layers` bottom first, a running container's upper directory last.

    An empty user is root. A uid that passwd does not know runs with gid 0 and home "/". A name that it does not
    know is an error, as is a number outside 0 to 2147483647.
    """
    user_part, colon, group_part = user.partition(":")
    if colon and not group_part:
        raise InvalidRequest(f'user "{user}" names no group after the colon')
    accounts = _accounts(read_file(layers, "/etc/passwd"))
    groups = _groups(read_file(layers, "/etc/group"))

    found = _account(user_part or "0", accounts, user)
    gid = found.gid
    additional: list[int] = []
    if group_part:
        gid = _group(group_part, groups)
    elif found.name:
        additional = [number for _, number, members in groups if found.name in members]
    for name in group_add:
        additional.append(_group(name, groups))
    unique = tuple(sorted(set(additional)))
    return User(uid=found.uid, gid=gid, additional_gids=unique, home=found.home, name=found.name)


def _account(wanted: str, accounts: list[User], as_typed: str) -> User:
    number = _number(wanted, as_typed)
    for account in accounts:
        if account.name == wanted or account.uid == number:
            return account
    if number is None:
        raise EngineError(
            f"unable to find user {wanted}: no matching entries in passwd file",
            hint="The name must stand in the image's /etc/passwd; a numeric uid always works.",
        )
    return User(uid=number)


def _group(wanted: str, groups: list[tuple[str, int, frozenset[str]]]) -> int:
    number = _number(wanted, wanted)
    for name, gid, _ in groups:
        if name == wanted or gid == number:
            return gid
    if number is None:
        raise EngineError(
            f"unable to find group {wanted}: no matching entries in group file",
            hint="The name must stand in the image's /etc/group; a numeric gid always works.",
        )
    return number


def _number(text: str, as_typed: str) -> int | None:
    if not re.fullmatch(r"[-+]?[0-9]+", text, re.ASCII):
        return None
    if not _NUMBER.fullmatch(text) or int(text) > _ID_MAX:
        raise InvalidRequest(f'user "{as_typed}": uids and gids must be in range 0-{_ID_MAX}')
    return int(text)


def _accounts(content: bytes | None) -> list[User]:
    found = []
    for fields in _lines(content, 4):
        uid, gid = _plain(fields[2]), _plain(fields[3])
        if uid is not None and gid is not None:
            home = fields[5] if len(fields) > 5 and fields[5] else "/"
            found.append(User(uid=uid, gid=gid, home=home, name=fields[0]))
    return found


def _groups(content: bytes | None) -> list[tuple[str, int, frozenset[str]]]:
    found = []
    for fields in _lines(content, 3):
        gid = _plain(fields[2])
        if gid is not None:
            members = fields[3].split(",") if len(fields) > 3 else []
            found.append((fields[0], gid, frozenset(member.strip() for member in members if member.strip())))
    return found


def _lines(content: bytes | None, least: int) -> list[list[str]]:
    rows = []
    for line in (content or b"").decode("utf-8", "surrogateescape").split("\n"):
        fields = line.strip().split(":")
        if not line.startswith("#") and len(fields) >= least and fields[0]:
            rows.append(fields)
    return rows


def _plain(text: str) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) and int(text) <= _ID_MAX else None
