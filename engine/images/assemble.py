"""Turns an image's layer blobs into unpacked layers, several at a time.

Layers unpack independently, each into its own directory and process; only their last step, which looks at the
layers below, goes bottom up, in `finish`. A layer that another process is making is waited for there as well, and
nowhere else: whoever waits for a layer has finished all below it, so two pulls cannot wait for each other.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor

from ..errors import Cancelled, CorruptContent
from ..record import Record
from .config import chain_ids
from .unpack.run import Unpacked, unpack_layer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .layers import LayerStore, NewLayer

    Begun = tuple[NewLayer, Unpacked] | None
    Progress = Callable[[int, int], None]

_OCI = "application/vnd.oci.image.layer."
_DOCKER = "application/vnd.docker.image.rootfs."
_LAYER_TYPES = {
    *(f"{_OCI}{kind}v1.tar{suffix}" for kind in ("", "nondistributable.") for suffix in ("", "+gzip", "+zstd")),
    *(f"{_DOCKER}{kind}diff.tar{suffix}" for kind in ("", "foreign.") for suffix in ("", ".gzip", ".zstd")),
}


class LayerBlob(Record):
    """One layer of an image: its blob, and the digest of what is inside."""

    digest: str
    size: int
    diff_id: str


class Assembly:
    """Unpacks the layers of one image. `offer` each blob when it can be read, then `finish`; `close` always."""

    def __init__(
        self,
        store: LayerStore,
        layers: list[LayerBlob],
        *,
        on_read: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self.layers = layers
        self.chain = chain_ids([layer.diff_id for layer in layers])
        self.missing = {index for index, chain_id in enumerate(self.chain) if not store.has(chain_id)}
        self._store = store
        self._on_read = on_read
        self._cancelled = cancelled
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(max(2, os.cpu_count() or 1), thread_name_prefix="unpack")
        self._openers: dict[int, Callable[[], int]] = {}
        self._begun: dict[int, Future[Begun]] = {index: Future() for index in self.missing}
        self._lock = threading.Lock()  # guards _openers and the decision to start or to fail a layer
        self._failure: BaseException | None = None

    def offer(self, index: int, open_blob: Callable[[], int]) -> None:
        """The blob of layer `index` is there; `open_blob` gives a descriptor of its bytes each time."""
        with self._lock:
            self._openers[index] = open_blob
            if not self._stop.is_set():
                self._pool.submit(self._start, index)

    def finish(self, on_done: Callable[[int], None] | None = None) -> None:
        """Wait for all and name them, bottom up. Raises what the first failed one raised."""
        try:
            self._finish(on_done)
        except Cancelled:
            if self._failure is not None:
                raise self._failure from None
            raise
        self._settle()

    def stopped(self) -> bool:
        """True when the work is of no use any more."""
        return self._stop.is_set() or (self._cancelled is not None and self._cancelled())

    def fail(self, error: BaseException) -> None:
        """End everything at the next occasion; the first cause is what `finish` raises."""
        with self._lock:
            if self._failure is None and not isinstance(error, Cancelled):
                self._failure = error
            self._stop.set()
            for index, begun in self._begun.items():
                if index not in self._openers:
                    begun.set_exception(Cancelled("cancelled before a layer was unpacked"))
                    self._openers[index] = _no_blob

    def close(self) -> None:
        """Stop what runs and remove what is half made."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for future in self._begun.values():
            if future.done() and future.exception() is None:
                begun = future.result()
                if begun is not None:
                    begun[0].close()

    def _finish(self, on_done: Callable[[int], None] | None) -> None:
        for index, chain_id in enumerate(self.chain):
            if index in self.missing:
                begun = self._begun[index].result()
                new = begun[0] if begun is not None else self._store.begin(chain_id, cancelled=self.stopped)
                try:
                    if new is not None:
                        unpacked = begun[1] if begun is not None else self._unpack(index, new)
                        lower = tuple(self._store.path(below) for below in self.chain[:index])
                        new.finish(unpacked, lower)
                finally:
                    if new is not None:
                        new.close()
            if on_done is not None:
                on_done(index)

    def _start(self, index: int) -> None:
        future = self._begun[index]
        try:
            future.set_result(self._begin(index))
        except BaseException as error:
            self.fail(error)
            future.set_exception(error)

    def _begin(self, index: int) -> Begun:
        if self.stopped():
            raise Cancelled("cancelled before a layer was unpacked")
        try:
            new = self._store.begin(self.chain[index], wait=False)
        except BlockingIOError:
            return None  # another process makes it; `finish` waits for that
        if new is None:
            return None
        try:
            return new, self._unpack(index, new)
        except BaseException:
            new.close()
            raise

    def _unpack(self, index: int, new: NewLayer) -> Unpacked:
        layer = self.layers[index]
        on_read = self._on_read
        blob_fd = self._openers[index]()
        try:
            unpacked = unpack_layer(
                blob_fd,
                new.target,
                on_read=None if on_read is None else lambda done: on_read(index, done),
                cancelled=self.stopped,
            )
        finally:
            os.close(blob_fd)
        if unpacked.diff_id != layer.diff_id:
            raise CorruptContent(
                f"layer {layer.digest}: its content is {unpacked.diff_id}, the image says {layer.diff_id}"
            )
        return unpacked

    def _settle(self) -> None:
        notes = self._store.unsettled()
        if notes:
            program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "settle.py")
            process = subprocess.Popen(
                [sys.executable, "-SI", program, *notes],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                start_new_session=True,
            )
            threading.Thread(target=process.wait, daemon=True).start()


def _no_blob() -> int:
    raise Cancelled("cancelled before a layer was fetched")


def is_layer(media_type: str) -> bool:
    """True for the media types of file system layers; how one is compressed, its first bytes tell."""
    return media_type in _LAYER_TYPES
