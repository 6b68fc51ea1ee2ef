"""One push: the blobs that the registry lacks, several at once, then the manifest under its tag.

A blob is asked for first, then mounted from another repository of that registry that is known to have it, and else sent
whole. What breaks is sent anew; whatever arrived stays in the registry, so that a later push begins there.
Source: OCI distribution-spec, "Pushing content".
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ..errors import Cancelled, CorruptContent, InvalidRequest, NotFound, RegistryError
from ..models import PullProgress
from ..record import Record
from .catalogue import find
from .content import PIECE, ContentStore
from .index import Index
from .manifest import DOCKER_MANIFEST, MANIFEST_LIMIT, OCI_MANIFEST, Manifest, parse_manifest
from .reference import parse
from .registry import Registry
from .remove import PullsLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..models import LayerStatus
    from ..paths import Paths
    from .auth import Credentials
    from .index import IndexEntry
    from .reference import Reference
    from .registry import Attempt

UPLOADS = 4
REPORT_S = 0.05
CANCEL_POLL_S = 0.1


class Pushed(Record):
    """What the registry has now: its tag, and the manifest's digest and size."""

    tag: str
    digest: str
    size: int


class Push:
    """Use once: `run`."""

    def __init__(
        self,
        paths: Paths,
        reference: Reference,
        on_progress: Callable[[PullProgress], None] | None,
        cancelled: Callable[[], bool] | None,
        credentials: Credentials | None = None,
    ) -> None:
        if reference.digest:
            raise InvalidRequest("cannot push a digest reference", hint="Push it by a tag.")
        self._paths = paths
        self._name = reference
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._content = ContentStore(paths)
        self._reported: dict[str, float] = {}
        entries = Index(paths).read()
        self._entry = _named(entries, reference)
        self._sources = _sources(entries, self._entry, reference)
        scopes = [f"repository:{reference.path}:pull,push", *(f"repository:{path}:pull" for path in self._sources)]
        self._registry = Registry(reference, credentials=credentials, cancelled=cancelled, scope=" ".join(scopes))

    def run(self) -> Pushed:
        """Do it; see `Images.push` for what it raises."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), name="push-cancel", daemon=True)
        if self._cancelled is not None:
            watcher.start()
        try:
            with PullsLock(self._paths):  # what is being sent is not collected
                return self._run()
        finally:
            done.set()
            self._registry.close()

    def _run(self) -> Pushed:
        self._tell(f"The push refers to repository [{self._name.name}]")
        digest = self._entry.origin or self._entry.digest
        data = self._content.read(digest, MANIFEST_LIMIT)
        manifest = parse_manifest(data, "", f"image {self._entry.config}")
        if not isinstance(manifest, Manifest):
            raise CorruptContent(f"image {self._entry.config} has an index for its manifest")
        layers = list(dict.fromkeys(layer.digest for layer in manifest.layers))
        for layer in layers:
            if not self._content.has(layer):
                raise NotFound(f"layer {layer} is not in the content store", hint="Pull the image again.")
            self._report(layer, "preparing", 0, 0, always=True)
        pool = ThreadPoolExecutor(UPLOADS, thread_name_prefix="upload")
        try:
            for upload in [pool.submit(self._blob, layer) for layer in layers]:
                upload.result()
            self._blob(manifest.config.digest, shown=False)
        except BaseException:
            self._registry.abort()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        self._manifest(data, manifest.media_type or OCI_MANIFEST)
        with Index(self._paths).change() as change:
            for entry in [item for item in change.entries if item.reference == self._name.full]:
                if entry.digest == self._entry.digest:
                    change.put(entry.replace(repo_digest=f"{self._name.name}@{digest}"))
        self._tell(f"{self._name.tag}: digest: {digest} size: {len(data)}")
        return Pushed(tag=self._name.tag, digest=digest, size=len(data))

    def _blob(self, digest: str, *, shown: bool = True) -> None:
        size = self._content.size(digest)
        told = digest if shown else ""
        if self._exists(digest):
            self._report(told, "exists", size, size, always=True)
            return

        def retrying(_reason: str) -> None:
            self._report(told, "retrying", 0, size, always=True)

        for attempt in self._registry.attempts(retrying):
            location = self._begin(digest, attempt)
            if location == "":
                self._report(told, "mounted", size, size, always=True)
                return
            if location is not None and self._send(location, digest, size, told, attempt):
                self._report(told, "pushed", size, size, always=True)
                return

    def _exists(self, digest: str) -> bool:
        for attempt in self._registry.attempts():
            response = self._registry.request("HEAD", f"blobs/{digest}", {}, attempt)
            if response is None:
                continue
            with contextlib.closing(response):
                if response.status_code in (401, 403):
                    raise self._registry.refusal(response, f"blobs/{digest}")
                return response.status_code == 200
        raise AssertionError("attempts end with an exception")

    def _begin(self, digest: str, attempt: Attempt) -> str | None:
        """Where to send a blob; "" when it was mounted from elsewhere, None to try again."""
        source = self._sources[attempt.number % len(self._sources)] if self._sources else ""
        query = f"?mount={digest}&from={source}" if source else ""
        response = self._registry.request("POST", f"blobs/uploads/{query}", {}, attempt, lambda: b"")
        if response is None:
            return None
        with contextlib.closing(response):
            if response.status_code == 201:
                return ""
            if response.status_code != 202:
                raise self._refused(response.status_code, self._registry.refusal(response, "blobs/uploads/"))
            location = response.headers.get("Location", "")
        if not location:
            raise RegistryError(f"{self._registry.domain} does not say where to send a layer")
        return self._registry.absolute(location)

    def _send(self, location: str, digest: str, size: int, told: str, attempt: Attempt) -> bool:
        address = f"{location}{'&' if '?' in location else '?'}digest={digest}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        response = self._registry.request("PUT", address, headers, attempt, lambda: self._read(digest, size, told))
        if response is None:
            return False
        with contextlib.closing(response):
            if response.status_code == 201:
                return True
            if response.status_code in (404, 416):  # the upload was forgotten meanwhile: begin a new one
                attempt.fail(RegistryError(f"{self._registry.domain} has forgotten the upload of {digest}"))
                return False
            raise self._refused(response.status_code, self._registry.refusal(response, "blobs/uploads/"))

    def _manifest(self, data: bytes, media_type: str) -> None:
        kind = media_type if media_type in (OCI_MANIFEST, DOCKER_MANIFEST) else OCI_MANIFEST
        for attempt in self._registry.attempts():
            where = f"manifests/{self._name.tag}"
            response = self._registry.request("PUT", where, {"Content-Type": kind}, attempt, lambda: data)
            if response is None:
                continue
            with contextlib.closing(response):
                if response.status_code in (200, 201, 202):
                    return
                raise self._refused(response.status_code, self._registry.refusal(response, where))

    def _refused(self, status: int, error: RegistryError | Exception) -> Exception:
        if status in (401, 403):
            hint = getattr(error, "hint", "")
            return RegistryError(f"denied: requested access to {self._name.familiar_name} is denied", hint=hint)
        return error

    def _read(self, digest: str, size: int, told: str) -> Iterator[bytes]:
        fd = self._content.open(digest)
        sent = 0
        try:
            while piece := os.read(fd, PIECE):
                if self._cancelled is not None and self._cancelled():
                    raise Cancelled("cancelled while pushing a layer")
                yield piece
                sent += len(piece)
                self._report(told, "pushing", sent, size)
        finally:
            os.close(fd)

    def _report(self, digest: str, status: LayerStatus, current: int, total: int, *, always: bool = False) -> None:
        if self._on_progress is None or not digest:
            return
        now = time.monotonic()
        if always or now - self._reported.get(digest, 0.0) >= REPORT_S:
            self._reported[digest] = now
            message = self._sources[0] if status == "mounted" and self._sources else ""
            layer = digest.partition(":")[2][:12]
            self._on_progress(PullProgress(layer=layer, status=status, current=current, total=total, message=message))

    def _tell(self, message: str) -> None:
        if self._on_progress is not None:
            self._on_progress(PullProgress(message=message))

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(CANCEL_POLL_S):
            if self._cancelled is not None and self._cancelled():
                self._registry.abort()
                return


def _named(entries: list[IndexEntry], reference: Reference) -> IndexEntry:
    """Only a name can be pushed, for it says where to."""
    for entry in entries:
        if entry.reference == reference.full:
            return entry
    raise NotFound(
        f"an image does not exist locally with the tag: {reference.familiar_name}",
        hint=f"pydock tag IMAGE {reference.familiar} gives one the name.",
    )


def _sources(entries: list[IndexEntry], entry: IndexEntry, reference: Reference) -> list[str]:
    """Other repositories of the registry that this very image came from or went to."""
    known = [item.repo_digest for item in entries if item.config == entry.config and item.repo_digest]
    paths = []
    for text in known:
        other = parse(text)
        if other.domain == reference.domain and other.path != reference.path:
            paths.append(other.path)
    return list(dict.fromkeys(paths))


def every_tag(paths: Paths, repository: str) -> list[Reference]:
    """All names of a repository here, for `push --all-tags`. Raises NotFound."""
    name = parse(repository).name
    found = [parse(entry.reference) for entry in Index(paths).read() if entry.reference]
    tagged = [reference for reference in found if reference.name == name and not reference.digest]
    if not tagged:
        find(Index(paths).read(), repository)
    return tagged
