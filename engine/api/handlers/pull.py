"""`POST /images/create`: a pull, or the import of a file system's archive."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ...errors import CorruptContent, EngineError, ImageNotFound, InvalidRequest
from ...images.reference import parse
from ..errors import ApiError
from ..registry_auth import read_credentials
from ..transfer import progress_line, send_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..call import Call
    from ..transfer import Line

FETCH_TIMEOUT_S = 30.0


async def create(call: Call) -> None:
    if call.text("fromSrc"):
        await _import(call)
    elif call.text("fromImage"):
        await _pull(call)
    else:
        raise ApiError(400, "no image to pull: fromImage is missing")


async def _pull(call: Call) -> None:
    """One tag or digest; a name without either means every tag that the registry has of it."""
    name, tag = call.text("fromImage"), call.text("tag")
    parse(named(name, tag))
    platform = call.text("platform")
    credentials = read_credentials(call.headers.get("x-registry-auth", ""))
    images = call.engine.images

    def work(tell: Callable[[Line], None], cancelled: Callable[[], bool]) -> None:
        if tag or has_tag(name):
            pull(named(name, tag), tell, cancelled)
            return
        for each in images.remote_tags(name, credentials=credentials):
            pull(f"{name}:{each}", tell, cancelled)

    def pull(reference: str, tell: Callable[[Line], None], cancelled: Callable[[], bool]) -> None:
        try:
            before = images.get(reference).id
        except ImageNotFound:
            before = ""
        image = images.pull(
            reference,
            platform=platform,
            credentials=credentials,
            on_progress=lambda progress: tell(progress_line(progress)),
            cancelled=cancelled,
        )
        digest = next((entry.rpartition("@")[2] for entry in image.repo_digests), image.digest)
        tell({"status": f"Digest: {digest}"})
        fresh = "Image is up to date for" if before == image.id else "Downloaded newer image for"
        tell({"status": f"Status: {fresh} {parse(reference).familiar}"})

    await send_progress(call, work)


async def _import(call: Call) -> None:
    """`fromSrc` is `-` for the request's body, or an address to fetch from."""
    source, repository = call.text("fromSrc"), call.text("repo")
    reference = named(repository, call.text("tag")) if repository else ""
    body = call.file()

    def work(tell: Callable[[Line], None], cancelled: Callable[[], bool]) -> None:
        read = body.read if source == "-" else _fetched(source)
        with refusing_corrupt_bodies():
            image = call.engine.images.import_archive(
                read,
                reference,
                changes=changes_of(call),
                message=call.text("message"),
                platform=call.text("platform"),
                source=source,
            )
        tell({"status": image.id})

    await send_progress(call, work)


def changes_of(call: Call) -> list[str]:
    """Dockerfile instructions, each a parameter or several in one, a line each."""
    return [change for text in call.texts("changes") for change in text.split("\n") if change.strip()]


@contextlib.contextmanager
def refusing_corrupt_bodies() -> Iterator[None]:
    """What is wrong with an archive that the client sent is the client's fault."""
    try:
        yield
    except CorruptContent as error:
        raise InvalidRequest(error.message) from error


def has_tag(name: str) -> bool:
    """Or a digest."""
    return ":" in name.rpartition("/")[2] or "@" in name


def named(name: str, tag: str) -> str:
    if not tag:
        return name
    return f"{name}@{tag}" if tag.startswith("sha256:") else f"{name}:{tag}"


def _fetched(address: str) -> Callable[[int], bytes]:
    import http.client
    import urllib.error
    import urllib.request

    if "://" not in address:
        address = f"http://{address}"
    if not address.startswith(("http://", "https://")):
        raise InvalidRequest(f"cannot import from {address}: http:// and https:// can be fetched")
    try:
        answer: http.client.HTTPResponse = urllib.request.urlopen(address, timeout=FETCH_TIMEOUT_S)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise EngineError(f"cannot fetch {address}: {reason}") from error

    def read(size: int) -> bytes:
        try:
            return answer.read(size)
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"cannot fetch {address}: {error}") from error

    return read
