"""Headers of a tar archive as Docker's tools write them: ustar, with a PAX header where that does not reach.

Times are whole seconds unless asked otherwise: a fraction needs a PAX header for each file. Owners are numbers only,
for names mean something else in every container. Source: POSIX.1-2001, pax interchange format.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCK = 512
END = bytes(2 * BLOCK)
_OCTAL_8 = 0o7777777
_OCTAL_12 = 0o77777777777
_KINDS = {
    stat.S_IFREG: b"0",
    stat.S_IFLNK: b"2",
    stat.S_IFCHR: b"3",
    stat.S_IFBLK: b"4",
    stat.S_IFDIR: b"5",
    stat.S_IFIFO: b"6",
}
HARD_LINK = b"1"


def kind_of(mode: int) -> bytes | None:
    """The type letter of a file's mode; None for a socket, which no archive can hold."""
    return _KINDS.get(stat.S_IFMT(mode))


def epoch(mode: int) -> os.stat_result:
    """The status of a file that never was: root's, and of the epoch."""
    return os.stat_result((mode, 0, 0, 1, 0, 0, 0, 0, 0, 0), {"st_mtime_ns": 0, "st_rdev": 0})


def encode(
    name: bytes,
    kind: bytes,
    status: os.stat_result,
    *,
    size: int = 0,
    link: bytes = b"",
    xattrs: Mapping[str, bytes] | None = None,
    precise: bool = False,
    owner: tuple[int, int] | None = None,
) -> bytes:
    """The header blocks of one entry; `size` bytes of content and `padding(size)` zeros follow. `owner`: another one
    than the file's."""
    uid, gid = owner or (status.st_uid, status.st_gid)
    seconds, fraction = divmod(status.st_mtime_ns, 10**9)
    pax: list[tuple[bytes, bytes]] = []
    if len(name) > 100 or not name.isascii():
        pax.append((b"path", name))
    if len(link) > 100 or not link.isascii():
        pax.append((b"linkpath", link))
    for key, value, limit in ((b"size", size, _OCTAL_12), (b"uid", uid, _OCTAL_8)):
        if value > limit:
            pax.append((key, str(value).encode()))
    if gid > _OCTAL_8:
        pax.append((b"gid", str(gid).encode()))
    if not 0 <= seconds <= _OCTAL_12 or (precise and fraction):
        pax.append((b"mtime", _decimal(status.st_mtime_ns, precise)))
    pax += [(b"SCHILY.xattr." + os.fsencode(key), value) for key, value in sorted((xattrs or {}).items())]
    device = status.st_rdev if kind in (b"3", b"4") else 0
    block = _block(
        name[:100],
        kind,
        mode=stat.S_IMODE(status.st_mode),
        uid=min(uid, _OCTAL_8),
        gid=min(gid, _OCTAL_8),
        size=min(size, _OCTAL_12),
        seconds=max(0, min(seconds, _OCTAL_12)),
        link=link[:100],
        major=os.major(device),
        minor=os.minor(device),
    )
    return _pax_header(name, pax) + block if pax else block


def padding(size: int) -> int:
    """Zeros between the end of the content and the next header."""
    return -size % BLOCK


def _pax_header(name: bytes, records: list[tuple[bytes, bytes]]) -> bytes:
    data = b"".join(_record(key, value) for key, value in records)
    title = b"PaxHeaders.0/" + name.rstrip(b"/").rpartition(b"/")[2][:80]
    block = _block(title, b"x", mode=0, uid=0, gid=0, size=len(data), seconds=0, link=b"", major=0, minor=0)
    return block + data + bytes(padding(len(data)))


def _record(key: bytes, value: bytes) -> bytes:
    """`LENGTH KEY=VALUE\\n`, where the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) != len(str(rest)):
        length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _decimal(time_ns: int, precise: bool) -> bytes:
    sign, whole = ("-", -time_ns) if time_ns < 0 else ("", time_ns)
    seconds, fraction = divmod(whole, 10**9)
    text = f"{sign}{seconds}"
    return (f"{text}.{fraction:09d}".rstrip("0") if precise and fraction else text).encode()


def _block(
    name: bytes,
    kind: bytes,
    *,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    seconds: int,
    link: bytes,
    major: int,
    minor: int,
) -> bytes:
    fields = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0        %s%sustar\00000%s%07o\0%07o\0" % (
        name.ljust(100, b"\0"),
        mode,
        uid,
        gid,
        size,
        seconds,
        kind,
        link.ljust(100, b"\0"),
        bytes(64),
        major & _OCTAL_8,
        minor & _OCTAL_8,
    )
    block = bytearray(fields.ljust(BLOCK, b"\0"))
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
