"""A compressed layer as a stream of plain bytes, hashed on the way.

Runs in the confined unpacker, so nothing here imports on demand: `opener` picks the codec, and imports it,
before the root is changed. isal inflates twice as fast as zlib, which is the fallback.
"""

from __future__ import annotations

import hashlib
import os
import zlib

from .errors import BadLayer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Protocol

    class GzipMember(Protocol):
        """What zlib's and isal's decompression objects have in common."""

        @property
        def eof(self) -> bool: ...
        @property
        def unused_data(self) -> bytes: ...
        @property
        def unconsumed_tail(self) -> bytes: ...
        def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


PIECE = 1 << 20
OUTPUT = 4 << 20
GZIP_WBITS = 31


class Source:
    """Exact reads from an iterator of pieces. `total` counts plain bytes, `digest()` is that of all of them."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.total = 0
        self._pieces = pieces
        self._hash = hashlib.sha256()
        self._piece = memoryview(b"")
        self._position = 0

    def some(self, limit: int) -> memoryview:
        """Between 1 and `limit` bytes without a copy, empty at the end; valid until the next read."""
        if self._position == len(self._piece):
            self._next()
        part = self._piece[self._position : self._position + limit]
        self._position += len(part)
        return part

    def exactly(self, size: int, what: str) -> bytes:
        """`size` bytes. Raises BadLayer naming `what` when the stream ends before."""
        first = self.some(size)
        if len(first) == size:
            return bytes(first)
        parts = bytearray(first)
        while len(parts) < size:
            part = self.some(size - len(parts))
            if not part:
                raise BadLayer(f"the archive ends inside {what}")
            parts += part
        return bytes(parts)

    def skip(self, size: int, what: str) -> None:
        """Pass over `size` bytes."""
        while size:
            part = self.some(size)
            if not part:
                raise BadLayer(f"the archive ends inside {what}")
            size -= len(part)

    def drain(self) -> None:
        """Read to the end, since the digest covers what lies behind the archive's end as well."""
        self._position = len(self._piece)
        while self._next():
            self._position = len(self._piece)

    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def _next(self) -> bool:
        piece = next(self._pieces, b"")
        self._hash.update(piece)
        self.total += len(piece)
        self._piece = memoryview(piece)
        self._position = 0
        return bool(piece)


def opener(beginning: bytes) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    """The decompressor for a blob that begins so, its codec imported now. Raises BadLayer without the codec.

    The bytes decide and not the media type, as in Docker, because registries hold layers whose type is wrong.
    """
    if beginning[:2] == b"\x1f\x8b":
        return _gzip_with(*_gzip_factory())
    if beginning == b"\x28\xb5\x2f\xfd" or beginning[1:] == b"\x2a\x4d\x18":
        return _zstd()
    return lambda pieces: pieces


def read_pieces(fd: int, advance: Callable[[int], None]) -> Iterator[bytes]:
    """The file behind `fd` in pieces; `advance` is told the bytes read so far, and may raise to stop."""
    done = 0
    while piece := os.read(fd, PIECE):
        done += len(piece)
        advance(done)
        yield piece


def _gzip_factory() -> tuple[Callable[[], GzipMember], Any]:
    try:
        from isal import isal_zlib
    except ImportError:
        return lambda: zlib.decompressobj(GZIP_WBITS), zlib.error
    return lambda: isal_zlib.decompressobj(GZIP_WBITS), isal_zlib.error


def _gzip_with(factory: Callable[[], GzipMember], failure: Any) -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    def inflate(pieces: Iterator[bytes]) -> Iterator[bytes]:
        member = factory()
        for piece in pieces:
            data, more = piece, True
            while more:
                if member.eof:
                    # Members may follow each other (RFC 1952, 2.2), and tapes pad with zeros.
                    data = data.lstrip(b"\0")
                    if not data:
                        break
                    member = factory()
                try:
                    plain = member.decompress(data, OUTPUT)
                except failure as error:
                    raise BadLayer(f"not valid gzip: {error}") from error
                if plain:
                    yield plain
                data = member.unused_data if member.eof else member.unconsumed_tail
                # A full piece may have left output inside the codec although all input is taken.
                more = bool(data) or (len(plain) == OUTPUT and not member.eof)
        if not member.eof:
            raise BadLayer("the gzip stream is cut off")

    return inflate


def _zstd() -> Callable[[Iterator[bytes]], Iterator[bytes]]:
    try:
        from compression import zstd  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        try:
            from backports import zstd  # type: ignore[no-redef,unused-ignore]
        except ImportError:
            raise BadLayer("layers compressed with zstd need the package backports.zstd") from None

    # A frame may ask for a window of up to 2 GiB; zstd's own tools stop at 128 MiB by default, and so do we.
    options = {zstd.DecompressionParameter.window_log_max: 27}

    def inflate(pieces: Iterator[bytes]) -> Iterator[bytes]:
        frame = zstd.ZstdDecompressor(options=options)
        for piece in pieces:
            data = piece
            while True:
                if frame.eof:
                    if not data:
                        break
                    frame = zstd.ZstdDecompressor(options=options)
                try:
                    plain = frame.decompress(data, OUTPUT)
                except zstd.ZstdError as error:
                    raise BadLayer(f"not valid zstd: {error}") from error
                if plain:
                    yield plain
                if frame.eof:
                    data = frame.unused_data
                elif frame.needs_input:
                    break
                else:
                    data = b""
        if not frame.eof:
            raise BadLayer("the zstd stream is cut off")

    return inflate
