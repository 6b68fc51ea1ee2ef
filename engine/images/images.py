"""Images: the facade over the content store, the layers and the registries.

Nothing here imports httpx, msgspec or the unpacker until a call needs them: `config` and `layer_path` are on the
path of a cold `run`.
"""

from __future__ import annotations

import time

from .catalogue import describe, describe_all, document_of, find
from .config import parse_config
from .index import Index, IndexEntry
from .layers import LayerStore
from .reference import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from ..models import Image, PullProgress, Removed
    from ..paths import Paths
    from .auth import Credentials
    from .config import ImageConfig
    from .load import Loaded
    from .prune import Pruned
    from .push import Pushed

    Announce = Callable[[str, str, dict[str, str]], object]
    OnProgress = Callable[[PullProgress], None]


class Images:
    """All image operations of one engine; blocking, and safe to call from several threads and processes.

    A `ref` is a name with optional tag or digest, an image id, or the unique beginning of one. Every call with
    a `ref` of an image that must be here raises ImageNotFound when it is not.
    """

    def __init__(self, paths: Paths, announce: Announce) -> None:
        self._paths = paths
        self._announce = announce
        self._index = Index(paths)
        self._layers = LayerStore(paths)

    def list(self) -> list[Image]:
        """Every image here, newest first."""
        return describe_all(self._paths, self._layers, self._index.read())

    def get(self, ref: str) -> Image:
        entries = self._index.read()
        entry = find(entries, ref)
        return self._describe(entries, entry.config)

    def inspect(self, ref: str) -> dict[str, Any]:
        """As `docker image inspect` shows it."""
        from .inspect import inspect_image

        image = self.get(ref)
        return inspect_image(image, document_of(self._paths, image.id), self._layers)

    def history(self, ref: str) -> builtins.list[dict[str, Any]]:
        """The steps that made it, newest first: Id, Created (seconds), CreatedBy, Size, Comment, Tags."""
        from .inspect import history_of

        image = self.get(ref)
        return history_of(image, document_of(self._paths, image.id), self._layers)

    def config(self, ref: str) -> ImageConfig:
        """How to run it."""
        image_id = find(self._index.read(), ref).config
        return parse_config(document_of(self._paths, image_id), image_id)

    def entry(self, ref: str) -> IndexEntry:
        """Its place in the index."""
        return find(self._index.read(), ref)

    def document(self, ref: str) -> dict[str, Any]:
        """Its configuration document as it is."""
        return document_of(self._paths, self.entry(ref).config)

    def layer_path(self, chain_id: str) -> str:
        """The directory of an unpacked layer, to be used as an overlay's lowerdir."""
        return self._layers.path(chain_id)

    def layer_size(self, chain_id: str) -> int:
        """Bytes of an unpacked layer's files."""
        return self._layers.size(chain_id)

    def ensure_unpacked(self, config: ImageConfig) -> None:
        """Unpack from the stored blobs what is missing. Raises CorruptContent and NotFound when it cannot."""
        if all(self._layers.has(chain_id) for chain_id in config.chain_ids):
            return
        from .restore import unpack_again

        entry = find(self._index.read(), config.id)
        unpack_again(self._paths, self._layers, entry)

    def pull(
        self,
        ref: str,
        *,
        platform: str = "",
        on_progress: OnProgress | None = None,
        cancelled: Callable[[], bool] | None = None,
        credentials: Credentials | None = None,
    ) -> Image:
        """Fetch an image that is missing or changed, and unpack it. `on_progress` may be called from any thread.
        `credentials`: the caller's own, in place of those of Docker's files.

        Raises InvalidRequest, ImageNotFound, Unauthorized, RegistryError, CorruptContent and Cancelled; what
        was fetched by then is kept for the next attempt.
        """
        from .pull import Pull

        pull = Pull(self._paths, parse(ref), platform, on_progress, cancelled, credentials)
        entry = pull.run()
        self._announce("pull", parse(ref).familiar, {"name": parse(ref).familiar_name})
        return self._describe(self._index.read(), entry.config)

    def toolbox(self, ref: str = "toolbox:latest", *, on_progress: OnProgress | None = None) -> Image:
        """Make an image of this machine's own shell and tools. Needs no network. Raises HostUnfit."""
        from .restore import store_toolbox

        reference = parse(ref)
        entry = store_toolbox(self._paths, self._layers, reference, on_progress)
        self._announce("tag", entry.config, {"name": reference.familiar})
        return self._describe(self._index.read(), entry.config)

    def tag(self, source: str, target: str) -> None:
        """Give an image one more name, which is taken from another that had it. Raises InvalidRequest."""
        reference = parse(target)
        with self._index.change() as change:
            entry = find(change.entries, source)
            if reference.digest:
                from ..errors import InvalidRequest

                raise InvalidRequest(f"cannot create a name with a digest: {target}", hint="Give a tag.")
            change.put(entry.replace(reference=reference.full, repo_digest="", pulled_ns=time.time_ns()))
        self._announce("tag", entry.config, {"name": reference.familiar})

    def remove(
        self,
        ref: str,
        *,
        force: bool = False,
        in_use: Callable[[str], builtins.list[str]] | None = None,
    ) -> builtins.list[Removed]:
        """Take the name off; with the last one (or given an id) the image goes, and all that only it needed.

        `in_use` names the containers made of an image id. Raises InUse.
        """
        from .remove import remove_image

        entry = find(self._index.read(), ref)
        removed = remove_image(self._paths, ref, force=force, in_use=in_use)
        for step in removed:
            action = "untag" if step.untagged else "delete"
            if "@" not in step.untagged:
                self._announce(action, entry.config, {"name": step.untagged or step.deleted})
        return removed

    def save(self, refs: Sequence[str]) -> Iterator[bytes]:
        """These images as one tar, in pieces: an OCI layout and docker-archive in one. A name without a tag is all
        its tags. Raises ImageNotFound before the first piece."""
        from ..tars.tree import gathered
        from .save import archive, chosen

        entries = chosen(self._paths, refs)
        for entry in entries:
            self._announce("save", entry.config, {"name": entry.config})
        return gathered(archive(self._paths, entries))

    def load(self, read: Callable[[int], bytes], *, platform: str = "") -> builtins.list[Loaded]:
        """Every image of an archive that `save`, docker, podman or skopeo wrote; `read(n)` gives up to n bytes, b""
        at the end. Raises InvalidRequest for what is none, CorruptContent for what is not what it says."""
        from .load import load
        from .remove import PullsLock, collect

        try:
            with PullsLock(self._paths):
                loaded = load(self._paths, self._layers, read, platform)
        except BaseException:
            collect(self._paths)
            raise
        for image in loaded:
            for name in image.references or (image.id,):
                self._announce("load", image.id, {"name": name})
        return loaded

    def import_archive(
        self,
        read: Callable[[int], bytes],
        ref: str = "",
        *,
        changes: Sequence[str] = (),
        message: str = "",
        platform: str = "",
        source: str = "-",
    ) -> Image:
        """An image of one layer, from the archive of a file system, compressed or not. `changes`: Dockerfile
        instructions. Raises InvalidRequest, CorruptContent."""
        from .importing import import_archive
        from .remove import collect

        reference = parse(ref) if ref else None
        try:
            entry = import_archive(
                self._paths,
                self._layers,
                read,
                reference,
                changes=tuple(changes),
                message=message,
                platform=platform,
                source=source,
            )
        except BaseException:
            collect(self._paths)
            raise
        self._announce("import", entry.config, {"name": reference.familiar if reference else entry.config})
        return self._describe(self._index.read(), entry.config)

    def push(
        self,
        ref: str,
        *,
        on_progress: OnProgress | None = None,
        cancelled: Callable[[], bool] | None = None,
        credentials: Credentials | None = None,
    ) -> Pushed:
        """Send an image to the registry that its name says; what is there already is not sent. `on_progress` may be
        called from any thread. Raises NotFound, Unauthorized, RegistryError, Cancelled."""
        from .push import Push

        reference = parse(ref)
        pushed = Push(self._paths, reference, on_progress, cancelled, credentials).run()
        self._announce("push", reference.familiar, {"name": reference.familiar_name})
        return pushed

    def tags_of(self, repository: str) -> builtins.list[str]:
        """Every name here of a repository, for pushing all its tags."""
        from .push import every_tag

        return [reference.familiar for reference in every_tag(self._paths, repository)]

    def prune(
        self,
        *,
        all: bool = False,
        in_use: Callable[[str], builtins.list[str]],
        wanted: Callable[[Image], bool] = lambda image: True,
        until_ns: int = 0,
    ) -> Pruned:
        """Remove the images without a name, or with `all` every one that `in_use` names no container of."""
        from .prune import prune

        pruned = prune(self._paths, self.list(), all=all, in_use=in_use, wanted=wanted, until_ns=until_ns)
        for step in pruned.removed:
            if "@" not in step.untagged:
                action = "untag" if step.untagged else "delete"
                self._announce(action, step.untagged or step.deleted, {"name": step.untagged or step.deleted})
        self._announce("prune", "", {"reclaimed": str(pruned.freed)})
        return pruned

    def distribution(self, ref: str, *, credentials: Credentials | None = None) -> dict[str, Any]:
        """What the registry has under this name: Descriptor and Platforms, as docker tells it."""
        from .distribution import look_up

        return look_up(parse(ref), credentials)

    def registry_tags(self, repository: str, *, credentials: Credentials | None = None) -> builtins.list[str]:
        """Every tag that the registry has of a repository."""
        from .distribution import tags

        return tags(parse(repository), credentials)

    def remote_tags(self, repository: str, *, credentials: Credentials | None = None) -> builtins.list[str]:
        """Every tag that the registry has of a repository, for pulling them all."""
        from .distribution import remote_tags

        return remote_tags(parse(repository), credentials)

    def check_login(self, domain: str, credentials: Credentials) -> None:
        """Ask a registry (`docker.io`, `host:port`) whether it takes this account. Raises Unauthorized,
        RegistryError."""
        from .distribution import check_login

        check_login(domain, credentials)

    def _describe(self, entries: builtins.list[IndexEntry], image_id: str) -> Image:
        group = [entry for entry in entries if entry.config == image_id]
        return describe(self._paths, self._layers, group)
