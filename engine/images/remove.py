"""Takes names off images, removes images, and collects what nothing refers to any more.

Blobs and layers of a pull in progress have no entry yet. A pull therefore holds a shared flock on `oci/.pulls`,
and collecting needs it alone; where it cannot have it, it leaves a mark and the next pull collects at its end.
"""

from __future__ import annotations

import fcntl
import os

from ..errors import CorruptContent, InUse
from ..models import Removed
from .catalogue import document_of, find
from .config import load_document, parse_config
from .content import STALE_S, ContentStore
from .index import Index, IndexEntry
from .layers import LayerStore
from .reference import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ..paths import Paths


def remove_image(paths: Paths, text: str, *, force: bool, in_use: Callable[[str], list[str]] | None) -> list[Removed]:
    """Untag, and delete the image when this was its last name. Raises ImageNotFound and InUse.

    An image that containers are made of is kept: by name only with `force`, which leaves it nameless.
    """
    with Index(paths).change() as change:
        entry = find(change.entries, text)
        image_id = entry.config
        group = [other for other in change.entries if other.config == image_id]
        by_id = image_id.startswith(f"sha256:{text.removeprefix('sha256:')}")
        doomed = group if by_id else [entry]
        names = [other for other in group if other.reference]
        if by_id and len({parse(name.reference).name for name in names}) > 1 and not force:
            raise InUse(
                f"conflict: unable to delete {_short(image_id)} (must be forced) - "
                "image is referenced in multiple repositories",
                hint="Remove its names one by one, or use --force.",
            )
        last = len(doomed) == len(group)
        users = in_use(image_id) if last and in_use is not None else []
        if users and (by_id or not force):
            raise _conflict(text, image_id, users, by_id)
        removed = [
            Removed(untagged=parse(reference).familiar)
            for other in doomed
            for reference in dict.fromkeys((other.reference, other.repo_digest))
            if reference
        ]
        for other in doomed:
            change.drop(other, keep_image=bool(users))
        if last and not users:
            removed.append(Removed(deleted=image_id))
    if last and not users:
        collect(paths)
    return removed


class PullsLock:
    """Shared while pulling: nothing is collected meanwhile. Use as a context."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._fd = -1

    def __enter__(self) -> PullsLock:
        os.makedirs(self._paths.oci, mode=0o700, exist_ok=True)
        self._fd = _open_lock(self._paths)
        fcntl.flock(self._fd, fcntl.LOCK_SH)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        if os.path.exists(_mark(self._paths)):
            collect(self._paths)


def collect(paths: Paths, *, unfinished: bool = False) -> int:
    """Delete every blob and layer that no entry of the index needs; returns the bytes of blobs freed.

    With `unfinished` also the beginnings of blobs, which otherwise wait a day for the pull that continues them.

    Deletes nothing, and leaves a mark, while a pull is going on or when a manifest cannot be read.
    """
    fd = _open_lock(paths)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(os.open(_mark(paths), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        os.close(fd)
        return 0
    try:
        content, layers = ContentStore(paths), LayerStore(paths)
        try:
            blobs, chains = _needed(paths, Index(paths).read())
        except CorruptContent:
            return 0
        freed = sum(content.remove(digest) for digest in content.digests() if digest not in blobs)
        for chain_id in layers.chain_ids():
            if chain_id not in chains:
                layers.remove(chain_id)
        content.sweep(0 if unfinished else STALE_S)
        layers.sweep()
        if os.path.exists(_mark(paths)):
            os.unlink(_mark(paths))
        return freed
    finally:
        os.close(fd)


def _needed(paths: Paths, entries: list[IndexEntry]) -> tuple[set[str], set[str]]:
    blobs: set[str] = set()
    chains: set[str] = set()
    for entry in entries:
        blobs.update((entry.digest, entry.config, entry.origin))
        if entry.repo_digest:
            blobs.add(entry.repo_digest.rpartition("@")[2])
        chains.update(parse_config(document_of(paths, entry.config), entry.config).chain_ids)
        try:
            manifest = load_document(paths.blob(entry.digest), entry.digest)
            blobs.update(str(layer["digest"]) for layer in manifest["layers"])
        except (FileNotFoundError, KeyError, TypeError) as error:
            raise CorruptContent(f"manifest {entry.digest} cannot be read: {error!r}") from error
    return blobs, chains


def _conflict(text: str, image_id: str, users: list[str], by_id: bool) -> InUse:
    if by_id:
        message = f"conflict: unable to delete {_short(image_id)} (cannot be forced) - image is being used by "
    else:
        message = f'conflict: unable to remove repository reference "{text}" (must force) - its image is used by '
    named = ", ".join(users[:3]) + (f" and {len(users) - 3} more" if len(users) > 3 else "")
    return InUse(
        f"{message}{'container' if len(users) == 1 else 'containers'} {named}",
        hint=f"Remove the {'container' if len(users) == 1 else 'containers'} first.",
    )


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12]


def _open_lock(paths: Paths) -> int:
    return os.open(f"{paths.oci}/.pulls", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _mark(paths: Paths) -> str:
    return f"{paths.oci}/.collect"
