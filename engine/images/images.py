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
    from collections.abc import Callable
    from typing import Any

    from ..models import Image, PullProgress, Removed
    from ..paths import Paths
    from .auth import Credentials
    from .config import ImageConfig

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

    def layer_path(self, chain_id: str) -> str:
        """The directory of an unpacked layer, to be used as an overlay's lowerdir."""
        return self._layers.path(chain_id)

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

    def _describe(self, entries: builtins.list[IndexEntry], image_id: str) -> Image:
        group = [entry for entry in entries if entry.config == image_id]
        return describe(self._paths, self._layers, group)
