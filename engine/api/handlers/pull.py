"""`POST /images/create`: a pull with Docker's lines of progress.

An image that cannot be had is a status of its own, 404 or 401; once the first line is out, an error is the last line.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from ...cli.progress import WORDS
from ...errors import EngineError, ImageNotFound
from ...images.reference import parse
from ..call import JSON
from ..errors import ApiError, answer_to
from ..registry_auth import read_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...engine import Engine
    from ...images.auth import Credentials
    from ...models import PullProgress
    from ..call import Call

HELD_LINES = 1
"""The first line only says what is tried; it waits, as an image that is not there should be a 404."""
_BARS = ("downloading", "unpacking")


async def create(call: Call) -> None:
    if call.text("fromSrc"):
        raise ApiError(501, "import is not implemented")
    if not call.text("fromImage"):
        raise ApiError(400, "no image to pull: fromImage is missing")
    reference = _reference(call.text("fromImage"), call.text("tag"))
    parse(reference)
    platform = call.text("platform")
    credentials = read_credentials(call.headers.get("x-registry-auth", ""))
    progress = _Progress(call.engine, reference, platform, credentials)
    outcome = asyncio.get_running_loop().create_task(_lines(call, progress))
    try:
        await outcome
    finally:
        progress.leave()


async def _lines(call: Call, progress: _Progress) -> None:
    waiting: list[dict[str, Any]] = []
    try:
        async for batch in call.threads.stream(progress.run):
            waiting += batch
            if len(waiting) <= HELD_LINES and not call.streaming:
                continue
            if not call.streaming:
                await call.begin(JSON)
            await call.write(b"".join(json.dumps(line).encode() + b"\r\n" for line in waiting))
            waiting.clear()
    except EngineError as error:
        if not call.streaming:
            raise
        message = answer_to(error)[1]
        await call.write(json.dumps({"errorDetail": {"message": message}, "error": message}).encode() + b"\r\n")


class _Progress:
    """Runs the pull in a thread of its own, which tells its progress from several: they meet in a queue."""

    def __init__(self, engine: Engine, reference: str, platform: str, credentials: Credentials | None) -> None:
        self._engine = engine
        self._reference = reference
        self._platform = platform
        self._credentials = credentials
        self._left = False

    def leave(self) -> None:
        """Nobody listens any more: stop the transfers."""
        self._left = True

    def run(self, cancelled: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        import queue
        import threading

        lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        failure: list[Exception] = []

        def pull() -> None:
            try:
                before = self._present()
                image = self._engine.images.pull(
                    self._reference,
                    platform=self._platform,
                    credentials=self._credentials,
                    on_progress=lambda progress: lines.put(_line(progress)),
                    cancelled=lambda: self._left or cancelled(),
                )
                digest = next((entry.rpartition("@")[2] for entry in image.repo_digests), image.digest)
                lines.put({"status": f"Digest: {digest}"})
                fresh = "Image is up to date for" if before == image.id else "Downloaded newer image for"
                lines.put({"status": f"Status: {fresh} {parse(self._reference).familiar}"})
            except Exception as error:
                failure.append(error)
            finally:
                lines.put(None)

        threading.Thread(target=pull, name="api-pull", daemon=True).start()
        while (line := lines.get()) is not None:
            yield line
        if failure:
            raise failure[0]

    def _present(self) -> str:
        try:
            return self._engine.images.get(self._reference).id
        except ImageNotFound:
            return ""


def _line(progress: PullProgress) -> dict[str, Any]:
    if not progress.layer:
        head, colon, rest = progress.message.partition(": ")
        return {"status": rest, "id": head} if colon and rest.startswith("Pulling") else {"status": progress.message}
    detail = {"current": progress.current, "total": progress.total} if progress.status in _BARS else {}
    return {"status": WORDS[progress.status], "progressDetail": detail, "id": progress.layer}


def _reference(name: str, tag: str) -> str:
    if not tag:
        return name
    return f"{name}@{tag}" if tag.startswith("sha256:") else f"{name}:{tag}"
