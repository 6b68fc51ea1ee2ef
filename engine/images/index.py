"""The one truth about which images are here: `index.json` of the OCI image layout.

One descriptor per reference, each of a platform's manifest; an image that lost its last reference to another
one keeps a descriptor without a name until it is removed. Readers need no lock, because the file is replaced by
rename; writers hold an exclusive flock on `oci/.lock` from their read to their rename. Facts that the format
has no field for are annotations `io.pydock.*`, so that other tools read the layout as any other.

Source: OCI image-spec, image-layout.md and annotations.md. Import-light: on the path of a cold `run`.
"""

from __future__ import annotations

import fcntl
import json
import os

from ..errors import CorruptContent
from ..record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Any

    from ..paths import Paths

REF_NAME = "org.opencontainers.image.ref.name"
CONFIG = "io.pydock.config"
REPO_DIGEST = "io.pydock.repo-digest"
ORIGIN = "io.pydock.origin"
PULLED = "io.pydock.pulled"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


class IndexEntry(Record):
    """One descriptor. `reference` is the full form ("" for an image without a name), `config` the digest of
    the configuration, which is the image id; `repo_digest` is `name@digest` as the registry has it. `origin` is the
    registry's own manifest when that is not OCI's and `digest` is its translation."""

    reference: str
    digest: str
    size: int
    media_type: str
    config: str
    repo_digest: str = ""
    origin: str = ""
    pulled_ns: int = 0
    architecture: str = ""
    os: str = ""
    variant: str = ""


class Index:
    """Reads and replaces the index of one layout."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.path = f"{paths.oci}/index.json"

    def read(self) -> list[IndexEntry]:
        """All entries; none when nothing was ever stored. Raises CorruptContent when the file is no index."""
        try:
            with open(self.path, "rb") as file:
                text = file.read()
        except FileNotFoundError:
            return []
        try:
            return [self._entry(descriptor) for descriptor in json.loads(text)["manifests"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptContent(
                f"{self.path} is not an image index: {error}",
                hint="Move it away to begin with no images; blobs that are here are not fetched again.",
            ) from error

    def change(self) -> IndexChange:
        """A context that holds the lock; its `entries` are written back when it ends without an exception."""
        return IndexChange(self)

    def _entry(self, descriptor: dict[str, Any]) -> IndexEntry:
        annotations = descriptor.get("annotations") or {}
        platform = descriptor.get("platform") or {}
        return IndexEntry(
            reference=annotations.get(REF_NAME, ""),
            digest=descriptor["digest"],
            size=descriptor["size"],
            media_type=descriptor["mediaType"],
            config=annotations.get(CONFIG) or self._config_of(descriptor["digest"]),
            repo_digest=annotations.get(REPO_DIGEST, ""),
            origin=annotations.get(ORIGIN, ""),
            pulled_ns=int(annotations.get(PULLED, "0")),
            architecture=platform.get("architecture", ""),
            os=platform.get("os", ""),
            variant=platform.get("variant", ""),
        )

    def _config_of(self, digest: str) -> str:
        # A layout may have been filled by another tool, which does not write our annotation.
        try:
            with open(self.paths.blob(digest), "rb") as file:
                return str(json.loads(file.read())["config"]["digest"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""


class IndexChange:
    """Exclusive access to the index of a layout; change `entries` in place."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.entries: list[IndexEntry] = []
        self._lock_fd = -1

    def __enter__(self) -> IndexChange:
        oci = self.index.paths.oci
        os.makedirs(oci, mode=0o700, exist_ok=True)
        self._lock_fd = os.open(f"{oci}/.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            self.entries = self.index.read()
        except BaseException:
            os.close(self._lock_fd)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._write()
        finally:
            os.close(self._lock_fd)

    def named(self, reference: str) -> IndexEntry | None:
        """The entry of this full reference."""
        return next((entry for entry in self.entries if entry.reference == reference), None)

    def put(self, entry: IndexEntry) -> None:
        """Store an entry; an image that thereby loses its last name stays, nameless."""
        previous = self.named(entry.reference)
        if previous is not None:
            self.drop(previous, keep_image=previous.config != entry.config)
        if entry.reference:
            self.entries = [other for other in self.entries if other.reference or other.config != entry.config]
        self.entries.append(entry)

    def drop(self, entry: IndexEntry, *, keep_image: bool) -> None:
        """Take an entry out. With `keep_image`, an image whose last entry this was stays, nameless."""
        self.entries.remove(entry)
        if keep_image and not any(other.config == entry.config for other in self.entries):
            self.entries.append(entry.replace(reference="", repo_digest=""))

    def _write(self) -> None:
        oci = self.index.paths.oci
        if not os.path.exists(f"{oci}/oci-layout"):
            _replace(f"{oci}/oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        document = {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [_descriptor(entry) for entry in self.entries],
        }
        _replace(self.index.path, json.dumps(document, indent=1).encode())


def _descriptor(entry: IndexEntry) -> dict[str, Any]:
    platform = {
        name: value
        for name, value in (
            ("architecture", entry.architecture),
            ("os", entry.os),
            ("variant", entry.variant),
        )
        if value
    }
    return {
        "mediaType": entry.media_type,
        "digest": entry.digest,
        "size": entry.size,
        **({"platform": platform} if platform else {}),
        "annotations": dict(_annotations(entry)),
    }


def _annotations(entry: IndexEntry) -> Iterator[tuple[str, str]]:
    if entry.reference:
        yield REF_NAME, entry.reference
    yield CONFIG, entry.config
    if entry.repo_digest:
        yield REPO_DIGEST, entry.repo_digest
    if entry.origin:
        yield ORIGIN, entry.origin
    if entry.pulled_ns:
        yield PULLED, str(entry.pulled_ns)


def _replace(path: str, data: bytes) -> None:
    temporary = f"{path}.{os.getpid()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(temporary, path)
    sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    """Make a rename in this folder survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
