"""One pull: from a name to an unpacked image in the index.

    manifest (or index, and the manifest of the platform) -> configuration -> layers, several at once
    each layer: fetched into the store, checked, handed to the unpackers while others still download

Every document and blob is checked against its digest before a byte of it is used, and comes into the index last of
all: a pull that ends early, however, leaves no image, only blobs that the next one need not fetch.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ..errors import Cancelled, CorruptContent, DiskFull, EngineError, ImageNotFound
from ..models import PullProgress
from .assemble import Assembly
from .content import ContentStore, check_digest
from .index import Index, IndexEntry
from .layers import LayerStore
from .manifest import (
    ACCEPTED,
    CONFIG_LIMIT,
    MANIFEST_LIMIT,
    OCI_MANIFEST,
    Manifest,
    as_oci,
    choose,
    layer_blobs,
    parse_config,
    parse_manifest,
    parse_platform,
)
from .registry import Registry
from .remove import PullsLock, collect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from ..models import LayerStatus
    from ..paths import Paths
    from .assemble import LayerBlob
    from .auth import Credentials
    from .content import Ingest
    from .manifest import Config, Descriptor
    from .reference import Reference

DOCKER = "vnd.docker."
DOWNLOADS = 4
REPORT_S = 0.05
PROGRESS_BYTES = 64 << 10
CANCEL_POLL_S = 0.1
CORRUPT_TRIES = 2


class Pull:
    """Use once: `run`."""

    def __init__(
        self,
        paths: Paths,
        reference: Reference,
        platform: str,
        on_progress: Callable[[PullProgress], None] | None,
        cancelled: Callable[[], bool] | None,
        credentials: Credentials | None = None,
    ) -> None:
        self._paths = paths
        self._reference = reference
        self._platform = parse_platform(platform)
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._content = ContentStore(paths)
        self._layers = LayerStore(paths)
        self._registry = Registry(reference, credentials=credentials, cancelled=cancelled)
        self._reported: dict[str, float] = {}
        self._held: list[int] = []

    def run(self) -> IndexEntry:
        """Do it; see `Images.pull` for what it raises."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), name="pull-cancel", daemon=True)
        if self._cancelled is not None:
            watcher.start()
        try:
            with PullsLock(self._paths):
                return self._run()
        except OSError as error:
            self._make_room()
            raise _disk_error(error, self._paths.root) from error
        except DiskFull:
            self._make_room()
            raise
        finally:
            done.set()
            self._registry.close()
            for held_fd in self._held:
                os.close(held_fd)

    def _make_room(self) -> None:
        """A disk that is full is of no use to anybody: give back what this pull brought."""
        collect(self._paths, unfinished=True)

    def _run(self) -> IndexEntry:
        self._content.sweep()
        self._layers.sweep()
        name = self._reference
        self._tell(f"{name.tag or name.digest}: Pulling from {name.path}")
        repo_digest, digest, manifest = self._resolve()
        where = f"image {name.familiar}"
        config_data = self._config_data(manifest.config)
        config = parse_config(config_data, where)
        self._check_platform(config)
        layers = layer_blobs(manifest, config, where)
        self._fetch_layers(layers)
        stored = digest
        if not digest.startswith("sha256:") or any(DOCKER in part.media_type for part in _parts(manifest)):
            stored = self._content.add(as_oci(manifest))
        entry = IndexEntry(
            reference=name.full,
            digest=stored,
            size=self._content.size(stored),
            media_type=OCI_MANIFEST,
            config=manifest.config.digest,
            repo_digest=f"{name.name}@{repo_digest}",
            origin=digest if digest != stored else "",
            pulled_ns=time.time_ns(),
            architecture=config.architecture,
            os=config.os,
            variant=config.variant,
        )
        with Index(self._paths).change() as change:
            change.put(entry)
        return entry

    def _resolve(self) -> tuple[str, str, Manifest]:
        """The digest that the name stands for, that of the platform's manifest, and the manifest."""
        name = self._reference
        data, media_type = self._manifest_data(name.digest or name.tag, name.digest)
        repo_digest = name.digest or self._content.add(data)
        document = parse_manifest(data, media_type, f"manifest of {name.familiar}")
        if isinstance(document, Manifest):
            return repo_digest, repo_digest, document
        chosen = choose(document, self._platform, name.familiar)
        data, media_type = self._manifest_data(chosen.digest, chosen.digest)
        manifest = parse_manifest(data, media_type or chosen.media_type, f"manifest {chosen.digest}")
        if not isinstance(manifest, Manifest):
            raise CorruptContent(f"manifest {chosen.digest}: an index inside an index")
        return repo_digest, chosen.digest, manifest

    def _manifest_data(self, tag_or_digest: str, digest: str) -> tuple[bytes, str]:
        if digest and self._content.has(digest):
            return self._content.read(digest, MANIFEST_LIMIT), ""
        data, media_type = self._registry.document(f"manifests/{tag_or_digest}", ACCEPTED, MANIFEST_LIMIT)
        if digest:
            check_digest(data, digest, f"{self._registry.domain}: manifest")
            if digest.startswith("sha256:"):
                self._content.add(data)
        return data, media_type

    def _config_data(self, descriptor: Descriptor) -> bytes:
        if descriptor.size > CONFIG_LIMIT:
            raise CorruptContent(f"configuration {descriptor.digest} of {descriptor.size} bytes is too large")
        if not self._content.has(descriptor.digest):
            self._fetch(descriptor.digest, descriptor.size, "", self._is_cancelled)
        return self._content.read(descriptor.digest, CONFIG_LIMIT)

    def _check_platform(self, config: Config) -> None:
        if config.os not in ("", "linux"):
            raise ImageNotFound(f"image {self._reference.familiar} is for {config.os[:40]!r}, not for linux")

    def _fetch_layers(self, layers: list[LayerBlob]) -> None:
        assembly = Assembly(
            self._layers,
            layers,
            on_read=lambda index, done: self._report(layers[index].digest, "unpacking", done, layers[index].size),
            cancelled=self._is_cancelled,
        )
        places: dict[str, list[int]] = {}
        for index, layer in enumerate(layers):
            places.setdefault(layer.digest, []).append(index)
            here = self._content.has(layer.digest) and index not in assembly.missing
            self._report(layer.digest, "exists" if here else "waiting", 0, layer.size, always=True)
        self._check_space([layer for layer in layers if not self._content.has(layer.digest)])
        pool = ThreadPoolExecutor(DOWNLOADS, thread_name_prefix="download")
        downloads: list[Future[None]] = []
        try:
            for indices in places.values():
                downloads.append(pool.submit(self._fetch_layer, layers[indices[0]], indices, assembly))
            assembly.finish(lambda index: self._done(layers[index], index in assembly.missing))
            for download in downloads:
                download.result()
        except BaseException:
            self._registry.abort()
            raise
        finally:
            assembly.fail(Cancelled("the pull has ended"))
            pool.shutdown(wait=True, cancel_futures=True)
            assembly.close()

    def _check_space(self, wanted: list[LayerBlob]) -> None:
        needed = sum({layer.digest: layer.size for layer in wanted}.values())
        disk = os.statvfs(self._paths.root)
        free = disk.f_bavail * disk.f_frsize
        if needed > free:
            raise DiskFull(
                f"image {self._reference.familiar} needs {needed >> 20} MiB to download, {self._paths.root} has "
                f"{free >> 20} MiB free: no space left on device",
                hint="Free some space: remove images that are not needed.",
            )

    def _fetch_layer(self, layer: LayerBlob, indices: list[int], assembly: Assembly) -> None:
        wanted = [index for index in indices if index in assembly.missing]

        def unpack(open_blob: Callable[[], int]) -> None:
            if wanted:
                self._report(layer.digest, "downloaded", layer.size, layer.size, always=True)
            while wanted:
                assembly.offer(wanted.pop(), open_blob)

        try:
            if not self._content.has(layer.digest):
                self._fetch(layer.digest, layer.size, layer.digest, assembly.stopped, unpack)
            unpack(lambda: self._content.open(layer.digest))
        except EngineError as error:
            assembly.fail(error)
            raise
        except OSError as error:
            failure = _disk_error(error, self._paths.root)
            assembly.fail(failure)
            raise failure from error

    def _fetch(
        self,
        digest: str,
        size: int,
        shown: str,
        stopped: Callable[[], bool],
        on_verified: Callable[[Callable[[], int]], None] | None = None,
    ) -> None:
        """Bring one blob into the store, continuing what is there; a blob that turns out corrupt is tried again.

        `on_verified` gets a way to open its bytes as soon as they are known to be right, while they are being
        written to disk.
        """
        with self._content.ingest(digest, size, cancelled=stopped) as ingest:
            if ingest.complete:
                return
            tries = 0

            def retrying(_reason: str) -> None:
                self._report(shown, "retrying", ingest.offset, size, always=True)

            for attempt in self._registry.attempts(retrying):
                before = ingest.offset
                if ingest.offset < size:
                    with self._registry.blob(digest, ingest.offset, attempt) as opened:
                        if opened is None:
                            continue
                        self._receive(ingest, *opened, shown, stopped)
                        if ingest.offset < size and attempt.error is None:
                            attempt.cut_short(f"{self._registry.domain} ended blob {digest} too early")
                    if ingest.offset - before >= PROGRESS_BYTES:
                        attempt.progressed()
                    if attempt.error is not None and ingest.offset != size:
                        continue
                self._report(shown, "verifying", size, size)
                try:
                    ingest.verify()
                except CorruptContent:
                    tries += 1
                    if tries >= CORRUPT_TRIES:
                        raise
                    attempt.error = None
                    continue
                if on_verified is not None:
                    on_verified(self._hold(ingest))
                ingest.commit()
                return

    def _hold(self, ingest: Ingest) -> Callable[[], int]:
        """A way to open the bytes of a blob that has no name yet; good until the end of this pull."""
        held_fd = ingest.reader()
        self._held.append(held_fd)
        return lambda: os.open(f"/proc/self/fd/{held_fd}", os.O_RDONLY | os.O_CLOEXEC)

    def _receive(
        self, ingest: Ingest, start: int, pieces: Iterator[bytes], shown: str, stopped: Callable[[], bool]
    ) -> None:
        if start > ingest.offset or (start == 0 and ingest.offset):
            ingest.restart()
        skip = ingest.offset - start
        for piece in pieces:
            if stopped():
                raise Cancelled("cancelled while downloading a layer")
            data = memoryview(piece)
            if skip:
                data, skip = data[skip:], max(0, skip - len(data))
                if not data:
                    continue
            ingest.write(data)
            self._report(shown, "downloading", ingest.offset, ingest.size)

    def _done(self, layer: LayerBlob, was_missing: bool) -> None:
        if was_missing:
            self._report(layer.digest, "done", layer.size, layer.size, always=True)

    def _report(self, digest: str, status: LayerStatus, current: int, total: int, *, always: bool = False) -> None:
        """Tell of one layer, at most every 50 ms unless it is a step that must be seen."""
        if self._on_progress is None or not digest:
            return
        now = time.monotonic()
        if always or now - self._reported.get(digest, 0.0) >= REPORT_S:
            self._reported[digest] = now
            layer = digest.partition(":")[2][:12]
            self._on_progress(PullProgress(layer=layer, status=status, current=current, total=total))

    def _tell(self, message: str) -> None:
        if self._on_progress is not None:
            self._on_progress(PullProgress(message=message))

    def _is_cancelled(self) -> bool:
        return self._cancelled is not None and self._cancelled()

    def _watch(self, done: threading.Event) -> None:
        # Threads that wait for the network cannot ask whether they are still wanted.
        while not done.wait(CANCEL_POLL_S):
            if self._is_cancelled():
                self._registry.abort()
                return


def _parts(manifest: Manifest) -> list[Descriptor]:
    return [manifest.config, *manifest.layers]


def _disk_error(error: OSError, where: str) -> DiskFull:
    return DiskFull(
        f"cannot store a layer below {where}: {(error.strerror or str(error)).lower()}",
        hint="Free some space: remove images that are not needed.",
    )
