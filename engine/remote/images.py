"""Images of another engine, with the face of `images.images.Images`."""

from __future__ import annotations

from ..errors import Cancelled, HostUnfit
from ..models import PullProgress, Removed
from .api import only_here, progress, quoted
from .models import image as read_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from ..images.auth import Credentials
    from ..images.load import Loaded
    from ..images.push import Pushed
    from ..models import Image, LayerStatus
    from .api import Api

_STATUS: dict[str, LayerStatus] = {
    "Pulling fs layer": "waiting",
    "Waiting": "waiting",
    "Downloading": "downloading",
    "Retrying": "retrying",
    "Verifying Checksum": "verifying",
    "Download complete": "downloaded",
    "Extracting": "unpacking",
    "Pull complete": "done",
    "Already exists": "exists",
    "Preparing": "preparing",
    "Pushing": "pushing",
    "Pushed": "pushed",
    "Layer already exists": "exists",
    "Mounted": "mounted",
}


class RemoteImages:
    def __init__(self, api: Api) -> None:
        self._api = api

    def __getattr__(self, name: str) -> Any:
        raise only_here(name)

    def list(self) -> list[Image]:
        """Every image there, newest first."""
        found = [read_image(row) for row in self._api.json("GET", "/images/json") or ()]
        return sorted(found, key=_newest_first)

    def get(self, ref: str) -> Image:
        return read_image(self.inspect(ref))

    def inspect(self, ref: str) -> dict[str, Any]:
        document: dict[str, Any] = self._api.json("GET", f"/images/{_path(ref)}/json")
        return document

    def history(self, ref: str) -> builtins.list[dict[str, Any]]:
        rows: builtins.list[dict[str, Any]] = self._api.json("GET", f"/images/{_path(ref)}/history")
        return rows

    def pull(
        self,
        ref: str,
        *,
        platform: str = "",
        on_progress: Callable[[PullProgress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        credentials: Credentials | None = None,
    ) -> Image:
        """The other engine pulls, with the credentials that this machine has for the registry."""
        name, tag = _split(ref)
        response = self._api.open(
            "POST",
            "/images/create",
            {"fromImage": name, "tag": tag, "platform": platform},
            headers={"X-Registry-Auth": registry_auth(ref, credentials)},
        )
        for line in progress(response):
            if cancelled is not None and cancelled():
                response.close()
                raise Cancelled(f"the pull of {ref} was ended")
            if on_progress is not None:
                for report in _reports(line):
                    on_progress(report)
        return self.get(ref)

    def toolbox(self, ref: str = "toolbox:latest", *, on_progress: object = None) -> Image:
        raise HostUnfit(
            "the toolbox is made of the files of the machine that the engine runs on",
            hint="Run pydock image toolbox there.",
        )

    def tag(self, source: str, target: str) -> None:
        repository, tag = _split(target)
        self._api.open("POST", f"/images/{_path(source)}/tag", {"repo": repository, "tag": tag}).read()

    def remove(
        self, ref: str, *, force: bool = False, in_use: Callable[[str], builtins.list[str]] | None = None
    ) -> builtins.list[Removed]:
        """`in_use` is not needed: the other engine knows its containers."""
        rows = self._api.json("DELETE", f"/images/{_path(ref)}", {"force": force})
        return [Removed(untagged=row.get("Untagged") or "", deleted=row.get("Deleted") or "") for row in rows or ()]

    def save(self, refs: Sequence[str]) -> Iterator[bytes]:
        """These images as one tar, in pieces."""
        return self._api.open("GET", "/images/get", {"names": list(refs)}).chunks()

    def load(self, read: Callable[[int], bytes], *, platform: str = "") -> builtins.list[Loaded]:
        from ..images.load import Loaded
        from .files import read_pieces

        found = []
        response = self._api.open("POST", "/images/load", {"platform": platform}, stream=read_pieces(read))
        for line in progress(response):
            for text in str(line.get("stream") or "").splitlines():
                kind, _, name = text.partition(": ")
                if kind == "Loaded image":
                    found += [Loaded(id=self.get(part).id, references=(part,)) for part in name.split(", ")]
                elif kind == "Loaded image ID":
                    found.append(Loaded(id=name))
        return found

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
        from .files import read_pieces

        query = {
            "fromSrc": "-",
            "repo": ref,  # whole: Podman does not look at a tag of its own
            "message": message,
            "changes": list(changes),
            "platform": platform,
        }
        status = ""
        for line in progress(self._api.open("POST", "/images/create", query, stream=read_pieces(read))):
            status = str(line.get("status") or status)
        return self.get(status)

    def push(
        self,
        ref: str,
        *,
        on_progress: Callable[[PullProgress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        credentials: Credentials | None = None,
    ) -> Pushed:
        """The other engine pushes, with the credentials that this machine has for the registry."""
        from ..images.push import Pushed

        name, tag = _split(ref)
        response = self._api.open(
            "POST",
            f"/images/{_path(name)}/push",
            {"tag": tag},
            headers={"X-Registry-Auth": registry_auth(ref, credentials)},
        )
        aux: dict[str, Any] = {}
        for line in progress(response):
            if cancelled is not None and cancelled():
                response.close()
                raise Cancelled(f"the push of {ref} was ended")
            aux = line.get("aux") or aux
            if line.get("status") == "Waiting":  # of a push it says nothing, and has a pull's word
                continue
            for report in _reports(line) if on_progress is not None else ():
                on_progress(report)  # type: ignore[misc]
        return Pushed(tag=aux.get("Tag") or tag, digest=aux.get("Digest") or "", size=int(aux.get("Size") or 0))

    def tags_of(self, repository: str) -> builtins.list[str]:
        names = [name for image in self.list() for name in image.references]
        return sorted(name for name in names if name.rpartition(":")[0] == repository)

    def check_login(self, domain: str, credentials: Credentials) -> None:
        """The other engine asks the registry. Raises Unauthorized, RegistryError."""
        body = {"username": credentials.username, "password": credentials.password, "serveraddress": domain}
        self._api.json("POST", "/auth", None, body)


def registry_auth(ref: str, credentials: Credentials | None = None) -> str:
    """`X-Registry-Auth` for the registry that a reference names."""
    import base64
    import json

    from ..images.auth import find_credentials
    from ..images.reference import parse

    found = credentials if credentials is not None else find_credentials(parse(ref).domain)
    data = {"username": found.username, "password": found.password, "identitytoken": found.identity_token}
    return base64.urlsafe_b64encode(json.dumps({key: text for key, text in data.items() if text}).encode()).decode()


def _newest_first(found: Image) -> int:
    return -found.created_ns


def _path(ref: str) -> str:
    """Slashes stay: docker's routes take a name of several parts."""
    return "/".join(quoted(part) for part in ref.split("/"))


def _split(ref: str) -> tuple[str, str]:
    """(name, tag or digest); without either, "latest": an empty tag would mean all tags."""
    name, at, digest = ref.partition("@")
    if at:
        return name, digest
    name, colon, tag = ref.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (ref, "latest")


def _reports(line: dict[str, Any]) -> Iterator[PullProgress]:
    status, layer = str(line.get("status") or ""), str(line.get("id") or "")
    detail = line.get("progressDetail") or {}
    known = next((word for text, word in _STATUS.items() if status.startswith(text)), None)
    if layer and known is not None:
        yield PullProgress(
            layer=layer, status=known, current=int(detail.get("current") or 0), total=int(detail.get("total") or 0)
        )
    elif status and not status.startswith(("Digest:", "Status:")):
        yield PullProgress(message=f"{layer}: {status}" if layer else status)
