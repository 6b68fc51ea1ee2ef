"""An archive that came from outside as a stream of plain bytes, whatever it was compressed with."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..images.unpack.errors import BadLayer
from ..images.unpack.source import Source, opener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PIECE = 1 << 18
_BZIP2 = b"BZh"
_XZ = b"\xfd7zX"


def open_archive(read: Callable[[int], bytes]) -> Source:
    """A source of plain bytes; `read(n)` gives up to n bytes and b"" at the end. gzip, bzip2, xz, zstd or none, told
    by the first bytes. Raises InvalidRequest, and later, while it is read, `BadLayer`."""
    first = b""
    while len(first) < 4 and (piece := read(PIECE)):
        first += piece
    return Source(plain(first, _pieces(first, read)))


def plain(beginning: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The plain bytes of a stream that begins so."""
    if beginning.startswith(_BZIP2):
        import bz2

        return _inflated(bz2.BZ2Decompressor, pieces, OSError)
    if beginning.startswith(_XZ):
        import lzma

        # a dictionary of gigabytes would be the sender's way to fill our memory
        return _inflated(lambda: lzma.LZMADecompressor(memlimit=256 << 20), pieces, lzma.LZMAError)
    try:
        return opener(beginning[:4].ljust(4, b"\0"))(pieces)
    except BadLayer as error:
        raise InvalidRequest(str(error)) from error


def _pieces(first: bytes, read: Callable[[int], bytes]) -> Iterator[bytes]:
    if first:
        yield first
    while piece := read(PIECE):
        yield piece


if TYPE_CHECKING:
    from typing import Any, Protocol

    class _Decompressor(Protocol):
        @property
        def eof(self) -> bool: ...
        @property
        def needs_input(self) -> bool: ...
        @property
        def unused_data(self) -> bytes: ...
        def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _inflated(make: Callable[[], Any], pieces: Iterator[bytes], failure: type[Exception]) -> Iterator[bytes]:
    stream: _Decompressor = make()
    for piece in pieces:
        data = piece
        while True:
            if stream.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                stream = make()
            try:
                out = stream.decompress(data, 4 << 20)
            except failure as error:
                raise BadLayer(f"the compressed stream is not valid: {error}") from error
            if out:
                yield out
            if stream.eof:
                data = stream.unused_data
            elif stream.needs_input:
                break
            else:
                data = b""
    if not stream.eof:
        raise BadLayer("the compressed stream is cut off")
