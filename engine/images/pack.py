"""Makes a layer blob of an archive's plain bytes: compressed, hashed on both sides, put into the content store."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib

from .assemble import LayerBlob

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

    from .content import ContentStore

LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


class Packer:
    """A file to write an archive to."""

    def __init__(self, file: IO[bytes]) -> None:
        self.size = 0
        self._file = file
        self._plain = hashlib.sha256()
        self._packed = hashlib.sha256()
        self._position = 0
        try:
            from isal import isal_zlib

            self._compressor: Any = isal_zlib.compressobj(3, isal_zlib.DEFLATED, 31)
        except ImportError:
            self._compressor = zlib.compressobj(6, zlib.DEFLATED, 31)

    @property
    def digest(self) -> str:
        return f"sha256:{self._packed.hexdigest()}"

    @property
    def diff_id(self) -> str:
        return f"sha256:{self._plain.hexdigest()}"

    def write(self, data: bytes) -> int:
        self._plain.update(data)
        self._position += len(data)
        self._put(self._compressor.compress(data))
        return len(data)

    def tell(self) -> int:
        return self._position

    def finish(self) -> None:
        self._put(self._compressor.flush())

    def _put(self, data: bytes) -> None:
        self._packed.update(data)
        self._file.write(data)
        self.size += len(data)


@contextlib.contextmanager
def packing(content: ContentStore) -> Iterator[tuple[Packer, list[LayerBlob]]]:
    """Write to the packer; the list has the stored layer after the context. Leaves nothing when it raises."""
    os.makedirs(content.paths.ingest, mode=0o700, exist_ok=True)
    path = f"{content.paths.ingest}/pack-{os.getpid()}-{os.urandom(8).hex()}"
    stored: list[LayerBlob] = []
    try:
        with open(path, "wb") as file:
            packer = Packer(file)
            yield packer, stored
            packer.finish()
        content.take(path, packer.digest)
    except BaseException:
        if os.path.exists(path):
            os.unlink(path)
        raise
    stored.append(LayerBlob(digest=packer.digest, size=packer.size, diff_id=packer.diff_id))


def pack_layer(content: ContentStore, pieces: Iterator[bytes]) -> LayerBlob:
    """Store the archive as a layer."""
    with packing(content) as (packer, stored):
        for piece in pieces:
            packer.write(piece)
    return stored[0]
