"""Headers of a tar archive as layers have them: v7, ustar, GNU and PAX, told apart as Docker does.

Reads names and numbers only; what they may do to a file system is `apply`'s to judge. Global PAX headers are
passed over, as Docker's reader does. Names are bytes: a layer may hold any encoding.
Source: POSIX.1-2001 pax, the GNU tar manual's "Basic Tar Format" and "Sparse Formats".
"""

from __future__ import annotations

from .errors import BadLayer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .source import Source

BLOCK = 512
MAXIMUM_EXTENDED = 1 << 20
MAXIMUM_SPARSE_PARTS = 1 << 16
MAXIMUM_SIZE = 1 << 62
SECOND_NS = 1_000_000_000

REGULAR, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
_CONTIGUOUS, _OLD_REGULAR, _GNU_SPARSE = b"7", b"\0", b"S"
_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK = b"x", b"g", b"L", b"K"
_WITHOUT_CONTENT = (HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO)


class Entry:
    """One member. `size` bytes of content follow in the stream; with `parts` (offset, length) they are the data
    of a sparse file of `real_size` bytes."""

    __slots__ = (
        "gid",
        "kind",
        "link",
        "major",
        "minor",
        "mode",
        "mtime_ns",
        "name",
        "parts",
        "real_size",
        "size",
        "uid",
        "xattrs",
    )

    name: bytes
    link: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    major: int
    minor: int
    size: int
    real_size: int
    parts: list[tuple[int, int]] | None
    xattrs: dict[str, bytes] | None


def next_entry(source: Source) -> Entry | None:
    """The next member's header, None at the end. The caller reads `size` bytes and then `padding(size)`.

    Raises BadLayer for anything that is not a tar header.
    """
    pax: dict[bytes, bytes] = {}
    long_name = long_link = b""
    while True:
        header = source.some(BLOCK)
        if len(header) == 0:
            return None  # an archive without its end blocks: Docker takes it
        block = bytes(header)
        if len(block) < BLOCK:
            block += source.exactly(BLOCK - len(block), "a header")
        if block[:1] == b"\0" and not any(block):
            _expect_second_zero_block(source)
            return None
        _check_sum(block)
        kind = block[156:157]
        if kind in (_PAX, _PAX_GLOBAL, _GNU_NAME, _GNU_LINK):
            size = _number(block[124:136], "size")
            if not 0 <= size <= MAXIMUM_EXTENDED:
                raise BadLayer(f"an extended header of {size} bytes is larger than {MAXIMUM_EXTENDED}")
            data = source.exactly(size, "an extended header")
            source.skip(padding(size), "an extended header")
            if kind == _PAX:
                pax = _pax_records(data)
            elif kind == _GNU_NAME:
                long_name = data.split(b"\0", 1)[0]
            elif kind == _GNU_LINK:
                long_link = data.split(b"\0", 1)[0]
            continue
        return _entry(source, block, pax, long_name, long_link)


def padding(size: int) -> int:
    """Bytes between the end of `size` bytes of content and the next header."""
    return -size % BLOCK


def _entry(source: Source, block: bytes, pax: dict[bytes, bytes], long_name: bytes, long_link: bytes) -> Entry:
    entry = Entry()
    name = block[:100].split(b"\0", 1)[0]
    if block[257:263] == b"ustar\0" and block[345:346] != b"\0":
        # star shares the magic, but keeps times at the end of a shorter prefix.
        prefix = block[345:476] if block[508:512] == b"tar\0" else block[345:500]
        name = prefix.split(b"\0", 1)[0] + b"/" + name
    entry.name = pax.get(b"path") or long_name or name
    entry.link = pax.get(b"linkpath") or long_link or block[157:257].split(b"\0", 1)[0]
    entry.mode = _number(block[100:108], "mode")
    entry.uid = _pax_integer(pax, b"uid", block[108:116])
    entry.gid = _pax_integer(pax, b"gid", block[116:124])
    entry.size = entry.real_size = _pax_integer(pax, b"size", block[124:136])
    entry.mtime_ns = _time_ns(pax[b"mtime"]) if b"mtime" in pax else _number(block[136:148], "time") * SECOND_NS
    entry.kind = kind = block[156:157]
    entry.parts = None
    entry.major = entry.minor = 0
    entry.xattrs = _xattrs(pax)
    if not 0 <= entry.size <= MAXIMUM_SIZE:
        raise BadLayer(f"{show(entry.name)}: impossible size {entry.size}")
    if kind in (CHARACTER, BLOCK_DEVICE):
        entry.major = _number(block[329:337], "device number")
        entry.minor = _number(block[337:345], "device number")
    if kind in (_OLD_REGULAR, _CONTIGUOUS):
        entry.kind = REGULAR
    if entry.kind == REGULAR and entry.name.endswith(b"/"):
        entry.kind = DIRECTORY  # v7 has no other way to say so
    if entry.kind in _WITHOUT_CONTENT:
        entry.size = entry.real_size = 0
    if kind == _GNU_SPARSE:
        _old_sparse(source, block, entry)
    elif any(key.startswith(b"GNU.sparse.") for key in pax):
        _pax_sparse(source, pax, entry)
    return entry


def _check_sum(block: bytes) -> None:
    expected = _number(block[148:156], "checksum")
    total = sum(block) - sum(block[148:156]) + 8 * 32
    if total == expected:
        return
    # Some old writers added up signed characters.
    high = sum(1 for byte in block[:148] + block[156:] if byte > 127)
    if total - 256 * high != expected:
        raise BadLayer(f"not a tar header: checksum {expected}, computed {total}")


def _expect_second_zero_block(source: Source) -> None:
    second = source.some(BLOCK)
    if any(second):
        raise BadLayer("not a tar header: one zero block in the middle")


def _number(field: bytes, what: str) -> int:
    if field[0] & 0x80:  # base 256, two's complement, the top bit is the mark
        value = int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
        return value - (1 << (8 * len(field) - 1)) if field[0] & 0x40 else value
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if not digits:
        return 0
    try:
        if digits.isdigit():
            return int(digits, 8)
    except ValueError:
        pass
    raise BadLayer(f"not a tar header: {what} {digits[:12]!r} is not octal")


def _pax_records(data: bytes) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    position = 0
    parts: list[bytes] = []
    while position < len(data):
        space = data.find(b" ", position, position + 12)
        digits = data[position:space] if space >= 0 else b""
        end = position + (int(digits) if digits.isdigit() else 0)
        if end <= space + 1 or end > len(data) or data[end - 1 : end] != b"\n":
            raise BadLayer("not a valid PAX header")
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not equals or not key or b"\0" in key:
            raise BadLayer("not a valid PAX header")
        if b"\0" in value and key in (b"path", b"linkpath", b"uname", b"gname"):
            raise BadLayer(f"PAX {show(key)} contains a zero byte")
        if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
            parts.append(value)
        records[key] = value
        position = end
    if parts:
        records[b"GNU.sparse.map"] = b",".join(parts)
    return records


def _pax_integer(pax: dict[bytes, bytes], key: bytes, field: bytes) -> int:
    text = pax.get(key)
    if not text:
        return _number(field, show(key))
    return _decimal(text, key)


def _decimal(text: bytes, what: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise BadLayer(f"PAX {show(what)} {show(text[:20])} is not a number")
    return int(text)


def _time_ns(text: bytes) -> int:
    whole, _, fraction = text.partition(b".")
    negative = whole.startswith(b"-")
    digits = whole.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 12 or (fraction and not fraction.isdigit()):
        raise BadLayer(f"PAX mtime {show(text[:20])} is not a time")
    time_ns = int(digits) * SECOND_NS + int((fraction + b"0" * 9)[:9])
    return -time_ns if negative else time_ns


def _xattrs(pax: dict[bytes, bytes]) -> dict[str, bytes] | None:
    if not pax:
        return None
    prefix = b"SCHILY.xattr."
    found = {
        key[len(prefix) :].decode(errors="surrogateescape"): value
        for key, value in pax.items()
        if key.startswith(prefix)
    }
    return found or None


def _old_sparse(source: Source, block: bytes, entry: Entry) -> None:
    entry.kind = REGULAR
    entry.real_size = _number(block[483:495], "real size")
    numbers: list[int] = []
    area, count, more = block[386:482], 4, block[482]
    while True:
        for index in range(count):
            pair = area[index * 24 : index * 24 + 24]
            if pair[0]:
                numbers += (_number(pair[:12], "offset"), _number(pair[12:], "length"))
        if not more:
            break
        if len(numbers) > 2 * MAXIMUM_SPARSE_PARTS:
            raise BadLayer(f"{show(entry.name)}: too many sparse parts")
        area = source.exactly(BLOCK, "a sparse map")
        count, more = 21, area[504]
    entry.parts = _checked_parts(numbers, entry)


def _pax_sparse(source: Source, pax: dict[bytes, bytes], entry: Entry) -> None:
    real_size = pax.get(b"GNU.sparse.realsize") or pax.get(b"GNU.sparse.size")
    if real_size is None:
        return
    entry.real_size = _decimal(real_size, b"sparse size")
    entry.name = pax.get(b"GNU.sparse.name") or entry.name
    if pax.get(b"GNU.sparse.major") == b"1":
        numbers = _sparse_map_in_content(source, entry)
    else:
        text = pax.get(b"GNU.sparse.map", b"")
        numbers = [_decimal(word, b"sparse map") for word in text.split(b",")] if text else []
    entry.parts = _checked_parts(numbers, entry)


def _sparse_map_in_content(source: Source, entry: Entry) -> list[int]:
    """Version 1.0: decimal lines at the start of the content, padded to a block."""
    text = b""
    wanted = 1
    while text.count(b"\n") < wanted:
        if len(text) + BLOCK > entry.size or len(text) > MAXIMUM_EXTENDED:
            raise BadLayer(f"{show(entry.name)}: not a valid sparse map")
        text += source.exactly(BLOCK, "a sparse map")
        if wanted == 1 and b"\n" in text:
            count = _decimal(text.partition(b"\n")[0], b"sparse map")
            if count > MAXIMUM_SPARSE_PARTS:
                raise BadLayer(f"{show(entry.name)}: too many sparse parts")
            wanted = 1 + 2 * count
    entry.size -= len(text)
    return [_decimal(line, b"sparse map") for line in text.split(b"\n")[1:wanted]]


def _checked_parts(numbers: list[int], entry: Entry) -> list[tuple[int, int]]:
    parts = list(zip(numbers[::2], numbers[1::2], strict=False))
    end = 0
    for offset, length in parts:
        if offset < end or length < 0 or offset + length > entry.real_size:
            raise BadLayer(f"{show(entry.name)}: its sparse parts overlap or lie outside the file")
        end = offset + length
    if len(numbers) % 2 or sum(length for _, length in parts) != entry.size:
        raise BadLayer(f"{show(entry.name)}: its sparse parts do not add up to its {entry.size} bytes")
    return parts


def show(name: bytes) -> str:
    """A name for a message: readable, bounded, and without control characters."""
    text = name.decode(errors="backslashreplace")
    text = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return text if len(text) <= 120 else f"{text[:100]}… ({len(name)} bytes)"
