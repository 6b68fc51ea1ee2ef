"""Packing a rotated log, in a child process of a shim, as a gzip file that says which file it was.

The name in the gzip header is the inode of the log: a follower that was reading it finds by that where to go on.
"""

from __future__ import annotations

import os
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

SUFFIX = ".gz"
_BLOCK = 1 << 16
_MAGIC = b"\x1f\x8b\x08"
_HAS_NAME = 8


def compress(path: str) -> NoReturn:
    """Replace `path` by `path`.gz, and leave this process."""
    code = 1
    try:
        os.closerange(3, 1 << 20)  # the shim's lock above all
        os.nice(10)
        pack(path)
        code = 0
    except OSError:
        pass
    finally:
        os._exit(code)


def pack(path: str) -> None:
    """Replace `path` by `path`.gz, with the times of the original; at every moment one of them is there."""
    temporary = f"{path}{SUFFIX}.new"
    with open(path, "rb") as source, open(temporary, "wb") as target:
        status = os.fstat(source.fileno())
        target.write(_MAGIC + bytes((_HAS_NAME, *(0,) * 5, 255)) + f"{status.st_ino}\0".encode())
        checksum, size = 0, 0
        packer = zlib.compressobj(3, zlib.DEFLATED, -zlib.MAX_WBITS)
        while block := source.read(_BLOCK):
            checksum, size = zlib.crc32(block, checksum), size + len(block)
            target.write(packer.compress(block))
        target.write(packer.flush() + checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little"))
    os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(temporary, f"{path}{SUFFIX}")
    os.unlink(path)


def original_inode(start: bytes) -> int:
    """From the first bytes of a file that `pack` made; 0 when another did."""
    if start[:3] != _MAGIC or not start[3] & _HAS_NAME:
        return 0
    name = start[10:].partition(b"\0")[0]
    return int(name) if name.isdigit() else 0
